"""What people and programs write, and what was said."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from owner.db.database import Connection, Database
from owner.models.conversation import Conversation
from owner.models.entity import Page
from owner.models.errors import MessageNotFound
from owner.models.event import Actor
from owner.models.media import Media
from owner.models.message import Message, MessageCreate
from owner.models.principal import Principal
from owner.models.template import TemplateLook
from owner.models.work_errors import NewerMessage
from owner.repositories.conversations import ConversationRepository
from owner.repositories.media import MediaRepository
from owner.repositories.messages import MessageRepository
from owner.services.authority import author
from owner.services.canned_replies import render
from owner.services.conversations import ConversationService
from owner.services.message_send import queue_message
from owner.services.ports import Clock
from owner.services.rate_limits import RateLimitService
from owner.services.templates import TemplateService

Also: TypeAlias = Callable[[Connection, Conversation, Message], Awaitable[Message]]
"""What else belongs to a message, done in its transaction."""


class MessageService:
    """Messages of conversations."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        conversations: ConversationService,
        rate_limits: RateLimitService,
        templates: TemplateService,
    ) -> None:
        self.database = database
        self.clock = clock
        self.conversations = conversations
        self.rate_limits = rate_limits
        self.templates = templates

    async def send_as(
        self, caller: Principal, conv_id: int, create: MessageCreate, *, also: Also | None = None
    ) -> Message:
        """Send a message as what the caller's role writes as."""
        create = create.model_copy(update={"message_owner": author(caller, create.message_owner)})
        return await self.send(caller.owner_id, conv_id, create, by=caller.actor, also=also)

    async def send(
        self, owner_id: int, conv_id: int, create: MessageCreate, *, by: Actor, also: Also | None = None
    ) -> Message:
        """Store a message to be sent; committed when this returns, sent by a worker soon after.

        Raises:
            ConversationClosed, ReplyWindowClosed, ContactOptedOut, HandledByPerson: it may not be sent now.
            NewerMessage: something was said that the writer did not know of.
            RateLimited: the owner has sent as much as it may in a day.
        """
        look = None
        if create.content_sid is not None:
            create, look = await self._as_read(owner_id, conv_id, create, create.content_sid)
        async with self.conversations.locked(owner_id, conv_id) as (connection, conversation):
            conversation.refuse_if_closed()
            await _refuse_if_newer(connection, conv_id, create.expected_last_msg_id)
            if create.canned_reply_id is not None:
                text = await render(connection, conversation, create.canned_reply_id, by=by)
                create = create.model_copy(update={"content": text})
            message = await queue_message(
                connection, conversation, create, by=by, at=self.clock.now(), look=look
            )
            if also is not None:
                message = await also(connection, conversation, message)
            # Last, so that what was refused for another reason is not counted.
            await self.rate_limits.count_message(owner_id)
        return message

    async def _as_read(
        self, owner_id: int, conv_id: int, create: MessageCreate, content_sid: str
    ) -> tuple[MessageCreate, TemplateLook | None]:
        """What the customer will see stands in the thread; where nobody knows it now, the provider's answer tells."""
        values = create.content_variables or {}
        template = await self.templates.filled_in(owner_id, conv_id, content_sid, values)
        if template is None:
            return create.model_copy(update={"content": None}), None
        return create.model_copy(update={"content": template.body}), template.look

    async def get(self, owner_id: int, conv_id: int, msg_id: int) -> tuple[Message, list[Media]]:
        """One message of a conversation, and its files."""
        async with self.database.owner(owner_id) as connection:
            await ConversationRepository(connection).get(conv_id)
            message = await MessageRepository(connection).find_where(conv_id=conv_id, msg_id=msg_id)
            if message is None:
                raise MessageNotFound(msg_id)
            return message, await MediaRepository(connection).list_by_messages([msg_id])

    async def list_page(
        self,
        owner_id: int,
        conv_id: int,
        *,
        limit: int,
        cursor: str | None = None,
        newest_first: bool = False,
    ) -> tuple[Page[Message], list[Media]]:
        """Messages of a conversation, and the files that belong to them."""
        async with self.database.owner(owner_id) as connection:
            await ConversationRepository(connection).get(conv_id)
            page = await MessageRepository(connection).list_by_conversation(
                conv_id, limit=limit, cursor=cursor, newest_first=newest_first
            )
            media = await MediaRepository(connection).list_by_messages(
                [message.msg_id for message in page.items]
            )
        return page, media


async def _refuse_if_newer(connection: Connection, conv_id: int, expected_msg_id: int | None) -> None:
    """The conversation is locked by the caller, so nothing can come in between."""
    if expected_msg_id is None:
        return
    last = await MessageRepository(connection).find_last(conv_id)
    if last is None or last.msg_id != expected_msg_id:
        raise NewerMessage(last_msg_id=last.msg_id if last else None, last_seq=last.seq if last else None)
