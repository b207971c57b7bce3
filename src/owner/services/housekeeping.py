"""Keeps the database in order: partitions ahead of time, old quarantine, job logs and kept answers gone."""

from datetime import timedelta
from typing import Final

from owner.db.database import Database
from owner.repositories.events import EventRepository
from owner.repositories.idempotency_keys import IdempotencyKeyRepository
from owner.repositories.jobs import JobRepository
from owner.repositories.quarantine import QuarantineRepository
from owner.services.idempotency import KEPT_FOR

MONTHS_AHEAD: Final = 3
QUARANTINE_KEPT: Final = timedelta(days=30)
JOB_LOG_KEPT: Final = timedelta(days=7)


class HousekeepingService:
    """What has to be done once in a while, by any worker."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def tidy(self) -> None:
        async with self.database.system() as connection:
            await EventRepository(connection).make_partitions(months_ahead=MONTHS_AHEAD)
            await QuarantineRepository(connection).prune(older_than=QUARANTINE_KEPT)
            await IdempotencyKeyRepository(connection).prune(older_than=KEPT_FOR)
            await JobRepository(connection).prune_log(older_than=JOB_LOG_KEPT)
