"""The append-only history."""

from collections.abc import Collection, Iterable
from typing import Any

from owner.db.database import Connection, note_events
from owner.models.entity import Page
from owner.models.event import Event, FeedPosition, HistoryEvent, NewEvent
from owner.repositories.base import MAXIMUM_PAGE, read_cursor, write_cursor


class EventRepository:
    """Events are added and read, never changed."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def add_all(self, owner_id: int, events: Iterable[NewEvent]) -> None:
        """Record what happened, in order, with the same fate as the change itself."""
        note_events(owner_id)
        await self.connection.executemany(
            """
            INSERT INTO events (owner_id, type, actor_kind, actor_id, conv_id, msg_id, contact_id, data)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            [(owner_id, *event_row(event)) for event in events],
        )

    async def add(self, owner_id: int, event: NewEvent) -> Event:
        """Record one event and return it as it was recorded."""
        row = await self.connection.fetchrow(
            """
            INSERT INTO events (owner_id, type, actor_kind, actor_id, conv_id, msg_id, contact_id, data)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *
            """,
            owner_id,
            *event_row(event),
        )
        assert row is not None
        return Event.model_validate(dict(row))

    async def list_by_conversation(
        self, conv_id: int, *, limit: int, cursor: str | None = None
    ) -> Page[HistoryEvent]:
        """The history of one conversation, oldest first."""
        size = min(limit, MAXIMUM_PAGE)
        after = read_cursor(cursor, "events") if cursor else 0
        rows = await self.connection.fetch(
            """
            SELECT event_id, type, actor_kind, actor_id, conv_id, msg_id, contact_id, data, events.created_at,
                   COALESCE(users.name, api_keys.name) AS actor_name
            FROM events
            LEFT JOIN users ON actor_kind = 'USER' AND users.user_id = actor_id
            LEFT JOIN api_keys ON actor_kind = 'API_KEY' AND api_keys.api_key_id = actor_id
            WHERE conv_id = $1 AND event_id > $2 ORDER BY event_id LIMIT $3
            """,
            conv_id,
            after,
            size + 1,
        )
        items = [HistoryEvent.model_validate(dict(row)) for row in rows[:size]]
        next_cursor = write_cursor(items[-1].event_id, "events") if len(rows) > size else None
        return Page[HistoryEvent](items=items, next_cursor=next_cursor)

    async def list_after(
        self, position: FeedPosition, *, limit: int, types: Collection[str] | None = None
    ) -> list[Event]:
        """What was settled since, in the order of the feed.

        Transactions that still run may yet commit events below others, so nothing at or above the oldest of
        them is told: what is found later always sorts after what was found before.
        """
        rows = await self.connection.fetch(
            """
            SELECT * FROM events
            WHERE (xid, event_id) > ($1, $2) AND xid < pg_snapshot_xmin(pg_current_snapshot())
              AND ($3::text[] IS NULL OR type = ANY ($3))
            ORDER BY xid, event_id LIMIT $4
            """,
            position.xid,
            position.event_id,
            None if types is None else list(types),
            limit,
        )
        return [Event.model_validate(dict(row)) for row in rows]

    async def newest_position(self) -> FeedPosition:
        """The end of the feed: whatever is told from now on comes after it."""
        xid: int = await self.connection.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())")
        return FeedPosition(xid, 0)


def event_row(event: NewEvent) -> tuple[Any, ...]:
    """What is stored of an event, without its owner."""
    return (
        event.type,
        event.actor.kind,
        event.actor.id,
        event.conv_id,
        event.msg_id,
        event.contact_id,
        event.data,
    )
