"""Tells who calls, for which owner, by the key or token that came along."""

from owner.db.database import PLATFORM_ID, Database, TokenKind
from owner.models.api_key import API_KEY_PREFIX
from owner.models.enums import ActorKind
from owner.models.errors import Unauthenticated
from owner.models.event import Actor
from owner.models.permissions import PLATFORM, permissions_of_role
from owner.models.platform_key import PLATFORM_KEY_PREFIX
from owner.models.principal import Principal
from owner.models.secret_token import hash_token
from owner.models.session import SESSION_PREFIX
from owner.repositories.api_keys import ApiKeyRepository
from owner.repositories.platform import PlatformRepository
from owner.repositories.sessions import SessionRepository
from owner.services.ports import Clock


class AccessService:
    """The door of the REST API. It is passed at every request, so it takes three round trips."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def authenticate(self, token: str) -> Principal:
        """The caller that a key or a session belongs to, told apart by how it begins.

        Raises:
            Unauthenticated: it is unknown, expired or revoked, or its owner is suspended.
        """
        known_by = {
            API_KEY_PREFIX: self._api_key,
            SESSION_PREFIX: self._session,
            PLATFORM_KEY_PREFIX: self._platform_key,
        }
        find = known_by.get(token[: len(API_KEY_PREFIX)])
        caller = await find(hash_token(token)) if find else None
        if caller is None:
            raise Unauthenticated
        return caller

    async def _api_key(self, key_hash: bytes) -> Principal | None:
        now = self.clock.now()
        async with self.database.owner_of(TokenKind.API_KEY, key_hash) as connection:
            keys = ApiKeyRepository(connection)
            api_key = await keys.find_by_hash(key_hash)
            if api_key is None or api_key.has_ended(now=now):
                return None
            await keys.note_use(api_key, at=now)
        actor = Actor(ActorKind.API_KEY, api_key.api_key_id)
        return Principal(api_key.owner_id, actor, api_key.permissions)

    async def _session(self, token_hash: bytes) -> Principal | None:
        now = self.clock.now()
        async with self.database.owner_of(TokenKind.SESSION, token_hash) as connection:
            sessions = SessionRepository(connection)
            found = await sessions.find_signed_in(token_hash)
            if found is None or found.session.is_over(now=now):
                return None
            if found.session.is_to_be_noted(now=now):
                await sessions.note_use(found.session.session_id, at=now)
        session, role = found
        return Principal(
            session.owner_id,
            Actor(ActorKind.USER, session.user_id),
            permissions_of_role(role),
            role,
            session.session_id,
        )

    async def _platform_key(self, key_hash: bytes) -> Principal | None:
        async with self.database.system() as connection:
            key_id = await PlatformRepository(connection).use_key(key_hash, at=self.clock.now())
        return None if key_id is None else Principal(PLATFORM_ID, Actor(ActorKind.PLATFORM, key_id), PLATFORM)
