"""Keeps files that people send, and shows each for a while to who has its signed address, as the provider does."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from owner.db.database import Connection
from owner.models.attachment import Upload, fit_name, refuse_unfit
from owner.models.conversation import Conversation
from owner.models.errors import MediaNotFound, Misconfigured
from owner.models.media import MediaStatus
from owner.models.message import Message, MessageCreate
from owner.models.principal import Principal
from owner.repositories.media import MediaRepository
from owner.repositories.messages import MessageRepository
from owner.services.media import File, MediaService, media_key
from owner.services.messages import MessageService
from owner.services.ports import Clock, SecretBox

SHOWN_FOR: Final = timedelta(hours=48)  # longer than a message waits for the provider
Sniff = Callable[[bytes, str], str]


class AttachmentService:
    """Files on their way to customers are media of their message, as those that came from customers are."""

    def __init__(
        self,
        messages: MessageService,
        *,
        clock: Clock,
        media: MediaService,
        secrets_box: SecretBox,
        sniffs: Sniff,
        public_url: str,
    ) -> None:
        self.clock = clock
        self.messages = messages
        self.media = media
        self.secrets_box = secrets_box
        self.sniffs = sniffs
        self.public_url = public_url

    def urls_to_come(self, count: int) -> list[str]:
        """What stands in a message until its files are kept and have addresses, in the same transaction."""
        return [f"{self.public_url}/files/to-come"] * count

    async def send_as(
        self, caller: Principal, conv_id: int, create: MessageCreate, uploads: Sequence[Upload]
    ) -> Message:
        """Send a message with files or without. Bytes are kept before the commit: no message is without its file.

        Raises:
            UnsupportedMediaType, PayloadTooLarge, InvalidInput: the channel would not take them.
            Conflict: as for any message.
        """
        also = partial(self._attach, uploads) if uploads else None
        return await self.messages.send_as(caller, conv_id, create, also=also)

    async def open(self, token: str) -> File:
        """The file of a signed address; raises `MediaNotFound` for an old, a foreign and a made-up one."""
        try:
            sealed = json.loads(self.secrets_box.decrypt(token.encode()))
        except (Misconfigured, ValueError) as problem:
            raise MediaNotFound from problem
        match sealed:  # by the same keys other things are sealed too
            case [int(owner_id), int(media_id), int(until)] if self.clock.now().timestamp() < until:
                return await self.media.open(owner_id, media_id)
        raise MediaNotFound

    async def _attach(
        self,
        uploads: Sequence[Upload],
        connection: Connection,
        conversation: Conversation,
        message: Message,
    ) -> Message:
        checked = self._checked(conversation, uploads)
        addresses = [
            await self._keep(connection, message, position, upload) for position, upload in enumerate(checked)
        ]
        message = message.model_copy(update={"media_urls": addresses})
        await MessageRepository(connection).save(message)
        return message

    def _checked(self, conversation: Conversation, uploads: Sequence[Upload]) -> list[Upload]:
        """The files by what their bytes say that they are, with names that fit them."""
        types = [self.sniffs(upload.content, upload.content_type) for upload in uploads]
        sizes = [len(upload.content) for upload in uploads]
        refuse_unfit(conversation.channel, list(zip(types, sizes, strict=True)))
        return [
            Upload(fit_name(upload.name, kind), kind, upload.content)
            for upload, kind in zip(uploads, types, strict=True)
        ]

    async def _keep(self, connection: Connection, message: Message, position: int, upload: Upload) -> str:
        media = MediaRepository(connection)
        kept = await media.add(
            {
                "owner_id": message.owner_id,
                "msg_id": message.msg_id,
                "position": position,
                "provider_url": "",
                "content_type": upload.content_type,
                "size": len(upload.content),
                "sha256": sha256(upload.content).digest(),
                "status": MediaStatus.STORED,
                "created_at": message.created_at,
                "updated_at": message.created_at,
            }
        )
        await self.media.store.put(media_key(kept.owner_id, kept.media_id), upload.content)
        return self._address(kept.owner_id, kept.media_id, upload.name, until=message.created_at + SHOWN_FOR)

    def _address(self, owner_id: int, media_id: int, name: str, *, until: datetime) -> str:
        """Encrypted rather than signed: who sees it learns no numbers of ours."""
        token = self.secrets_box.encrypt(json.dumps([owner_id, media_id, int(until.timestamp())])).decode()
        return f"{self.public_url}/files/{token}/{quote(name)}"
