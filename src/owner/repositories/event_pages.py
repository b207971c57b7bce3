"""Pages of an owner's events, and the cursors that say where in the feed somebody is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import asyncpg

from owner.db.database import Connection
from owner.models.entity import Page
from owner.models.errors import InvalidCursor
from owner.models.event import Event, FeedEventResponse, FeedPosition
from owner.repositories.base import MAXIMUM_PAGE, read_position, write_cursor
from owner.repositories.events import EventRepository

SCAN: Final = 10_000  # events that one page looks through for the wanted ones
LONGEST_READ: Final = timedelta(hours=1)  # of a transaction before it writes
_FEED: Final = "event_feed"
# Postgres takes what is left of the feed for a few rows, and would sort all of it for a page, or read everybody's.
_IN_FEED_ORDER: Final = """
SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off;
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off
"""
_LARGEST: Final = 2**63


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events, and in which order; what is None does not matter."""

    types: frozenset[str] | None = None
    conv_id: int | None = None
    contact_id: int | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    is_descending: bool = False


class _Around(NamedTuple):
    """The transactions between which the wanted events were written; None where there is no end."""

    first: int | None
    last: int | None


class EventPageRepository:
    """Reads the feed by pages, in either direction, in a transaction of its own."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def list_page(
        self, query: EventQuery, *, limit: int, cursor: str | None = None
    ) -> Page[FeedEventResponse]:
        """One page. Where few events are wanted it may hold fewer than `limit`, even none, and still have a next.

        Raises:
            InvalidCursor: the cursor is not one that the feed gave out.
        """
        size = min(limit, MAXIMUM_PAGE)
        if query.conv_id is None:
            await self.connection.execute(_IN_FEED_ORDER)
        around = await self._around(query)
        scan = _Scan(query, await self._place(cursor) if cursor else None, around)
        rows = await self.connection.fetch(*scan.page(size + 1))
        events = [Event.model_validate(dict(row)) for row in rows[:size]]
        if len(rows) > size:
            next_position: FeedPosition | None = events[-1].position
        else:
            next_position = await self._end_of(scan)
        return Page[FeedEventResponse](
            items=[shown(event) for event in events],
            next_cursor=write_feed_cursor(next_position) if next_position else None,
        )

    async def _around(self, query: EventQuery) -> _Around:
        """Where the wanted moments are, with room for a transaction that read for long before it wrote."""
        first = last = None
        if query.created_after is not None:
            first = await self.connection.fetchval(
                "SELECT older FROM event_feed_around($1::timestamptz - $2::interval)",
                query.created_after,
                LONGEST_READ,
            )
        if query.created_before is not None:
            last = await self.connection.fetchval(
                "SELECT newer FROM event_feed_around($1::timestamptz + $2::interval)",
                query.created_before,
                LONGEST_READ,
            )
        return _Around(first, last)

    async def _place(self, cursor: str) -> FeedPosition:
        return read_feed_cursor(cursor).seen_from(await EventRepository(self.connection).newest_position())

    async def _end_of(self, scan: "_Scan") -> FeedPosition | None:
        """Where the scan stopped because it had looked through enough; None at the end of the feed."""
        if not scan.is_selective:
            return None
        row: asyncpg.Record | None = await self.connection.fetchrow(*scan.last())
        return FeedPosition(row["xid"], row["event_id"]) if row else None


class _Scan:
    """A stretch of the feed, and what is wanted of it.

    The stretch is what an index finds in the feed's order. Types, contacts and exact moments have no index of
    their own, which every event that is stored would pay for: they are looked for in a stretch of limited length, that
    of moments beginning and ending near them.
    """

    def __init__(self, query: EventQuery, position: FeedPosition | None, around: _Around) -> None:
        self._values: list[object] = []
        self._order = "DESC" if query.is_descending else "ASC"
        stretch = ["xid < pg_snapshot_xmin(pg_current_snapshot())"]
        if position is not None:
            beyond = "<" if query.is_descending else ">"
            stretch.append(
                f"(xid, event_id) {beyond} ({self._put(position.xid)}, {self._put(position.event_id)})"
            )
        if around.first is not None:
            stretch.append(f"xid >= {self._put(around.first)}")
        if around.last is not None:
            stretch.append(f"xid <= {self._put(around.last)}")
        if query.conv_id is not None:
            stretch.append(f"conv_id = {self._put(query.conv_id)}")
        if query.created_after is not None:  # whole months are left out with their partitions
            stretch.append(f"created_at >= {self._put(_beginning_of_month(query.created_after))}")
        if query.created_before is not None:
            stretch.append(f"created_at < {self._put(query.created_before)}")
        self._stretch = " AND ".join(stretch)
        self._values_of_stretch = len(self._values)
        self._wanted = " AND ".join(self._wants(query))

    @property
    def is_selective(self) -> bool:
        return self._wanted != ""

    def page(self, limit: int) -> Sequence[Any]:
        """Statement and values for the first of the wanted events."""
        where = f"WHERE {self._wanted}" if self._wanted else ""
        sql = f"SELECT * FROM ({self._events('*')} LIMIT {SCAN}) AS stretch {where} {self._ordered} LIMIT {limit}"  # nosec B608 # names and numbers of this code
        return sql, *self._values

    def last(self) -> Sequence[Any]:
        """Statement and values for the last event of the stretch, if it is of full length."""
        sql = f"{self._events('xid, event_id')} OFFSET {SCAN - 1} LIMIT 1"
        return sql, *self._values[: self._values_of_stretch]

    def _wants(self, query: EventQuery) -> list[str]:
        wanted = []
        if query.types is not None:
            wanted.append(f"type = ANY ({self._put(sorted(query.types))}::text[])")
        if query.contact_id is not None:
            wanted.append(f"contact_id = {self._put(query.contact_id)}")
        if query.created_after is not None:
            wanted.append(f"created_at >= {self._put(query.created_after)}")
        return wanted

    def _events(self, columns: str) -> str:
        return f"SELECT {columns} FROM events WHERE {self._stretch} {self._ordered}"  # nosec B608 # names and numbers of this code

    @property
    def _ordered(self) -> str:
        return f"ORDER BY xid {self._order}, event_id {self._order}"

    def _put(self, value: object) -> str:
        self._values.append(value)
        return f"${len(self._values)}"


def shown(event: Event) -> FeedEventResponse:
    """An event with the cursor that goes on after it."""
    values = event.model_dump(exclude={"owner_id", "xid"})
    return FeedEventResponse.model_construct(**values, cursor=write_feed_cursor(event.position))


def write_feed_cursor(position: FeedPosition) -> str:
    return write_cursor(position, _FEED)


def read_feed_cursor(cursor: str, *, field: str = "cursor") -> FeedPosition:
    """A place in the feed; it means the same in a list of either order and in a stream.

    Raises:
        InvalidCursor: it was changed, or comes from another list.
    """
    try:
        position = read_position(cursor, _FEED)
    except InvalidCursor as problem:
        raise InvalidCursor(field=field) from problem
    match position:
        case [int(xid), int(event_id)] if 0 <= xid < _LARGEST and 0 <= event_id < _LARGEST:
            return FeedPosition(xid, event_id)
    raise InvalidCursor(field=field)


def _beginning_of_month(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
