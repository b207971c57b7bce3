"""The jobs that a worker has in hand, and how it gives them back when it has to end, or can't go on with them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from pgqueuer.domain.errors import RetryRequested

from owner.db.database import Database
from owner.models.outage_errors import PASSING

AT_ONCE: Final = timedelta(0)
SOON: Final = timedelta(seconds=1)


class JobsInHand:
    """A job that is canceled or fails is gone from the queue; one that asks for it goes back and is another's."""

    def __init__(self, database: Database, *, stop: asyncio.Event) -> None:
        self.database = database
        self._stop = stop
        self._tasks: set[asyncio.Task[object]] = set()
        self._is_over = False

    @asynccontextmanager
    async def one_more(self) -> AsyncIterator[None]:
        """Raises `RetryRequested` in place of what is no fault of the job in the block."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if not self._is_over:
                raise
            task.uncancel()
            raise RetryRequested(delay=AT_ONCE, reason="the worker ends") from None
        except PASSING as problem:
            # Only then can be said that it is to be tried again.
            await self.database.until_back(or_until=self._stop)
            raise RetryRequested(delay=SOON, reason=type(problem).__name__) from problem
        finally:
            self._tasks.discard(task)

    def give_back(self) -> None:
        """Break off what is not done by now; whatever was sent meanwhile is found out by who goes on."""
        self._is_over = True
        for task in self._tasks:
            task.cancel()
