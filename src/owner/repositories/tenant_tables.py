"""All tables of a tenant, as the catalogue knows them: to count, to take along, to bring in, to empty."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from pydantic_core import to_json

from owner.db.database import Connection, note_change
from owner.repositories.named_sql import load_sql

_SQL: Final = load_sql("tenant_tables")
_FETCH: Final = 500  # rows in memory at once
_DELETE: Final = 5000  # rows in one transaction
_PATIENCE: Final = 600.0  # seconds for a statement that reads all rows of an owner
_CURSORS: Final = "event_cursors"
_OWNERS: Final = "owners"
_REMEMBERED: Final = frozenset({_OWNERS, "twilio_accounts", "channel_addresses"})  # by processes


@dataclass(frozen=True, slots=True)
class TenantTable:
    """A table as far as moving its rows is concerned."""

    name: str
    columns: tuple[str, ...]
    transaction_columns: frozenset[str]  # filled with the importing transaction's id
    nullable_columns: frozenset[str]
    identity_columns: frozenset[str]
    key: tuple[str, ...]
    refers_to: frozenset[str]
    self_references: tuple[str, ...]
    unique_across_owners: tuple[str, ...]  # constraints by which one owner's row rules out another's

    @property
    def carried_columns(self) -> list[str]:
        return [column for column in self.columns if column not in self.transaction_columns]


class RowRefused(Exception):
    """Postgres does not take a row; the constraint says why where it was one."""

    def __init__(self, message: str, *, constraint: str | None, is_taken: bool) -> None:
        super().__init__(message)
        self.constraint = constraint
        self.is_taken = is_taken


class StillReferredTo(Exception):
    """A row can't go yet: somebody has just added one that refers to it."""


