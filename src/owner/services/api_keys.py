"""Makes, replaces and revokes the keys of programs."""

from datetime import datetime, timedelta

from owner.db.database import Connection, Database
from owner.models.api_key import (
    ApiKey,
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyResponse,
    ApiKeyRotate,
    hash_key,
    new_key,
    shown_prefix,
)
from owner.models.entity import Page
from owner.models.enums import ActorKind
from owner.models.event import NewEvent
from owner.models.permissions import permissions_of_scopes
from owner.models.principal import Principal
from owner.repositories.api_keys import ApiKeyRepository
from owner.repositories.events import EventRepository
from owner.services.ports import Clock


class ApiKeyService:
    """Keys of an owner's programs. None is given more, or lives longer, than who makes it."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def list_page(self, owner_id: int, *, limit: int, cursor: str | None = None) -> Page[ApiKey]:
        """Keys, newest first, those that have ended too."""
        async with self.database.owner(owner_id) as connection:
            return await ApiKeyRepository(connection).list_page(limit=limit, cursor=cursor)

    async def create(self, caller: Principal, create: ApiKeyCreate) -> ApiKeyCreated:
        """A key, which is shown this once.

        Raises:
            PermissionMissing: a scope is more than the caller has.
        """
        caller.require_all(permissions_of_scopes(create.scopes))
        days = create.expires_in_days
        expires_at = None if days is None else self.clock.now() + timedelta(days=days)
        async with self.database.owner(caller.owner_id) as connection:
            maker_ends_at = await _end_of_maker(connection, caller)
            expires_at = _earlier(expires_at, maker_ends_at)
            made = await self._make(connection, caller, create.name, create.scopes, expires_at)
            event = NewEvent("api_key.created", caller.actor, data={"api_key_id": made.api_key_id})
            await EventRepository(connection).add_all(caller.owner_id, [event])
        return made

    async def rotate(self, caller: Principal, api_key_id: int, rotate: ApiKeyRotate) -> ApiKeyCreated:
        """A key that may the same and lives as long; the former one ends after the overlap.

        Raises:
            PermissionMissing: the key may more than the caller.
            ApiKeyEnded: it is revoked or expired.
        """
        async with self.database.owner(caller.owner_id) as connection:
            keys = ApiKeyRepository(connection)
            former = await keys.get(api_key_id, for_update=True)
            caller.require_all(former.permissions)
            maker_ends_at = await _end_of_maker(connection, caller)  # it may be this very key
            overlap = timedelta(minutes=rotate.overlap_minutes)
            lives_until = former.hand_over(overlap=overlap, at=self.clock.now())
            expires_at = _earlier(lives_until, maker_ends_at)
            await keys.save(former)
            made = await self._make(connection, caller, former.name, former.scopes, expires_at)
            facts = {
                "api_key_id": made.api_key_id,
                "former_api_key_id": api_key_id,
                "valid_until": former.expires_at,
            }
            event = NewEvent("api_key.rotated", caller.actor, data=facts)
            await EventRepository(connection).add_all(caller.owner_id, [event])
        return made

    async def revoke(self, caller: Principal, api_key_id: int) -> None:
        """End a key at once; a second time changes nothing."""
        async with self.database.owner(caller.owner_id) as connection:
            keys = ApiKeyRepository(connection)
            api_key = await keys.get(api_key_id, for_update=True)
            if not api_key.revoke(at=self.clock.now()):
                return
            await keys.save(api_key)
            event = NewEvent("api_key.revoked", caller.actor, data={"api_key_id": api_key_id})
            await EventRepository(connection).add_all(caller.owner_id, [event])

    async def _make(
        self,
        connection: Connection,
        caller: Principal,
        name: str,
        scopes: list[str],
        expires_at: datetime | None,
    ) -> ApiKeyCreated:
        key = new_key()
        stored = await ApiKeyRepository(connection).add(
            {
                "owner_id": caller.owner_id,
                "name": name,
                "prefix": shown_prefix(key),
                "key_hash": hash_key(key),
                "scopes": scopes,
                "expires_at": expires_at,
                "created_at": self.clock.now(),
            }
        )
        shown = ApiKeyResponse.model_validate(stored)
        return ApiKeyCreated(**shown.model_dump(), api_key=key)


async def _end_of_maker(connection: Connection, caller: Principal) -> datetime | None:
    """When the key that makes another one ends: that one would live on else, and so would what was stolen."""
    if caller.actor.kind is not ActorKind.API_KEY or caller.actor.id is None:
        return None
    return (await ApiKeyRepository(connection).get(caller.actor.id)).expires_at


def _earlier(*moments: datetime | None) -> datetime | None:
    """None is never."""
    return min((moment for moment in moments if moment is not None), default=None)
