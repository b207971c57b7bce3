"""Keys of programs, by their hashes."""

from datetime import datetime, timedelta
from typing import ClassVar, Final

from owner.models.access_errors import ApiKeyNotFound
from owner.models.api_key import ApiKey
from owner.models.errors import OwnerError
from owner.repositories.base import BaseRepository

_USE_IS_NOTED_EVERY: Final = timedelta(minutes=1)  # a busy key would otherwise cost a write per request


class ApiKeyRepository(BaseRepository[ApiKey]):
    """Keys of programs, by their hashes."""

    entity: ClassVar = ApiKey
    table: ClassVar = "api_keys"
    key: ClassVar = "api_key_id"

    async def find_by_hash(self, key_hash: bytes) -> ApiKey | None:
        """A key of an owner who is not suspended; it may have ended."""
        row = await self.connection.fetchrow(
            """
            SELECT key.* FROM api_keys AS key JOIN owners AS owner USING (owner_id)
            WHERE key.key_hash = $1 AND owner.suspended_at IS NULL
            """,
            key_hash,
        )
        return self.read(row) if row else None

    async def note_use(self, api_key: ApiKey, *, at: datetime) -> None:
        if api_key.last_used_at is not None and at - api_key.last_used_at < _USE_IS_NOTED_EVERY:
            return
        await self.connection.execute(
            "UPDATE api_keys SET last_used_at = $2 WHERE api_key_id = $1", api_key.api_key_id, at
        )

    def missing(self, key: int) -> OwnerError:
        return ApiKeyNotFound(f"There is no API key {key}.")
