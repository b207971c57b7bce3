"""The pool: every wait is bounded, some of it is kept from REST requests, and dead connections are thrown away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Final, TypeAlias

import asyncpg
from pydantic_core import from_json, to_json

from owner.db.failures import meaning_of
from owner.db.pulse import PING_PATIENCE, Pulse
from owner.models.errors import DatabaseUnavailable
from owner.models.outage_errors import DatabaseBusy, DatabaseReadOnly, DatabaseRefused, DatabaseTooSlow

_Taken: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Connection: TypeAlias = (
    "asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]"
)

PATIENCE: Final = 8.0  # seconds for a connection of a server that answers; Twilio gives a webhook 15 in all
RESERVED: Final = 4  # one in so many is kept from REST requests, so that webhooks always get through
LONGEST_STATEMENT: Final = 15  # seconds
LONGEST_LOCK: Final = 8  # seconds; a webhook behind a customer's lock then still has time for another try
LONGEST_SILENCE: Final = 15  # seconds in a transaction; a process that stands still must not hold its locks
_BEGINS_WITHIN: Final = LONGEST_LOCK + 2.0
_CONNECTS_WITHIN: Final = 10.0  # the very first time
_ANSWERS_WITHIN: Final = 120.0  # longer than any statement may take: the connection is lost, and nothing told
_ENDS_WITHIN: Final = 2.0
# asyncpg raises the internal one where the server has said that it ends the connection, and has not ended it yet.
_BROKEN: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError)
_ENDING: Final = (asyncpg.AdminShutdownError, asyncpg.CrashShutdownError)
_LOST: Final = (OSError, asyncpg.PostgresError, *_BROKEN)  # a time-out is an OSError

_is_guest: "ContextVar[bool]" = ContextVar("is_guest", default=False)

# For the session, not in the startup packet: poolers refuse what they don't know there.
_LIMITS: Final = f"""
SET statement_timeout = '{LONGEST_STATEMENT}s';
SET lock_timeout = '{LONGEST_LOCK}s';
SET idle_in_transaction_session_timeout = '{LONGEST_SILENCE}s';
"""


@contextmanager
def as_guest() -> Iterator[None]:
    """Whatever the block does leaves the connections that are reserved to others."""
    token = _is_guest.set(True)
    try:
        yield
    finally:
        _is_guest.reset(token)


async def allow_long_work(connection: Connection) -> None:
    """Until the transaction ends: for commands and nightly work that nobody waits for, with all of a tenant in hand."""
    await connection.execute(
        "SET LOCAL statement_timeout = '110s'; SET LOCAL idle_in_transaction_session_timeout = 0"
    )


class _FoundDead(Exception):
    """The connection was lost before anything was done on it."""


class Connections:
    """A pool of asyncpg, and what it takes to never wait for it for long."""

    def __init__(self, url: str, *, size: int) -> None:
        self.pulse = Pulse(self._ping)
        self.pulse.when_away(self._drop_all)
        self._url = url
        self._open: set[asyncpg.Connection[asyncpg.Record]] = set()
        self._waiting: set[asyncio.Timeout] = set()
        self._guests = asyncio.Semaphore(size - max(1, size // RESERVED))
        self.pool: asyncpg.Pool[asyncpg.Record] = asyncpg.create_pool(
            url,
            min_size=0,  # asyncpg would restore a floor by itself, and log each time that it can't
            max_size=size,
            init=self._prepare,
            reset=_nothing_to_reset,
            timeout=_CONNECTS_WITHIN,
            command_timeout=_ANSWERS_WITHIN,
            server_settings={"application_name": "owner", "timezone": "UTC"},
        )

    async def open(self, *, may_be_away: bool = False) -> None:
        """Make the first connection; raises whatever stands in the way, unless the database may be away now."""
        await self.pool
        try:
            await self.pool.release(await self.pool.acquire(timeout=_CONNECTS_WITHIN))
        except _LOST as problem:
            if not may_be_away or type(meaning_of(problem)) not in {DatabaseUnavailable, DatabaseTooSlow}:
                raise
            self.pulse.note_away(problem)

    async def aclose(self) -> None:
        """Wait for those who still use a connection, but not for long."""
        await self.pulse.aclose()
        try:
            async with asyncio.timeout(_ENDS_WITHIN):
                await self.pool.close()
        except (TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            self.pool.terminate()

    @asynccontextmanager
    async def using(self, begin: str = "") -> AsyncIterator[Connection]:
        """A connection, on which `begin` was executed: without harm again, if it turns out to be dead.

        Raises:
            Unavailable: what became of it, if it was not the block's own mistake.
        """
        is_guest = _is_guest.get()
        if is_guest:
            await self._enter()
        watch = self.pulse.watch()
        try:
            connection = await self._begin(begin)
            try:
                yield connection
            except BaseException as problem:
                await _roll_back(connection)
                await self._explain(problem, is_dead=is_gone(connection))
                raise
            finally:
                await self._give_back(connection)
        finally:
            watch.stop()
            if is_guest:
                self._guests.release()
        self.pulse.heard()

    async def _enter(self) -> None:
        async with self._patience():
            await self._guests.acquire()

    @asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        """Wait for something, but not for long, and no more once the database is away."""
        if self.pulse.is_away:
            self.pulse.refuse()
            raise DatabaseUnavailable
        deadline = asyncio.timeout(PATIENCE)
        self._waiting.add(deadline)
        try:
            async with deadline:
                yield
        except TimeoutError as problem:
            if self.pulse.is_away:
                raise DatabaseUnavailable from problem
            raise DatabaseBusy from problem
        finally:
            self._waiting.discard(deadline)

    async def _begin(self, begin: str) -> _Taken:
        try:
            return await self._begin_once(begin)
        except _FoundDead:
            # As others may be that nobody uses. Nothing of ours was done on it, so begin on a new one.
            await self.pool.expire_connections()
        try:
            return await self._begin_once(begin)
        except _FoundDead as problem:
            raise DatabaseUnavailable from problem

    async def _begin_once(self, begin: str) -> _Taken:
        connection = await self._acquire()
        try:
            if begin:
                await connection.execute(begin, timeout=_BEGINS_WITHIN)
        except BaseException as problem:
            if isinstance(problem, _ENDING):
                connection.terminate()
            await _roll_back(connection)
            is_dead = is_gone(connection)
            await self._give_back(connection)
            if is_dead and isinstance(problem, (asyncpg.PostgresConnectionError, *_ENDING, *_BROKEN)):
                raise _FoundDead from problem
            await self._explain(problem, is_dead=is_dead)
            raise
        return connection

    async def _acquire(self) -> _Taken:
        try:
            async with self._patience():
                return await self.pool.acquire()
        except _LOST as problem:
            # Whatever else a server says to who knocks, it is there.
            meaning = meaning_of(problem) or DatabaseRefused()
            if type(meaning) is DatabaseUnavailable and not self.pool.is_closing():
                self.pulse.note_away(problem)
            raise meaning from problem

    async def _explain(self, problem: BaseException, *, is_dead: bool) -> None:
        """Raise what the problem means, unless it is none of the database's."""
        meaning = meaning_of(problem)
        if meaning is None or (
            isinstance(meaning, DatabaseUnavailable) and not is_dead and _is_ours(problem)
        ):
            return
        if isinstance(meaning, DatabaseReadOnly):
            await (
                self.pool.expire_connections()
            )  # the next one may lead to the server that is the primary now
        elif isinstance(meaning, DatabaseUnavailable):
            self.pulse.suspect()
        raise meaning from problem

    async def _give_back(self, connection: _Taken) -> None:
        with contextlib.suppress(*_LOST):  # asyncpg has thrown it away then
            await self.pool.release(connection, timeout=_ENDS_WITHIN)

    async def _prepare(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._open.add(connection)
        connection.add_termination_listener(self._open.discard)
        await connection.set_type_codec(
            "jsonb",
            schema="pg_catalog",
            format="binary",
            encoder=lambda value: b"\x01" + to_json(value),
            decoder=lambda value: from_json(value[1:]),
        )
        await connection.execute(_LIMITS)

    def _drop_all(self) -> None:
        """Whoever waits for something has an error at once; asyncpg makes new connections when they are wanted."""
        for connection in tuple(self._open):
            connection.terminate()
        for deadline in self._waiting:
            if not deadline.expired():
                deadline.reschedule(asyncio.get_running_loop().time())

    async def _ping(self) -> Exception | None:
        try:
            async with asyncio.timeout(PING_PATIENCE):
                connection = await asyncpg.connect(self._url, statement_cache_size=0)
                try:
                    await connection.execute("SELECT")
                finally:
                    connection.terminate()
        except _LOST as problem:
            is_away = type(meaning_of(problem)) in {DatabaseUnavailable, DatabaseTooSlow}
            return problem if is_away else None
        return None


def _is_ours(problem: BaseException) -> bool:
    """Whether it may be the block's own, such as a file that can't be written."""
    return isinstance(problem, OSError | asyncpg.InterfaceError)


async def _nothing_to_reset(_connection: Connection) -> None:
    """Settings and locks are local to their transaction, so giving a connection back costs no round trip."""


async def _roll_back(connection: Connection) -> None:
    # Also where asyncpg knows of no transaction yet: whoever is cancelled while waiting for a lock is in one.
    if is_gone(connection):
        return
    rolling_back = asyncio.ensure_future(connection.execute("ROLLBACK", timeout=_ENDS_WITHIN))
    rolling_back.add_done_callback(_take_note)
    try:
        await asyncio.shield(rolling_back)
    except asyncio.CancelledError:
        # Answers that are streamed are cancelled again and again until they end; the server rolls back by itself.
        connection.terminate()
        raise
    except _LOST:
        if not is_gone(connection):
            connection.terminate()


def _take_note(done: "asyncio.Future[str]") -> None:
    """Else asyncio logs, as an error, that nobody asked how it ended."""
    if not done.cancelled():
        done.exception()


def is_gone(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool took it back the moment it closed
        return True
