"""Tells which owner a program acts for."""

from dataclasses import dataclass

from owner.db.database import Database
from owner.models.api_key import hash_key
from owner.models.enums import ActorKind
from owner.models.errors import Unauthenticated
from owner.models.event import Actor
from owner.repositories.api_keys import ApiKeyRepository
from owner.repositories.directory import Directory
from owner.repositories.owners import OwnerRepository
from owner.services.ports import Clock


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, and for which owner."""

    owner_id: int
    actor: Actor


class ApiKeyService:
    """Keys of programs."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def authenticate(self, key: str) -> Principal:
        """The owner that a key belongs to.

        Raises:
            Unauthenticated: the key is unknown, expired or revoked, or its owner is suspended.
        """
        async with self.database.system() as connection:
            found = await Directory(connection).api_key(hash_key(key))
        if found is None:
            raise Unauthenticated
        async with self.database.owner(found.owner_id) as connection:
            keys = ApiKeyRepository(connection)
            api_key = await keys.get(found.id)
            owner = await OwnerRepository(connection).get(found.owner_id)
            is_expired = api_key.expires_at is not None and api_key.expires_at <= self.clock.now()
            if is_expired or api_key.revoked_at is not None or owner.suspended_at is not None:
                raise Unauthenticated
            await keys.note_use(api_key.api_key_id)
        return Principal(found.owner_id, Actor(ActorKind.API_KEY, api_key.api_key_id))
