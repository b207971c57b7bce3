"""Tells other processes whose events are new and that settings changed, and hears it: one connection, never a request's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeAlias

import asyncpg

from owner.db.pulse import Pulse
from owner.logs import get_logger
from owner.waiting import is_set_within

log = get_logger(__name__)

CHANNEL: Final = "owner_events"
NOTIFY: Final = "SELECT pg_notify($1, $2)"
CHANGES: Final = "owner_changes"
PAUSE: Final = 0.05  # between two notifications: each takes a lock that every other commit with one waits for
LONGEST_PAYLOAD: Final = 7_900  # bytes; Postgres takes less than 8,000
LONGEST_ID: Final = 19  # digits
STILL_THERE: Final = 30.0  # a connection that is silent for so long is asked whether it works
LONGEST_REST: Final = 30.0
_PATIENCE: Final = 10.0
_UNREACHABLE: Final = (
    TimeoutError,
    OSError,
    ValueError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection was lost in the middle of something
)

Hear: TypeAlias = Callable[[Collection[int]], None]
Forget: TypeAlias = Callable[[], None]
Relay: TypeAlias = Callable[[str], None]


class Notices:
    """Who listens in this process hears at once; the others hear it by NOTIFY while there is a connection.

    A notice of events says no more than that it is worth looking: one that is lost costs the time until the next
    poll. A notice of a change is part of the transaction that changes something, so none is lost while
    `hears_changes`; whoever remembers something forgets it then, and whenever that begins anew.
    """

    def __init__(self, pulse: Pulse | None = None) -> None:
        self._pulse = pulse
        if pulse is not None:
            pulse.when_away(self._drop)
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._turn = asyncio.Lock()  # a connection does one thing at a time, and refuses a second
        self._relays: dict[str, Relay] = {}
        self._hearers: set[Hear] = set()
        self._forgetters: list[Forget] = []
        self.hears_changes = False
        self._unsent: set[int] = set()
        self._unsaid: set[tuple[str, str]] = set()
        self._has_work = asyncio.Event()
        self._is_open = False
        self.is_connected = False

    @contextmanager
    def heard_by(self, hear: Hear) -> Iterator[None]:
        """Call `hear` with owners' ids; it must neither wait nor fail."""
        self._hearers.add(hear)
        try:
            yield
        finally:
            self._hearers.discard(hear)

    def announce(self, owner_ids: Collection[int]) -> None:
        """Say whose events have been committed; never waits and never fails."""
        self._tell(owner_ids)
        if self._is_open:
            self._unsent.update(owner_ids)
            self._has_work.set()

    def forget_with(self, forget: Forget) -> None:
        """Call `forget` when an owner or an account has changed, or may have; it must neither wait nor fail."""
        self._forgetters.append(forget)

    def forget(self) -> None:
        """Say in this process that something has changed."""
        for forget in self._forgetters:
            forget()

    async def relay(self, channel: str, relay: Relay) -> None:
        """Hand on what is said on another channel, in place of whom it was handed to before."""
        is_new = channel not in self._relays
        self._relays[channel] = relay
        async with self._turn:
            if is_new and self._connection is not None:
                with contextlib.suppress(*_UNREACHABLE):  # the next connection listens to it
                    await self._connection.add_listener(channel, self._hand_on)

    def say(self, channel: str, words: str) -> None:
        """Say something to who relays a channel in whatever process; never waits, and is lost while nobody can hear."""
        if self._is_open:
            self._unsaid.add((channel, words))
            self._has_work.set()

    @asynccontextmanager
    async def connected(self, url: str) -> AsyncIterator[None]:
        """Exchange notices with other processes; begins and goes on in the background, whatever the database does."""
        self._is_open = True
        task = asyncio.create_task(self._keep_connected(url))
        try:
            yield
        finally:
            self._is_open = self.hears_changes = False
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _keep_connected(self, url: str) -> None:
        rest = 1.0
        while True:
            try:
                await self._exchange(url)
            except _UNREACHABLE as problem:
                if self._pulse is None or not self._pulse.is_away:
                    log.warning("notices_lost", problem=type(problem).__name__)
            rest = 1.0 if self.is_connected else min(rest * 2, LONGEST_REST)
            self.is_connected = self.hears_changes = False
            if self._pulse is not None and self._pulse.is_away:
                await self._pulse.until_back()
            else:
                await asyncio.sleep(rest)

    async def _exchange(self, url: str) -> None:
        """Send and hear until the connection is lost."""
        connection = await _connect(url)
        try:
            connection.add_termination_listener(lambda _connection: self._has_work.set())
            async with self._turn:
                await self._listen(connection)
            while True:
                await self._send_unsent(connection)
        finally:
            self._connection = None
            connection.terminate()

    async def _listen(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        own_pid = connection.get_server_pid()
        await connection.add_listener(
            CHANNEL, lambda _connection, pid, _channel, payload: self._hear(pid == own_pid, payload)
        )
        await connection.add_listener(CHANGES, lambda _connection, pid, *_: self._hear_change(pid == own_pid))
        for channel in tuple(self._relays):
            await connection.add_listener(channel, self._hand_on)
        self._connection = connection
        self.is_connected = True
        # Answered by itself, if they get through.
        await connection.execute(f"SELECT pg_notify('{CHANGES}', '')")

    def _drop(self) -> None:
        """A connection to a database that is away hears nothing, and does not know it."""
        if self._connection is not None:
            self._connection.terminate()

    def _hand_on(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        self._relays[channel](str(payload))

    async def _send_unsent(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        if not await is_set_within(self._has_work, STILL_THERE):
            async with self._turn:
                await connection.execute("SELECT")
        self._has_work.clear()
        if connection.is_closed():
            raise ConnectionResetError
        owner_ids, self._unsent = self._unsent, set()
        said, self._unsaid = self._unsaid, set()
        async with self._turn:
            for payload in payloads(owner_ids):
                await connection.execute(f"SELECT pg_notify('{CHANNEL}', '{payload}')")
            if said:
                channels, words = zip(*said, strict=True)
                await connection.execute(
                    "SELECT pg_notify(channel, words) FROM unnest($1::text[], $2::text[]) AS said (channel, words)",
                    channels,
                    words,
                )
        await asyncio.sleep(PAUSE)

    def _hear(self, is_own: bool, payload: object) -> None:  # noqa: FBT001 - called by the line above only
        if not is_own:
            words = str(payload).split(",")
            self._tell({int(word) for word in words if word.isdecimal() and len(word) <= LONGEST_ID})

    def _hear_change(self, is_own: bool) -> None:  # noqa: FBT001 - as above
        """One's own is the first: what changed before it was told to nobody."""
        self.hears_changes = self.hears_changes or is_own
        self.forget()

    def _tell(self, owner_ids: Collection[int]) -> None:
        for hear in tuple(self._hearers):
            hear(owner_ids)


def payloads(owner_ids: Collection[int]) -> Iterator[str]:
    """The ids, joined by commas, in as few payloads as they fit into."""
    words: list[str] = []
    size = 0
    for owner_id in sorted(owner_ids):
        word = str(owner_id)
        if words and size + len(word) + 1 > LONGEST_PAYLOAD:
            yield ",".join(words)
            words, size = [], 0
        words.append(word)
        size += len(word) + 1
    if words:
        yield ",".join(words)


async def hears_itself(url: str) -> bool:
    """Whether notices get through: not so without a database, nor, as a rule, through a transaction pooler."""
    heard = asyncio.Event()
    try:
        connection = await _connect(url)
        try:
            await connection.add_listener(f"{CHANNEL}_test", lambda *_: heard.set())
            await connection.execute(f"SELECT pg_notify('{CHANNEL}_test', '')")
            return await is_set_within(heard, 2.0)
        finally:
            connection.terminate()
    except _UNREACHABLE:
        return False


async def _connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(
        url,
        timeout=_PATIENCE,
        command_timeout=_PATIENCE,
        statement_cache_size=0,
        server_settings={"application_name": "owner notices"},
    )
