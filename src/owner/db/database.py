"""The pool, and the unit of work: one transaction that sees one owner."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

import asyncpg

from owner.db.connections import Connection, Connections, is_gone
from owner.db.notices import CHANGES, Notices
from owner.db.revisions import Schema, head_revision
from owner.models.errors import DatabaseUnavailable, SchemaOutdated, UnsafeDatabaseRole

__all__ = (
    "PLATFORM_ID",
    "Connection",
    "Database",
    "TokenKind",
    "TransactionAborted",
    "note_change",
    "note_events",
    "see",
    "seeing",
)

PLATFORM_ID: Final = 0  # in the place of an owner's id, for who operates the product; no owner has it
_request: "ContextVar[tuple[int, Connection] | None]" = ContextVar("request", default=None)
_noted: "ContextVar[_Noted | None]" = ContextVar("noted", default=None)

_ROLE_CHECK: Final = """
SELECT rolsuper, rolbypassrls, current_user AS role,
       EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
               AND pg_has_role(current_user, relowner, 'MEMBER')) AS owns_tables,
       EXISTS (SELECT FROM pg_roles AS wide WHERE wide.rolname IN ('owner_directory', 'owner_platform', 'owner_search')
               AND pg_has_role(current_user, wide.oid, 'MEMBER')) AS sees_across
