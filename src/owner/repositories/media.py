"""Files of messages."""

from collections.abc import Sequence
from typing import ClassVar

from owner.models.errors import MediaNotFound, OwnerError
from owner.models.media import Media
from owner.repositories.base import BaseRepository


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

    def missing(self, key: int) -> OwnerError:
        return MediaNotFound(media_id=key)
