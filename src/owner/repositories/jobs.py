"""Work for later, enqueued in the same transaction as the change that causes it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from pydantic_core import to_json

from owner.db.database import Connection

# As PgQueuer's own `enqueue` does it, less a line in its log: who only enqueues needs none of its machinery.
_ENQUEUE: Final = """
    INSERT INTO jobs.pgqueuer (priority, entrypoint, payload, execute_after, dedupe_key, status)
    SELECT 0, entrypoint, payload, now() + $3, $4, 'queued'
    FROM unnest($1::text[], $2::bytea[]) AS job (entrypoint, payload)
    ON CONFLICT DO NOTHING
"""
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
        await self.connection.execute(_ENQUEUE, [name], [payload], after or timedelta(0), key)

    async def enqueue_all(self, jobs: Sequence[tuple[str, Mapping[str, int]]]) -> None:
        """As `enqueue`, for several jobs at once: names, each with its ids."""
        names, payloads = [name for name, _ in jobs], [to_json(ids) for _, ids in jobs]
        await self.connection.execute(_ENQUEUE, names, payloads, timedelta(0), None)

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
