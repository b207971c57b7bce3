"""Sets up tenants: a company, its first person, its first key."""

from dataclasses import dataclass, field
from datetime import datetime

from owner.db.database import Database
from owner.models.api_key import hash_key, new_key, shown_prefix
from owner.models.entity import Page
from owner.models.enums import UserRole
from owner.models.event import SYSTEM, Actor, NewEvent
from owner.models.owner import Owner, OwnerCreate
from owner.models.permissions import ALL_SCOPES
from owner.repositories.api_keys import ApiKeyRepository
from owner.repositories.events import EventRepository
from owner.repositories.owners import OwnerRepository
from owner.repositories.platform import PlatformRepository
from owner.repositories.users import UserRepository
from owner.services.passwords import hash_password, refuse_guessable
from owner.services.ports import Clock


@dataclass(frozen=True, slots=True)
class NewTenant:
    """A tenant as it was made; the key is shown this once."""

    owner_id: int
    user_id: int
    api_key: str = field(repr=False)


class TenantService:
    """Sets up tenants."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def create(self, create: OwnerCreate, *, by: Actor = SYSTEM) -> NewTenant:
        """A company with an ADMIN and a key that has every scope.

        Raises:
            AlreadyExists: a company with this e-mail exists.
            PasswordGuessable: somebody would guess it.
        """
        await refuse_guessable(create.password, about=(create.name, create.email))
        password_hash = await hash_password(create.password)
        async with self.database.system() as connection:
            owner_id = await OwnerRepository(connection).next_id()
        key = new_key()
        async with self.database.owner(owner_id) as connection:
            await OwnerRepository(connection).add(
                {"owner_id": owner_id, "name": create.name, "email": create.email}
            )
            user = await UserRepository(connection).add(
                {
                    "owner_id": owner_id,
                    "email": create.email,
                    "name": create.email.partition("@")[0],
                    "role": UserRole.ADMIN,
                    "password_hash": password_hash,
                }
            )
            await ApiKeyRepository(connection).add(
                {
                    "owner_id": owner_id,
                    "name": "first key",
                    "prefix": shown_prefix(key),
                    "key_hash": hash_key(key),
                    "scopes": [ALL_SCOPES],
                }
            )
            await EventRepository(connection).add_all(owner_id, [NewEvent("owner.created", by)])
        return NewTenant(owner_id, user.user_id, key)

    async def get(self, owner_id: int) -> Owner:
        async with self.database.owner(owner_id) as connection:
            return await OwnerRepository(connection).get(owner_id)

    async def list_page(self, *, limit: int, cursor: str | None = None) -> Page[Owner]:
        """All owners, newest first."""
        async with self.database.system() as connection:
            return await PlatformRepository(connection).list_owners(limit=limit, cursor=cursor)

    async def suspend(self, owner_id: int, *, by: Actor) -> Owner:
        """Shut an owner's people and programs out at once; what customers write is still taken in."""
        return await self._switch(owner_id, suspended_at=self.clock.now(), by=by)

    async def resume(self, owner_id: int, *, by: Actor) -> Owner:
        """Let an owner's people and programs in again: their keys and sessions work as before."""
        return await self._switch(owner_id, suspended_at=None, by=by)

    async def _switch(self, owner_id: int, *, suspended_at: datetime | None, by: Actor) -> Owner:
        async with self.database.owner(owner_id) as connection:
            owner = await OwnerRepository(connection).get(owner_id, for_update=True)
            if (owner.suspended_at is None) == (suspended_at is None):
                return owner
            owner.suspended_at = suspended_at
            owner.updated_at = self.clock.now()
            await OwnerRepository(connection).save(owner)
            event_type = "owner.resumed" if suspended_at is None else "owner.suspended"
            await EventRepository(connection).add_all(owner_id, [NewEvent(event_type, by)])
        return owner
