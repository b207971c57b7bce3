"""How the worker's queue reaches the database: through our pool, and with patience while the database is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Self, TypeVar

from pgqueuer.core.tm import TaskManager
from pgqueuer.ports.driver import NotifyCallback

from owner.db.database import Connection, Database
from owner.db.notices import NOTIFY
from owner.logs import Seldom, get_logger
from owner.models.errors import DatabaseUnavailable, Unavailable

log = get_logger(__name__)

RETRY: Final = 0.5  # seconds
T = TypeVar("T")


class QueueDriver:
    """Fulfils PgQueuer's `Driver`.

    A queue that fails at a lost connection would stop, wait for all of its jobs, and begin anew. So whatever can't
    be said to the database now is said later: all of the queue's statements may be repeated. Only who is to stop
    does not wait.
    """

    def __init__(self, database: Database, *, stop: asyncio.Event) -> None:
        self.database = database
        self.shutdown = asyncio.Event()
        self.tm = TaskManager()
        self._stop = stop
        self._outages = Seldom(every=10.0)

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        async def use(connection: Connection) -> list[dict[str, object]]:
            return [dict(row) for row in await connection.fetch(query, *args)]

        return await self._patiently(use)

    async def execute(self, query: str, *args: object) -> str:
        async def use(connection: Connection) -> str:
            status: str = await connection.execute(query, *args)
            return status

        return await self._patiently(use)

    async def notify(self, channel: str, payload: str) -> None:
        await self.execute(NOTIFY, channel, payload)

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        """Hear of new jobs on the process's connection for notices; what it misses is found by polling."""
        await self.database.notices.relay(channel, callback)

    async def _patiently(self, use: Callable[[Connection], Awaitable[T]]) -> T:
        while True:
            try:
                async with self.database.connections.using() as connection:
                    return await use(connection)
            except Unavailable as problem:
                if self._stop.is_set():
                    raise
                await self._wait(problem)

    async def _wait(self, problem: Unavailable) -> None:
        """That the database is away it says itself, once."""
        if type(problem) is not DatabaseUnavailable and (times := self._outages.times(problem.code)):
            log.warning("queue_waits", problem=type(problem).__name__, times=times)
        await self.database.until_back(or_until=self._stop)
        await asyncio.sleep(RETRY)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return
