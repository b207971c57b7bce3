"""Writes one tenant as JSON lines, from one moment, however large it is."""

from base64 import b64encode
from collections.abc import Callable
from typing import Final

from owner.db.connections import allow_long_work
from owner.db.database import Database
from owner.models.entity import DTO
from owner.models.transfer import (
    CHUNK,
    EMPTIED,
    REPLACED,
    REPLACED_BY,
    SECRET_ROWS,
    Inventory,
    MediaChunk,
    Trailer,
    Transferred,
    header,
)
from owner.repositories.jobs import JobRepository
from owner.repositories.owners import OwnerRepository
from owner.repositories.tenant_tables import TenantTable, TenantTableRepository
from owner.services.media import media_key
from owner.services.ports import Clock, MediaStore

Write = Callable[[bytes], object]
Told = Callable[[int], None]
_STEP: Final = 500  # rows between two reports of progress


class TenantExportService:
    """Takes a tenant along."""

    def __init__(self, database: Database, *, clock: Clock, store: MediaStore) -> None:
        self.database = database
        self.clock = clock
        self.store = store

    async def count(self, owner_id: int) -> Inventory:
        """What there is of a tenant; raises `OwnerNotFound`."""
        async with self.database.owner(owner_id) as connection:
            await allow_long_work(connection)
            owner = await OwnerRepository(connection).get(owner_id)
            repository = TenantTableRepository(connection)
            rows = {table.name: await repository.count(table.name) for table in await repository.tables()}
            other = {
                "quarantined webhooks": await repository.count_quarantined(),
                "jobs": await JobRepository(connection).count_of_owner(owner_id),
            }
        return Inventory(owner_id, owner.name, rows, other)

    async def export(
        self, owner_id: int, write: Write, *, media: bool = True, secrets: bool = True, told: Told
    ) -> Transferred:
        """Write header, rows, files and trailer; what happens meanwhile is not in it. Raises `OwnerNotFound`."""
        revision = (await self.database.schema()).revision
        done = Transferred(owner_id)
        async with self.database.owner(owner_id) as connection:
            await allow_long_work(connection)
            repository = TenantTableRepository(connection)
            await repository.read_only_snapshot()
            owner = await OwnerRepository(connection).get(owner_id)
            first = header(
                schema_revision=revision or "",
                owner_id=owner_id,
                name=owner.name,
                at=self.clock.now(),
                has_media=media,
                has_secrets=secrets,
            )
            write(_line(first))
            for table in await repository.tables():
                if secrets or table.name not in SECRET_ROWS:
                    await self._write_rows(repository, table, write, done, secrets=secrets, told=told)
            if media:
                async for media_id in repository.stored_media():
                    await self._write_file(owner_id, media_id, write, done)
        write(_line(Trailer(rows=done.rows, files=done.files)))
        return done

    async def _write_rows(
        self,
        repository: TenantTableRepository,
        table: TenantTable,
        write: Write,
        done: Transferred,
        *,
        secrets: bool,
        told: Told,
    ) -> None:
        done.rows[table.name] = 0
        rows = repository.rows(
            table,
            without=frozenset() if secrets else EMPTIED.get(table.name, frozenset()),
            marked=None if secrets else REPLACED.get(table.name),
            mark=REPLACED_BY,
        )
        async for row in rows:
            write(f'{{"table":"{table.name}","row":{row}}}\n'.encode())
            done.rows[table.name] += 1
            if done.rows[table.name] % _STEP == 0:
                told(_STEP)
        told(done.rows[table.name] % _STEP)

    async def _write_file(self, owner_id: int, media_id: int, write: Write, done: Transferred) -> None:
        content = await self.store.get(media_key(owner_id, media_id))
        if content is None:
            done.missing_files += 1
            return
        for start in range(0, max(len(content), 1), CHUNK):
            part = content[start : start + CHUNK]
            left = len(content) - start - len(part)
            write(_line(MediaChunk(media=media_id, left=left, base64=b64encode(part).decode())))
        done.files += 1


def _line(value: DTO) -> bytes:
    return value.model_dump_json().encode() + b"\n"
