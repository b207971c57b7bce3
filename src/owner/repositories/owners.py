"""Tenants, each within its own view."""

from typing import ClassVar

from owner.models.errors import AlreadyExists, OwnerError, OwnerNotFound
from owner.models.owner import Owner
from owner.repositories.base import BaseRepository


class OwnerRepository(BaseRepository[Owner]):
    """The one row that a tenant sees of itself."""

    entity: ClassVar = Owner
    table: ClassVar = "owners"
    key: ClassVar = "owner_id"
    is_remembered: ClassVar = True

    async def next_id(self) -> int:
        """The id of the next tenant: its own row needs it as the setting before it can be inserted."""
        owner_id: int = await self.connection.fetchval("SELECT nextval('owners_owner_id_seq')")
        return owner_id

    async def find_by_email(self, email: str) -> Owner | None:
        return await self.find_where(email=email.strip().lower())

    def missing(self, key: int) -> OwnerError:
        return OwnerNotFound(f"There is no owner {key}.")

    def taken(self, _constraint: str) -> OwnerError:
        return AlreadyExists("An owner with this e-mail exists already.", field="email")
