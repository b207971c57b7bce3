"""Keys of programs, by their hashes."""

from datetime import timedelta
from typing import ClassVar, Final

from owner.models.api_key import ApiKey
from owner.repositories.base import BaseRepository

_USE_IS_NOTED_EVERY: Final = timedelta(minutes=1)  # a busy key would otherwise cost a write per request


class ApiKeyRepository(BaseRepository[ApiKey]):
    """Keys of programs, by their hashes."""

    entity: ClassVar = ApiKey
    table: ClassVar = "api_keys"
    key: ClassVar = "api_key_id"

    async def note_use(self, api_key_id: int) -> None:
        await self.connection.execute(
            "UPDATE api_keys SET last_used_at = now()"
            " WHERE api_key_id = $1 AND (last_used_at IS NULL OR last_used_at < now() - $2::interval)",
            api_key_id,
            _USE_IS_NOTED_EVERY,
        )
