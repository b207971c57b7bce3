"""Notices that the database is away, and that it is back, once for all who use it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from typing import Any, Final

from owner.logs import get_logger

log = get_logger(__name__)

SUSPICIOUS_AFTER: Final = (
    0.75  # seconds in which something waits for the database and nothing is heard from it
)
PING_PATIENCE: Final = 1.0  # seconds
RETRY: Final = 0.5  # seconds from one look at a database that is away to the next

Ping = Callable[[], Awaitable[Exception | None]]  # why the database can't be used, if it can't


class Pulse:
    """Asks nothing of a database that answers: only somebody who waits in vain makes it look.

    Where the server's machine is gone, or its processes stand still, a connection says nothing about it. So all
    who wait are let go at once, and until it is back nobody begins to wait.
    """

    def __init__(self, ping: Ping) -> None:
        self._ping = ping
        self._on_away: list[Callable[[], None]] = []
        self._back = asyncio.Event()
        self._back.set()
        self._task: asyncio.Task[None] | None = None
        self._heard_at = 0.0
        self._away_since = 0.0
        self._refused = 0

    @property
    def is_away(self) -> bool:
        return not self._back.is_set()

    def when_away(self, let_go: Callable[[], None]) -> None:
        """Call this the moment it is away; it must neither wait nor fail."""
        self._on_away.append(let_go)

    def heard(self) -> None:
        """Somebody had an answer."""
        self._heard_at = monotonic()

    def refuse(self) -> None:
        """Count who was sent away meanwhile."""
        self._refused += 1

    def watch(self) -> "Watch":
        """Look after somebody who begins to wait, until they say `stop`."""
        return Watch(self)

    def suspect(self) -> None:
        """Find out whether it is away, in the background."""
        if not self.is_away and self._task is None:
            self._start(self._check())

    def note_away(self, problem: Exception) -> None:
        """It is away, without a doubt."""
        if self.is_away:
            return
        self._back.clear()
        self._away_since, self._refused = monotonic(), 0
        log.error("database_away", problem=type(problem).__name__)
        for let_go in self._on_away:
            let_go()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._start(self._look_until_back())

    async def until_back(self) -> None:
        await self._back.wait()

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def waits_in_vain(self) -> None:
        """Called by a watch; whoever else was answered meanwhile proves that it is there."""
        if monotonic() - self._heard_at > SUSPICIOUS_AFTER:
            self.suspect()

    def _start(self, looking: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(looking)
        task.add_done_callback(self._forget)
        self._task = task

    def _forget(self, task: asyncio.Future[None]) -> None:
        if self._task is task:
            self._task = None

    async def _check(self) -> None:
        began_at = monotonic()
        problem = await self._ping()
        if isinstance(problem, TimeoutError):  # one can be late because this machine stood still
            problem = await self._ping()
        if problem is not None and self._heard_at <= began_at:
            self.note_away(problem)

    async def _look_until_back(self) -> None:
        while await self._ping() is not None:  # noqa: ASYNC110 - there is no event: only asking tells
            await asyncio.sleep(RETRY)
        self._back.set()
        log.warning("database_back", seconds=round(monotonic() - self._away_since, 1), refused=self._refused)


class Watch:
    """One who waits: suspicious after a while, and then after ever longer ones."""

    __slots__ = ("_after", "_handle", "_pulse")

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self._after = SUSPICIOUS_AFTER
        self._handle = asyncio.get_running_loop().call_later(self._after, self._look)

    def stop(self) -> None:
        self._handle.cancel()

    def _look(self) -> None:
        self._pulse.waits_in_vain()
        self._after *= 2
        self._handle = asyncio.get_running_loop().call_later(self._after, self._look)