FROM pg_roles WHERE rolname = current_user
"""


# The comment ends with the revision; `owner.db.migrate` writes it.
_SCHEMA: Final = r"""
SELECT version_num, substring(obj_description('public.alembic_version'::regclass) FROM '\w+$')
FROM public.alembic_version
"""


class TransactionAborted(Exception):
    """A statement failed and its error was swallowed, so Postgres rolled back instead of committing."""


@dataclass(slots=True)
class _Noted:
    """What is to be announced once a transaction has committed."""

    owner_ids: set[int] = field(default_factory=set)  # who have new events
    has_change: bool = False


class TokenKind(StrEnum):
    """What somebody may show to be let in, by the function that tells whose it is."""

    API_KEY = "directory_api_key"
    SESSION = "directory_session"
    ONE_TIME_LINK = "directory_one_time_link"


class Database:
    """Connections of the application's role; every use is a transaction."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.notices = Notices(connections.pulse)

    @classmethod
    async def connect(cls, url: str, *, pool_size: int = 10, may_be_away: bool = False) -> "Database":
        """Open the pool; a database that `may_be_away` is waited for in the background.

        Raises:
            DatabaseUnavailable: nobody answers at the URL, or it doesn't let us in.
        """
        try:
            connections = Connections(url, size=pool_size)
            await connections.open(may_be_away=may_be_away)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as problem:
            raise DatabaseUnavailable(
                f"The database can't be reached ({problem}). Is it running, and is OWNER_DATABASE_URL right?"
            ) from problem
        return cls(connections)

    @property
    def pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        return self.connections.pool

    @property
    def is_away(self) -> bool:
        return self.connections.pulse.is_away

    async def until_back(self, *, or_until: asyncio.Event) -> None:
        """Wait until the database can be reached, or until the event is set; not at all where it can be."""
        if not self.is_away:
            return
        ends = [asyncio.create_task(one) for one in (self.connections.pulse.until_back(), or_until.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()

    async def close(self) -> None:
        await self.connections.aclose()

    @asynccontextmanager
    async def owner(self, owner_id: int, *, lock: int | None = None) -> AsyncIterator[Connection]:
        """One transaction as one tenant: commits on a clean exit, rolls back otherwise.

        `lock` is a key that is held until the end, so that what happens to one customer happens in turn.
        Setting, lock and BEGIN travel in one round trip, which is why they are no parameters. Within a `request`
        of the same tenant, or of the platform, it becomes part of that transaction.
        """
        if (connection := _joined(owner_id)) is not None:
            async with _savepoint(connection), _seeing(connection, owner_id):
                if lock is not None:
                    await connection.execute(f"SELECT pg_advisory_xact_lock({int(lock)})")
                yield connection
            return
        async with self._transaction(_begin(owner_id, lock)) as connection:
            yield connection

    @asynccontextmanager
    async def owner_of(self, token: TokenKind, token_hash: bytes) -> AsyncIterator[Connection]:
        """One transaction as the tenant to whom a token belongs; it sees nothing where that is nobody.

        The look-up travels with BEGIN, because it comes before every request.
        """
        find = (
            f"SELECT set_config('app.owner_id', owner_id::text, true) FROM {token}('\\x{token_hash.hex()}')"  # nosec B608 # hexadecimal digits
        )
        async with self._transaction(f"BEGIN; {find};") as connection:
            yield connection

    @asynccontextmanager
    async def request(self, owner_id: int, *, lock: int | None = None) -> AsyncIterator[Connection]:
        """One transaction for all that a request does: each `owner` and `system` inside becomes part of it.

        `PLATFORM_ID` is for a caller who has no owner; what it does to tenants becomes part of it too.
        """
        async with self._transaction(_begin(owner_id, lock)) as connection:
            token = _request.set((owner_id, connection))
            try:
                yield connection
            finally:
                _request.reset(token)

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Connection]:
        """One transaction without a tenant: sees no tenant's rows, may call the directory's functions."""
        if (request := _request.get()) is not None:
            async with _savepoint(request[1]):
                yield request[1]
            return
        async with self._transaction("BEGIN;") as connection:
            yield connection

    @property
    def is_in_request(self) -> bool:
        """Whether what happens now becomes part of a request's transaction."""
        return _request.get() is not None

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[Connection]:
        outer, noted = _noted.get(), _Noted()
        _noted.set(noted)
        try:
            async with self.connections.using(begin) as connection:
                yield connection
                await _commit(connection)
                if noted.owner_ids:
                    self.notices.announce(noted.owner_ids)
                if noted.has_change:
                    self.notices.forget()
        finally:
            _noted.set(outer)

    async def moment(self) -> datetime:
        """The time by the database's clock."""
        async with self.system() as connection:
            moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return moment

    async def refuse_unsafe_role(self) -> None:
        """Raise `UnsafeDatabaseRole` if row level security would not bind this role."""
        async with self.system() as connection:
            row = await connection.fetchrow(_ROLE_CHECK)
        assert row is not None
        reasons = {
            "rolsuper": "is a superuser",
            "rolbypassrls": "has BYPASSRLS",
            "owns_tables": "owns the tables, or is a member of their owner",
            "sees_across": "is a member of owner_directory, owner_platform or owner_search",
        }
        for column, reason in reasons.items():
            if row[column]:
                raise UnsafeDatabaseRole(
                    f"The database role {row['role']} {reason}, so one owner could see another's rows. "
                    "Put a plain LOGIN role into OWNER_DATABASE_URL and run `owner migrate`, which grants it owner_app."
                )

    async def refuse_other_schema(self) -> None:
        """Raise `SchemaOutdated` unless the schema is one that this program works with."""
        schema = await self.schema()
        if schema.is_fit:
            return
        remedy = "install the version that fits it" if schema.is_newer else "run `owner migrate`"
        raise SchemaOutdated(
            f"The database is at revision {schema.revision or 'none'}, this program needs {head_revision()}: {remedy}."
        )

    async def schema(self) -> Schema:
        """Which revision is in place, and whom it serves."""
        async with self.system() as connection:
            if await connection.fetchval("SELECT to_regclass('public.alembic_version')") is None:
                return Schema(None)
            try:
                row = await connection.fetchrow(_SCHEMA)
            except asyncpg.InsufficientPrivilegeError as problem:
                raise SchemaOutdated(
                    "The database role may not read the schema: run `owner migrate`, which grants it owner_app."
                ) from problem
        return Schema(*row) if row else Schema(None)


def note_events(owner_id: int) -> None:
    """Have it announced, once the transaction that goes on has committed, that this owner has new events.

    Never by NOTIFY inside of it: that takes a lock at the commit which all such transactions wait for.
    """
    noted = _noted.get()
    if noted is not None:
        noted.owner_ids.add(owner_id)


async def note_change(connection: Connection) -> None:
    """Have every process forget what it remembers of owners and accounts, once the transaction that goes on has committed.

    Part of the transaction, so that none is lost; such changes are rare enough for the lock that this takes.
    """
    await connection.execute(f"SELECT pg_notify('{CHANGES}', '')")
    noted = _noted.get()
    if noted is not None:
        noted.has_change = True


async def see(connection: Connection, owner_id: int) -> None:
    """See one tenant, and nobody else, until the transaction ends or sees another."""
    await connection.execute(f"SET LOCAL app.owner_id = '{int(owner_id)}'")


@asynccontextmanager
async def seeing(connection: Connection, owner_id: int) -> AsyncIterator[None]:
    """See one tenant within a transaction that saw nobody or another, and afterwards what was seen before.

    A block that fails leaves the rest of the transaction to be rolled back, which restores that too.
    """
    former = await connection.fetchval("SELECT COALESCE(current_setting('app.owner_id', true), '')")
    await see(connection, owner_id)
    yield
    await connection.execute(f"SET LOCAL app.owner_id = '{int(former) if former else ''}'")


def _begin(owner_id: int, lock: int | None) -> str:
    begin = f"BEGIN; SET LOCAL app.owner_id = '{int(owner_id)}';"
    return begin if lock is None else f"{begin} SELECT pg_advisory_xact_lock({int(lock)});"


def _joined(owner_id: int) -> "Connection | None":
    """The connection of the request that is going on, if it is this tenant's or the platform's."""
    request = _request.get()
    return request[1] if request is not None and request[0] in {owner_id, PLATFORM_ID} else None


@asynccontextmanager
async def _seeing(connection: Connection, owner_id: int) -> AsyncIterator[None]:
    """See a tenant within a platform's request, and what was seen before afterwards; a failed savepoint restores that too."""
    request = _request.get()
    if request is None or request[0] == owner_id:
        yield
        return
    async with seeing(connection, owner_id):
        yield


@asynccontextmanager
async def _savepoint(connection: Connection) -> AsyncIterator[None]:
    """Undo what the block did when it fails, and leave the rest of the request as it was."""
    await connection.execute("SAVEPOINT step")
    try:
        yield
    except BaseException:
        if not is_gone(connection):
            await asyncio.shield(connection.execute("ROLLBACK TO SAVEPOINT step; RELEASE SAVEPOINT step"))
        raise
    await connection.execute("RELEASE SAVEPOINT step")


async def _commit(connection: Connection) -> None:
    if await connection.execute("COMMIT") != "COMMIT":
        raise TransactionAborted
