"""The append-only history."""

from collections.abc import Iterable

from owner.db.database import Connection
from owner.models.entity import Page
from owner.models.event import EventResponse, NewEvent
from owner.repositories.base import MAXIMUM_PAGE, read_cursor, write_cursor


class EventRepository:
    """Events are added and read, never changed."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def add_all(self, owner_id: int, events: Iterable[NewEvent]) -> None:
        """Record what happened, in order, with the same fate as the change itself."""
        await self.connection.executemany(
            """
            INSERT INTO events (owner_id, type, actor_kind, actor_id, conv_id, msg_id, contact_id, data)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            [
                (
                    owner_id,
                    event.type,
                    event.actor.kind,
                    event.actor.id,
                    event.conv_id,
                    event.msg_id,
                    event.contact_id,
                    event.data,
                )
                for event in events
            ],
        )

    async def list_by_conversation(
        self, conv_id: int, *, limit: int, cursor: str | None = None
    ) -> Page[EventResponse]:
        """The history of one conversation, oldest first."""
        size = min(limit, MAXIMUM_PAGE)
        after = read_cursor(cursor, "events") if cursor else 0
        rows = await self.connection.fetch(
            """
            SELECT event_id, type, actor_kind, actor_id, conv_id, msg_id, contact_id, data, created_at
            FROM events WHERE conv_id = $1 AND event_id > $2 ORDER BY event_id LIMIT $3
            """,
            conv_id,
            after,
            size + 1,
        )
        items = [EventResponse.model_validate(dict(row)) for row in rows[:size]]
        next_cursor = write_cursor(items[-1].event_id, "events") if len(rows) > size else None
        return Page[EventResponse](items=items, next_cursor=next_cursor)

    async def make_partitions(self, *, months_ahead: int) -> None:
        """Have a place for what will happen, in every table that is partitioned by month."""
        await self.connection.execute("SELECT make_partitions_ahead($1)", months_ahead)
