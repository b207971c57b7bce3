"""Tells whether the product works, and what is behind if it doesn't."""

from dataclasses import dataclass
from time import perf_counter

from owner.db.database import Database
from owner.db.revisions import Schema, head_revision
from owner.repositories.jobs import JobRepository


@dataclass(frozen=True, slots=True)
class Health:
    """Durations are in seconds."""

    database_round_trip: float
    schema: Schema
    expected_revision: str
    jobs_ready: int
    oldest_job_waits: float


class HealthService:
    """Tells whether the product works."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def check(self) -> Health:
        """Ask the database.

        Raises:
            DatabaseUnavailable: it doesn't answer.
        """
        started = perf_counter()
        schema = await self.database.schema()
        round_trip = perf_counter() - started
        jobs_ready, oldest_job_waits = 0, 0.0
        if schema.is_fit:
            async with self.database.system() as connection:
                jobs_ready, oldest_job_waits = await JobRepository(connection).lag()
        return Health(round_trip, schema, head_revision(), jobs_ready, oldest_job_waits)
