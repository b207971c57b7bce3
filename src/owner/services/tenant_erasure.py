"""Removes a tenant and everything that is known of it; a second run goes on where one was cut off."""

from collections.abc import Callable
from typing import Final

from owner.db.connections import allow_long_work
from owner.db.database import Database
from owner.logs import get_logger
from owner.models.errors import Conflict
from owner.repositories.jobs import JobRepository
from owner.repositories.owners import OwnerRepository
from owner.repositories.tenant_tables import StillReferredTo, TenantTable, TenantTableRepository
from owner.services.media import media_key
from owner.services.ports import MediaStore

log = get_logger(__name__)

Told = Callable[[int], None]
_ATTEMPTS: Final = 10  # webhooks that are on their way may still add rows


class TenantErasureService:
    """Makes a tenant not be there."""

    def __init__(self, database: Database, *, store: MediaStore) -> None:
        self.database = database
        self.store = store

    async def erase(self, owner_id: int, *, told: Told) -> None:
        """Delete files, rows, jobs and quarantined webhooks, in batches that others don't wait for.

        Raises:
            OwnerNotFound: there is no such owner.
            Conflict: rows kept coming in; run it again.
        """
        async with self.database.owner(owner_id) as connection:
            await OwnerRepository(connection).get(owner_id, for_update=True)
            repository = TenantTableRepository(connection)
            await repository.stop()
            tables = await repository.tables()
        for _ in range(_ATTEMPTS):
            await self._erase_files(owner_id)
            await self._erase_beside(owner_id)
            try:
                for table in _last_first(tables):
                    await self._empty(owner_id, table, told)
            except StillReferredTo:
                continue
            await self._erase_beside(owner_id)
            log.info("tenant_erased", owner_id=owner_id)
            return
        raise Conflict("Messages kept coming in while the tenant was erased: run it again.")

    async def _erase_files(self, owner_id: int) -> None:
        """Before the rows: who is cut off between the two finds them again."""
        after = 0
        while True:
            async with self.database.owner(owner_id) as connection:
                media_ids = await TenantTableRepository(connection).media_ids(after=after)
            for media_id in media_ids:
                await self.store.delete(media_key(owner_id, media_id))
            if not media_ids:
                return
            after = media_ids[-1]

    async def _erase_beside(self, owner_id: int) -> None:
        async with self.database.owner(owner_id) as connection:
            await allow_long_work(connection)
            await JobRepository(connection).erase_of_owner(owner_id)
            await TenantTableRepository(connection).erase_quarantined()

    async def _empty(self, owner_id: int, table: TenantTable, told: Told) -> None:
        async with self.database.owner(owner_id) as connection:
            await allow_long_work(connection)
            await TenantTableRepository(connection).forget_self_references(table)
        deleted = 1
        while deleted:
            async with self.database.owner(owner_id) as connection:
                deleted = await TenantTableRepository(connection).delete_some(table)
            told(deleted)


def _last_first(tables: list[TenantTable]) -> list[TenantTable]:
    """What nothing refers to goes first, and of that what lets new rows in: numbers and keys."""
    doors = {"channel_addresses", "api_keys", "sessions"}
    ordered = tables[::-1]
    return sorted(ordered, key=lambda table: table.name not in doors)