class TenantTableRepository:
    """Works on the rows that row level security shows, which are one tenant's."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def tables(self) -> list[TenantTable]:
        """Every tenant table, each after those that it refers to."""
        rows = await self.connection.fetch(_SQL["tables"])
        return in_order([_table(row) for row in rows])

    async def read_only_snapshot(self) -> None:
        """Let the whole transaction see one moment; before anything else in it."""
        await self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    async def count(self, table: str) -> int:
        count: int = await self.connection.fetchval(
            f"SELECT count(*) FROM {table}",  # nosec B608 # a name of the catalogue
            timeout=_PATIENCE,
        )
        return count

    async def rows(
        self, table: TenantTable, *, without: frozenset[str], marked: str | None, mark: str
    ) -> AsyncIterator[str]:
        """Each row as a JSON object, by key; a `marked` column that is filled shows the mark instead."""
        columns = ", ".join(
            f"CASE WHEN {column} IS NOT NULL THEN '{mark}' END AS {column}" if column == marked else column
            for column in table.carried_columns
            if column not in without
        )
        query = (
            _SQL["cursors"]
            if table.name == _CURSORS
            else f"SELECT {columns} FROM {table.name} ORDER BY {', '.join(table.key)}"  # nosec B608 # names of the catalogue
        )
        async for row in self._stream(f"SELECT row_to_json(kept)::text FROM ({query}) AS kept"):  # nosec B608 # as above
            yield row

    async def stored_media(self) -> AsyncIterator[int]:
        """Files whose bytes are in the store."""
        async for media_id in self._stream(
            "SELECT media_id::text FROM media WHERE status = 'STORED' ORDER BY media.media_id"
        ):
            yield int(media_id)

    async def media_ids(self, *, after: int) -> list[int]:
        rows = await self.connection.fetch(
            "SELECT media_id FROM media WHERE media_id > $1 ORDER BY media_id LIMIT $2", after, _FETCH
        )
        return [row["media_id"] for row in rows]

    async def insert(
        self,
        table: TenantTable,
        lines: Sequence[str],
        patches: Sequence[Mapping[str, Any]],
        *,
        owner_id: int,
        skips_taken: bool,
    ) -> int:
        """Store the row of each line, changed by its patch, as `owner_id`'s. Returns how many were stored.

        Raises:
            RowRefused: Postgres does not take them; nothing of them is stored.
        """
        statement = _insert(table, skips_taken=skips_taken)
        await self.connection.execute("SAVEPOINT rows")
        try:
            result = await self.connection.execute(
                statement, f"[{','.join(lines)}]", _json(patches), owner_id, timeout=_PATIENCE
            )
        except asyncpg.PostgresConnectionError:
            raise
        except asyncpg.PostgresError as problem:
            await self.connection.execute("ROLLBACK TO SAVEPOINT rows")
            raise RowRefused(
                str(problem).partition("\n")[0],
                constraint=getattr(problem, "constraint_name", None),
                is_taken=isinstance(problem, asyncpg.UniqueViolationError),
            ) from problem
        await self.connection.execute("RELEASE SAVEPOINT rows")
        return int(result.rpartition(" ")[2])

    async def point(self, table: TenantTable, column: str, references: Mapping[int, int]) -> None:
        """Set a reference of rows to rows of the same table, which had to wait until both were there."""
        await self.connection.execute(
            f"UPDATE {table.name} SET {column} = given.reference"  # nosec B608 # names of the catalogue
            f" FROM unnest($1::bigint[], $2::bigint[]) AS given (id, reference) WHERE {table.key[-1]} = given.id",
            [*references],
            [*references.values()],
            timeout=_PATIENCE,
        )

    async def media_sum(self, media_id: int) -> bytes | None:
        sum_: bytes | None = await self.connection.fetchval(
            "SELECT sha256 FROM media WHERE media_id = $1 AND status = 'STORED'", media_id
        )
        return sum_

    async def make_quiet(self) -> None:
        """What has just been brought in as a copy sends nothing and tells nobody."""
        await self.connection.execute(_SQL["cancel_queued"], timeout=_PATIENCE)
        await self.connection.execute(_SQL["disable_endpoints"])

    async def advance_identities(self) -> None:
        """Let new rows have ids beyond those that were brought in."""
        await self.connection.execute("SELECT advance_identities()", timeout=_PATIENCE)

    async def stop(self) -> None:
        await self.connection.execute(_SQL["stop"])
        await note_change(self.connection)

    async def forget_self_references(self, table: TenantTable) -> None:
        for column in table.self_references:
            await self.connection.execute(
                f"UPDATE {table.name} SET {column} = NULL WHERE {column} IS NOT NULL",  # nosec B608 # names of the catalogue
                timeout=_PATIENCE,
            )

    async def delete_some(self, table: TenantTable) -> int:
        """Delete a batch; by the owner's index, however many rows others have.

        Raises:
            StillReferredTo: other rows need them.
        """
        await self.connection.execute("SET LOCAL enable_seqscan = off")
        # In a partitioned table a place names a row in each partition: more of the owner's rows, which go anyway.
        places = f"SELECT ctid FROM {table.name} LIMIT $1"  # nosec B608 # a name of the catalogue
        try:
            result = await self.connection.execute(
                f"DELETE FROM {table.name} WHERE ctid = ANY (ARRAY({places}))",  # nosec B608 # as above
                _DELETE,
                timeout=_PATIENCE,
            )
        except asyncpg.ForeignKeyViolationError as problem:
            raise StillReferredTo from problem
        if table.name in _REMEMBERED:
            await note_change(self.connection)
        return int(result.rpartition(" ")[2])

    async def count_quarantined(self) -> int:
        count: int = await self.connection.fetchval("SELECT quarantine_count_own()")
        return count

    async def erase_quarantined(self) -> int:
        count: int = await self.connection.fetchval("SELECT quarantine_erase_own()")
        return count

    async def _stream(self, query: str) -> AsyncIterator[str]:
        """The only column of each row, a text, a few rows in memory at a time."""
        await self.connection.execute(f"DECLARE streamed NO SCROLL CURSOR FOR {query}")
        while rows := await self.connection.fetch(f"FETCH {_FETCH} FROM streamed", timeout=_PATIENCE):
            for row in rows:
                yield row[0]
        await self.connection.execute("CLOSE streamed")


def in_order(tables: Sequence[TenantTable]) -> list[TenantTable]:
    """The tables, each after those that it refers to; otherwise as they came."""
    ordered: list[TenantTable] = []
    waiting = list(tables)
    while waiting:
        there = {table.name for table in ordered}
        ready = [table for table in waiting if table.refers_to <= there]
        if not ready:
            names = ", ".join(table.name for table in waiting)
            raise ValueError(f"These tables refer to each other in a circle: {names}.")
        ordered += ready
        waiting = [table for table in waiting if table not in ready]
    return ordered


def _table(row: asyncpg.Record) -> TenantTable:
    return TenantTable(
        name=row["name"],
        columns=tuple(row["columns"]),
        transaction_columns=frozenset(row["transaction_columns"]),
        nullable_columns=frozenset(row["nullable_columns"]),
        identity_columns=frozenset(row["identity_columns"]),
        key=tuple(row["key"]),
        # Also where no constraint says so, as for events: what is of an owner comes after the owner.
        refers_to=frozenset(row["refers_to"]) | ({_OWNERS} - {row["name"]}),
        self_references=tuple(row["self_references"]),
        unique_across_owners=tuple(row["unique_across_owners"]),
    )


def _insert(table: TenantTable, *, skips_taken: bool) -> str:
    values = {column: f"kept.{column}" for column in table.columns}
    values |= dict.fromkeys(table.transaction_columns, "pg_current_xact_id()")
    values["owner_id"] = "$3::bigint"
    conflict = (
        f"ON CONFLICT ON CONSTRAINT {table.unique_across_owners[0]} DO NOTHING"
        if skips_taken and table.unique_across_owners
        else ""
    )
    return f"""
        INSERT INTO {table.name} ({", ".join(values)}) OVERRIDING SYSTEM VALUE
        SELECT {", ".join(values.values())}
        FROM ROWS FROM (jsonb_array_elements($1::text::jsonb), jsonb_array_elements($2::text::jsonb)) AS given (line, patch)
        CROSS JOIN LATERAL jsonb_populate_record(NULL::{table.name}, (line->'row') || patch) AS kept
        {conflict}
    """  # nosec B608 # names of the catalogue


def _json(values: Sequence[Mapping[str, Any]]) -> str:
    return to_json(values).decode()
