"""Tells whether the product works, and what is behind if it doesn't."""

from dataclasses import dataclass
from time import perf_counter

from owner.db.database import Connection, Database
from owner.db.revisions import Schema, head_revision
from owner.repositories.directory import Directory
from owner.repositories.jobs import JobRepository
from owner.services.ports import Clock


@dataclass(frozen=True, slots=True)
class Health:
    """Durations are in seconds."""

    database_round_trip: float
    schema: Schema
    expected_revision: str
    jobs_ready: int
    oldest_job_waits: float
    sends_waiting: int
    oldest_send_waits: float


class HealthService:
    """Tells whether the product works."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def check(self) -> Health:
        """Ask the database.

        Raises:
            DatabaseUnavailable: it doesn't answer.
        """
        started = perf_counter()
        schema = await self.database.schema()
        round_trip = perf_counter() - started
        jobs, sends = (0, 0.0), (0, 0.0)
        if schema.is_fit:
            async with self.database.system() as connection:
                jobs = await JobRepository(connection).lag()
                sends = await self._send_lag(connection)
        return Health(round_trip, schema, head_revision(), *jobs, *sends)

    async def _send_lag(self, connection: Connection) -> tuple[int, float]:
        now = self.clock.now()
        waiting, since = await Directory(connection).send_lag(now=now)
        return waiting, 0.0 if since is None else max((now - since).total_seconds(), 0.0)
