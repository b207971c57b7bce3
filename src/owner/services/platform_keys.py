"""Makes and revokes the operator's own keys."""

from dataclasses import dataclass, field

from owner.db.database import Database
from owner.models.api_key import shown_prefix
from owner.models.errors import NotFound
from owner.models.platform_key import PlatformKey, new_platform_key
from owner.models.secret_token import hash_token
from owner.repositories.platform import PlatformRepository
from owner.services.ports import Clock


@dataclass(frozen=True, slots=True)
class NewPlatformKey:
    """A key as it was made; it is shown this once."""

    platform_key_id: int
    platform_key: str = field(repr=False)


class PlatformKeyService:
    """Keys for what no owner may do: commands only, because who may run them operates the product."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def create(self, name: str) -> NewPlatformKey:
        key = new_platform_key()
        async with self.database.system() as connection:
            key_id = await PlatformRepository(connection).add_key(
                name, prefix=shown_prefix(key), key_hash=hash_token(key)
            )
        return NewPlatformKey(key_id, key)

    async def list_all(self) -> list[PlatformKey]:
        async with self.database.system() as connection:
            return await PlatformRepository(connection).list_keys()

    async def revoke(self, platform_key_id: int) -> None:
        """End a key at once; a second time changes nothing. Raises `NotFound`."""
        async with self.database.system() as connection:
            platform = PlatformRepository(connection)
            if not await platform.revoke_key(platform_key_id, at=self.clock.now()):
                raise NotFound(f"There is no platform key {platform_key_id}.")
