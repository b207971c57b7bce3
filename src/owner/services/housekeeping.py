"""Keeps the database in order: partitions ahead of time; old months, job logs and kept answers gone."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from owner.db.connections import allow_long_work
from owner.db.database import Database
from owner.logs import get_logger
from owner.repositories.idempotency_keys import IdempotencyKeyRepository
from owner.repositories.jobs import JobRepository
from owner.repositories.partitions import ForgettingTable, Outcome, PartitionRepository
from owner.services.idempotency import KEPT_FOR

log = get_logger(__name__)

MONTHS_AHEAD: Final = 3
JOB_LOG_KEPT: Final = timedelta(days=7)
TRIES: Final = 10  # at a table that is busy; then an hour later
PAUSE: Final = 1.0  # seconds between them


class HousekeepingService:
    """What has to be done once in a while, by any worker.

    `kept_for` says of each table that forgets for how long it does not. `readers` are those who have to be through
    with an event first.
    """

    def __init__(
        self,
        database: Database,
        *,
        kept_for: Mapping[ForgettingTable, timedelta],
        readers: Sequence[str],
        pause: float = PAUSE,
    ) -> None:
        self.database = database
        self.kept_for = kept_for
        self.readers = readers
        self.pause = pause

    async def tidy(self) -> None:
        await self._patiently("partitions_ahead", self._make_partitions)
        for table in self.kept_for:
            await self._patiently(table, partial(self._forget_months, table))
        async with self.database.system() as connection:
            await allow_long_work(connection)
            for table, kept_for in self.kept_for.items():
                await PartitionRepository(connection).prune_strays(
                    table, older_than=kept_for, readers=self.readers
                )
            await IdempotencyKeyRepository(connection).prune(older_than=KEPT_FOR)
            await JobRepository(connection).prune_log(older_than=JOB_LOG_KEPT)

    async def _patiently(self, what: str, attempt: Callable[[], Awaitable[bool]]) -> None:
        """Try until it is done or has been tried often enough; what is left then is done an hour later."""
        for _ in range(TRIES):
            if await attempt():
                return
            await asyncio.sleep(self.pause)
        log.info("housekeeping_waits", what=what)

    async def _make_partitions(self) -> bool:
        async with self.database.system() as connection:
            return await PartitionRepository(connection).make_ahead(months=MONTHS_AHEAD)

    async def _forget_months(self, table: ForgettingTable) -> bool:
        """Each in a transaction of its own, so that nobody is locked out for longer than one takes."""
        while True:
            async with self.database.system() as connection:
                found = await PartitionRepository(connection).drop_oldest(
                    table, older_than=self.kept_for[table], readers=self.readers
                )
            if found is None or found.outcome is Outcome.BUSY:
                return found is None
            if found.outcome is Outcome.UNREAD:
                log.warning("partition_unread", partition=found.partition)
                return True
            log.info("partition_dropped", partition=found.partition)
