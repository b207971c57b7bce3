"""Links by which one company's people set a password."""

from typing import ClassVar

from owner.models.access_errors import LinkNotFound
from owner.models.errors import OwnerError
from owner.models.one_time_link import LinkPurpose, OneTimeLink
from owner.repositories.base import BaseRepository


class OneTimeLinkRepository(BaseRepository[OneTimeLink]):
    """Links that were not used yet."""

    entity: ClassVar = OneTimeLink
    table: ClassVar = "one_time_links"
    key: ClassVar = "link_id"

    async def take(self, token_hash: bytes) -> OneTimeLink | None:
        """Use a link up: of two that come at once, one gets it."""
        row = await self.connection.fetchrow(
            "DELETE FROM one_time_links WHERE token_hash = $1 RETURNING *", token_hash
        )
        return self.read(row) if row else None

    async def delete_of_user(self, user_id: int, *, purpose: LinkPurpose | None = None) -> None:
        """Void a person's links: all of them, or those of one purpose."""
        await self.connection.execute(
            "DELETE FROM one_time_links WHERE user_id = $1 AND ($2::text IS NULL OR purpose = $2)",
            user_id,
            purpose,
        )

    def missing(self, _key: int) -> OwnerError:
        return LinkNotFound()
