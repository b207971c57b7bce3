"""The time: the database's, carried on by a clock of this machine that nobody can set."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from owner.db.database import Database
from owner.logs import get_logger
from owner.models.errors import Unavailable

log = get_logger(__name__)

EVERY: Final = 10.0  # seconds from one look at the database's clock to the next
JUMP: Final = 5.0  # seconds; two good clocks differ by far less in that time
LATE: Final = 1.0  # seconds; an answer that took longer tells the time too badly


def _uninterrupted() -> float:
    """Seconds that pass, also while the machine sleeps where the system counts those."""
    boot_time: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


class SteadyClock:
    """One time for all processes, whatever their machines' clocks say and whoever sets those.

    Claims, expiry and retries are moments in the database that one process writes and another one compares.
    """

    def __init__(self, *, seconds: Callable[[], float] = _uninterrupted) -> None:
        self._seconds = seconds
        self._begin = datetime.now(UTC)  # until the database has been asked
        self._begin_at = seconds()

    def now(self) -> datetime:
        return self._begin + timedelta(seconds=self._seconds() - self._begin_at)

    async def ask(self, database: Database) -> None:
        """Take over the database's time; half of the way there and back is the best guess of its age."""
        asked_at = self._seconds()
        moment = await database.moment()
        answered_at = self._seconds()
        if answered_at - asked_at > LATE:
            return
        moment += timedelta(seconds=(answered_at - asked_at) / 2)
        jump = (moment - self.now()).total_seconds()
        self._begin, self._begin_at = moment, answered_at
        if abs(jump) > JUMP:
            log.warning("clock_jumped", seconds=round(jump, 1))

    @asynccontextmanager
    async def following(self, database: Database) -> AsyncIterator[None]:
        """Ask again and again, as long as the block goes on."""
        task = asyncio.create_task(self._follow(database))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow(self, database: Database) -> None:
        while True:
            await asyncio.sleep(EVERY)
            with contextlib.suppress(Unavailable):
                await self.ask(database)
