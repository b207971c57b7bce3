"""Work for later, enqueued in the same transaction as the change that causes it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Final

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence import qb
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.settings import DBSettings
from pgqueuer.ports.driver import Driver
from pydantic_core import to_json

from owner.db.database import Connection

SCHEMA: Final = "jobs"
_OF_OWNER: Final = "(convert_from(payload, 'UTF8')::jsonb->>'owner_id')::bigint = $1"


class JobRepository:
    """The queue as a business transaction sees it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def enqueue(
        self, name: str, *, after: timedelta | None = None, once: bool = False, **ids: int | str
    ) -> None:
        """Ask a worker to run the job `name` with these ids, once the transaction is committed.

        With `once` nothing is added while the same job waits or runs. What is no number is a word of ours or a
        hash: nothing here is kept from anybody by row level security.
        """
        payload = to_json(ids)
        key = f"{name} {payload.decode()}" if once else None
        await self._queries.enqueue(name, payload, execute_after=after, dedupe_key=key, on_conflict="skip")

    async def enqueue_all(self, jobs: Sequence[tuple[str, Mapping[str, int]]]) -> None:
        """As `enqueue`, for several jobs at once: names, each with its ids."""
        payloads: list[bytes | None] = [to_json(ids) for _, ids in jobs]
        await self._queries.enqueue([name for name, _ in jobs], payloads, [0] * len(jobs))

    @property
    def _queries(self) -> Queries:
        return queue_over(AsyncpgDriver(self.connection))  # type: ignore[arg-type]  # a pool's proxy is a connection

    async def lag(self) -> tuple[int, float]:
        """How many jobs are ready, and for how many seconds the oldest has been."""
        row = await self.connection.fetchrow(
            """
            SELECT count(*), COALESCE(extract(epoch FROM now() - min(execute_after)), 0)::float8
            FROM jobs.pgqueuer WHERE status = 'queued' AND execute_after <= now()
            """
        )
        assert row is not None
        return row[0], row[1]

    async def count_of_owner(self, owner_id: int) -> int:
        """How many jobs there are for one owner, in whatever state."""
        count: int = await self.connection.fetchval(
            f"SELECT count(*) FROM jobs.pgqueuer WHERE {_OF_OWNER}",  # nosec B608 # a constant of this module
            owner_id,
        )
        return count

    async def erase_of_owner(self, owner_id: int) -> None:
        await self.connection.execute(f"DELETE FROM jobs.pgqueuer WHERE {_OF_OWNER}", owner_id)  # nosec B608 # as above

    async def prune_log(self, *, older_than: timedelta) -> None:
        await self.connection.execute(
            "DELETE FROM jobs.pgqueuer_log WHERE created < now() - $1::interval", older_than
        )


def queue_over(driver: Driver) -> Queries:
    """PgQueuer's statements for our schema, whatever its environment variables say."""
    settings = _settings()
    return Queries(
        driver,
        qbe=qb.QueryBuilderEnvironment(settings),
        qbq=qb.QueryQueueBuilder(settings),
        qbs=qb.QuerySchedulerBuilder(settings),
    )


@cache
def _settings() -> DBSettings:
    return DBSettings(db_schema=SCHEMA)
