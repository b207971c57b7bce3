"""Tells who calls, for which owner, by the key or token that came along."""

from owner.db.database import Database
from owner.models.api_key import hash_key
from owner.models.enums import ActorKind
from owner.models.errors import Unauthenticated
from owner.models.event import Actor
from owner.models.permissions import permissions_of_scopes
from owner.models.principal import Principal
from owner.repositories.api_keys import ApiKeyRepository
from owner.repositories.directory import Directory
from owner.repositories.owners import OwnerRepository
from owner.services.ports import Clock


class AccessService:
    """The door of the REST API."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def authenticate(self, token: str) -> Principal:
        """The caller that a key belongs to.

        Raises:
            Unauthenticated: the key is unknown, expired or revoked, or its owner is suspended.
        """
        async with self.database.system() as connection:
            found = await Directory(connection).api_key(hash_key(token))
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
        return Principal(
            found.owner_id,
            Actor(ActorKind.API_KEY, api_key.api_key_id),
            permissions_of_scopes(api_key.scopes),
        )
