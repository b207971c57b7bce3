"""Files of messages."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from owner.models.errors import MediaNotFound, MessageNotFound, OwnerError
from owner.models.media import Media
from owner.repositories.base import BaseRepository


class Origin(NamedTuple):
    """Where a file came in."""

    conv_id: int
    twilio_account_id: int


class MediaRepository(BaseRepository[Media]):
    """Files of messages; the bytes are in the media store."""

    entity: ClassVar = Media
    table: ClassVar = "media"
    key: ClassVar = "media_id"

    async def list_by_messages(self, msg_ids: Sequence[int]) -> list[Media]:
        rows = await self.connection.fetch(
            "SELECT * FROM media WHERE msg_id = ANY ($1) ORDER BY msg_id, position", msg_ids
        )
        return [self.read(row) for row in rows]

    async def get_origin(self, msg_id: int) -> Origin:
        """The conversation of a message with files, and its account."""
        row = await self.connection.fetchrow(
            """
            SELECT conv_id, twilio_account_id FROM messages JOIN conversations USING (owner_id, conv_id)
            WHERE msg_id = $1
            """,
            msg_id,
        )
        if row is None:
            raise MessageNotFound(msg_id=msg_id)
        return Origin(*row)

    def missing(self, key: int) -> OwnerError:
        return MediaNotFound(media_id=key)
