"""How far each reader of the current owner's events has got."""

from collections.abc import Collection
from datetime import datetime

from owner.db.database import Connection
from owner.models.event import FeedPosition


class EventCursorRepository:
    """One place in the feed per reader; whoever holds its row reads alone."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def claim(self, readers: Collection[str], *, now: datetime) -> dict[str, FeedPosition]:
        """Where readers have got to, locked until the transaction ends.

        Without those that have no place yet, that somebody else holds, or that are to rest after a failure.
        """
        rows = await self.connection.fetch(
            """
            SELECT reader, xid, event_id FROM event_cursors
            WHERE reader = ANY ($1) AND (next_attempt_at IS NULL OR next_attempt_at <= $2)
            ORDER BY reader FOR UPDATE SKIP LOCKED
            """,
            list(readers),
            now,
        )
        return {row["reader"]: FeedPosition(row["xid"], row["event_id"]) for row in rows}

    async def start(self, owner_id: int, reader: str, *, at: FeedPosition) -> bool:
        """Give a reader its first place; False where it has one."""
        result = await self.connection.execute(
            """
            INSERT INTO event_cursors (owner_id, reader, xid, event_id) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING
            """,
            owner_id,
            reader,
            at.xid,
            at.event_id,
        )
        return result == "INSERT 0 1"

    async def save(self, readers: Collection[str], position: FeedPosition) -> None:
        await self.connection.execute(
            """
            UPDATE event_cursors SET xid = $2, event_id = $3, failures = 0, next_attempt_at = NULL, updated_at = now()
            WHERE reader = ANY ($1)
            """,
            list(readers),
            position.xid,
            position.event_id,
        )

    async def note_failure(self, reader: str, *, next_attempt_at: datetime) -> None:
        await self.connection.execute(
            "UPDATE event_cursors SET failures = failures + 1, next_attempt_at = $2 WHERE reader = $1",
            reader,
            next_attempt_at,
        )

    async def count_failures(self, reader: str) -> int:
        """How often in a row a reader has failed."""
        failures: int | None = await self.connection.fetchval(
            "SELECT failures FROM event_cursors WHERE reader = $1", reader
        )
        return failures or 0
