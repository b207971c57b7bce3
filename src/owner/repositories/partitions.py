"""The months of the tables that grow with what happens: made ahead of time, dropped as a whole when they are old."""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from owner.db.database import Connection


class ForgettingTable(StrEnum):
    """Tables of which old months go."""

    EVENTS = "events"
    WEBHOOK_DELIVERIES = "webhook_deliveries"
    QUARANTINE = "inbound_quarantine"


class Outcome(StrEnum):
    """What became of the oldest month that may go."""

    DROPPED = "DROPPED"
    UNREAD = "UNREAD"  # a reader of some owner has not got past it
    BUSY = "BUSY"  # somebody was at work in the table, and is not made to wait


class Forgotten(NamedTuple):
    """A partition and what became of it."""

    partition: str
    outcome: Outcome


class PartitionRepository:
    """Works through the database's own functions, which wait for nobody and make nobody wait."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def make_ahead(self, *, months: int) -> bool:
        """Have a place for what will happen, in every table; False where one of them was busy."""
        waiting: int = await self.connection.fetchval("SELECT make_partitions_ahead($1)", months)
        return waiting == 0

    async def drop_oldest(
        self, table: ForgettingTable, *, older_than: timedelta, readers: Sequence[str]
    ) -> Forgotten | None:
        """Drop the oldest month that lies wholly before; None where there is none."""
        row = await self.connection.fetchrow(
            "SELECT partition_name, outcome FROM drop_oldest_partition($1, $2, $3)",
            table,
            older_than,
            readers,
        )
        return Forgotten(row["partition_name"], Outcome(row["outcome"])) if row else None

    async def prune_strays(
        self, table: ForgettingTable, *, older_than: timedelta, readers: Sequence[str]
    ) -> int:
        """Forget what is as old and lies in no month's partition. Returns how many rows."""
        gone: int = await self.connection.fetchval(
            "SELECT prune_strays($1, $2, $3)", table, older_than, readers
        )
        return gone
