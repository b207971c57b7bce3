"""Lists of conversations: each filter and each order reads an index, a few rows beyond the page at most."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from owner.db.database import Connection
from owner.models.conversation import Conversation
from owner.models.conversation_query import MAXIMUM_PAGE, ConversationQuery, ConversationSort
from owner.models.entity import LARGEST_ID, Page
from owner.models.enums import Priority
from owner.models.errors import InvalidCursor
from owner.models.lifecycle import OPEN
from owner.repositories.base import page_of, read_moment, read_position, write_cursor

_URGENCY: Final = (Priority.URGENT, Priority.HIGH, Priority.NORMAL, Priority.LOW)


class Order(NamedTuple):
    """What a list goes by; the conversation's id decides between equals."""

    column: str
    descends: bool


ORDERS: Final = {
    ConversationSort.NEWEST: Order("started_at", descends=True),
    ConversationSort.OLDEST: Order("started_at", descends=False),
    ConversationSort.LAST_ACTIVITY: Order("last_activity_at", descends=True),
    ConversationSort.WAITING_LONGEST: Order("waiting_since", descends=False),
    ConversationSort.PRIORITY: Order("started_at", descends=False),
}


class Place(NamedTuple):
    """Where the page before ended."""

    urgency: int
    moment: datetime
    conv_id: int


class Narrowed(NamedTuple):
    """The only conversations that may be in a list, if they are few, and labels that all in it must have."""

    among: Sequence[int] | None = None
    label_ids: Sequence[int] = ()


STRIDE: Final = 5  # pages that are looked at together on a walk
FARTHEST: Final = 500  # conversations that it goes past
FEW: Final = 500  # conversations, up to which their ids are quicker than a walk along the list
EVERYBODY: Final = Narrowed()


@dataclass
class _Statement:
    """A statement under construction: its values are sent apart from it."""

    values: list[object] = field(default_factory=list)

    def put(self, value: object) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


class ConversationListRepository:
    """Reads lists of conversations.

    A list is put together from one ordered stretch of an index per status (and per priority, where it goes by
    that), so that neither an order nor a status makes Postgres read or sort what is not on the page.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def list_page(
        self, query: ConversationQuery, *, among: Sequence[int] | None = None
    ) -> Page[Conversation]:
        """One page in the order that was asked for; `among` names the only conversations that may be in the list.

        Raises:
            InvalidCursor: the cursor is not from a list with this order.
        """
        size = min(query.limit, MAXIMUM_PAGE)
        found = [_read(row) for row in await self._fetch(query, size=size + 1, among=among)]
        return page_of(found, size, lambda last: _write_place(last, query.sort))

    async def walk(
        self, query: ConversationQuery, *, keep: Callable[[Sequence[int]], Awaitable[Collection[int]]]
    ) -> Page[Conversation] | None:
        """One page of those conversations that `keep` keeps; None where they are too seldom to be met on a walk."""
        size = min(query.limit, MAXIMUM_PAGE)
        stride = min(STRIDE * size, MAXIMUM_PAGE)
        sort, kept, seen = query.sort, list[Conversation](), 0
        while len(kept) * FARTHEST >= size * seen:  # at this rate a page is met in time
            rows = await self._fetch(query, size=stride)
            chosen = await keep([row["conv_id"] for row in rows])
            kept += [_read(row) for row in rows if row["conv_id"] in chosen]
            seen += stride
            if len(kept) > size or len(rows) < stride:
                return page_of(kept, size, lambda last: _write_place(last, sort))
            query = query.model_copy(update={"cursor": _write_place(_read(rows[-1]), sort)})
        return None

    async def _fetch(
        self, query: ConversationQuery, *, size: int, among: Sequence[int] | None = None
    ) -> list[asyncpg.Record]:
        place = read_place(query.cursor, query.sort) if query.cursor is not None else None
        narrowed = await self.narrow(query, among)
        sql, values = list_statement(query, place=place, size=size, narrowed=narrowed)
        return await self.connection.fetch(sql, *values) if sql else []

    async def narrow(self, query: ConversationQuery, among: Sequence[int] | None = None) -> Narrowed:
        """Who may be in the list by its labels: a label on few is turned into their ids, one on many is looked up."""
        label_ids: list[int] = []
        for name in query.label:
            label_id, few = await self._labelled(name)
            if few is None:
                label_ids.append(label_id)
            else:
                among = few if among is None else sorted(set(among) & set(few))
        return Narrowed(among, label_ids)

    async def _labelled(self, name: str) -> tuple[int, list[int] | None]:
        """The label's id, and the conversations that it is on unless they are many."""
        label_id = await self.connection.fetchval("SELECT label_id FROM labels WHERE name = $1", name)
        rows = await self.connection.fetch(
            "SELECT conv_id FROM conversation_labels WHERE label_id = $1 LIMIT $2", label_id, FEW + 1
        )
        few = [row["conv_id"] for row in rows]
        return label_id or 0, few if len(few) <= FEW else None


def list_statement(
    query: ConversationQuery, *, place: Place | None, size: int, narrowed: Narrowed = EVERYBODY
) -> tuple[str, Sequence[object]]:
    """The statement and its values; an empty one where the filters rule each other out.

    Statuses, priorities and handlers are written out, because only so Postgres can see that a partial index has
    all the rows; they are words of our own.
    """
    statement = _Statement()
    first, source = "", "conversations"
    if narrowed.among is not None:
        # Fetched by their ids, once: Postgres would look for them along the list of each status.
        chosen = (
            f"SELECT * FROM conversations WHERE conv_id = ANY ({statement.put(narrowed.among)}::bigint[])"  # nosec B608 # words of this code
        )
        first, source = f"WITH chosen AS MATERIALIZED ({chosen}) ", "chosen AS conversations"
    conditions = " AND ".join(_conditions(query, statement, narrowed.label_ids))
    order = ORDERS[query.sort]
    direction = "DESC" if order.descends else "ASC"
    by = f"{order.column} {direction}, conv_id {direction}"
    branches = [
        f"(SELECT {urgency} AS urgency, conversations.* FROM {source}"  # nosec B608 # words of this code
        f" WHERE {which}{conditions and f' AND {conditions}'}{_after(order, place, urgency, statement)}"
        f" ORDER BY {by} LIMIT {size})"
        for urgency, which in _stretches(query)
        if place is None or urgency >= place.urgency
    ]
    listed = " UNION ALL ".join(branches)
    # Without the urgency, where it decides nothing, Postgres merges the stretches and reads of each what is shown.
    merged = f"urgency, {by}" if query.sort is ConversationSort.PRIORITY else by
    sql = f"{first}SELECT * FROM ({listed}) AS listed ORDER BY {merged} LIMIT {size}" if branches else ""  # nosec B608 # as above
    return sql, statement.values


def _read(row: asyncpg.Record) -> Conversation:
    return Conversation.model_validate({name: row[name] for name in Conversation.model_fields})


def _stretches(query: ConversationQuery) -> Iterator[tuple[int, str]]:
    """What the list is put together from: the rank of each part, and which rows are in it."""
    for which in _states(query):
        if query.sort is not ConversationSort.PRIORITY:
            yield 0, which
            continue
        for urgency, priority in enumerate(_URGENCY):
            yield urgency, f"{which} AND priority = '{priority}'"


def _states(query: ConversationQuery) -> Iterator[str]:
    """Those who wait are few and have an index of their own; all others are read status by status."""
    is_about_waiting = query.waiting or query.sort is ConversationSort.WAITING_LONGEST
    if not is_about_waiting:
        yield from (f"status = '{status}'" for status in query.statuses)
    elif len(query.statuses) == len(OPEN):  # whoever waits is in one of them
        yield "waiting_since IS NOT NULL"
    elif query.statuses:
        yield f"waiting_since IS NOT NULL AND status = '{query.statuses[0]}'"


def _conditions(query: ConversationQuery, statement: _Statement, label_ids: Sequence[int]) -> Iterator[str]:
    for label_id in label_ids:
        # A scalar, because Postgres would turn EXISTS into a join that reads the whole table.
        which = f"put.conv_id = conversations.conv_id AND put.label_id = {statement.put(label_id)}"
        yield f"(SELECT true FROM conversation_labels AS put WHERE {which})"  # nosec B608 # words of this code
    for column, value in (
        ("assignee_id", query.assignee_id),
        ("channel", query.channel),
        ("contact_id", query.contact_id),
    ):
        if value is not None:
            yield f"{column} = {statement.put(value)}"
    if query.unassigned is not None:
        yield f"assignee_id IS {'' if query.unassigned else 'NOT '}NULL"
    if query.waiting is False:
        yield "waiting_since IS NULL"
    if query.handler is not None:
        yield f"handler = '{query.handler}'"
    if query.priority is not None:
        yield f"priority = '{query.priority}'"
    if query.opened_after is not None:
        yield f"started_at >= {statement.put(query.opened_after)}"
    if query.opened_before is not None:
        yield f"started_at < {statement.put(query.opened_before)}"


def _after(order: Order, place: Place | None, urgency: int, statement: _Statement) -> str:
    """What comes after the page before, in a part that the page before had reached."""
    if place is None or urgency > place.urgency:
        return ""
    sign = "<" if order.descends else ">"
    moment, conv_id = statement.put(place.moment), statement.put(place.conv_id)
    return f" AND ({order.column}, conv_id) {sign} ({moment}, {conv_id})"


def _write_place(last: Conversation, sort: ConversationSort) -> str:
    urgency = _URGENCY.index(last.priority) if sort is ConversationSort.PRIORITY else 0
    moment: datetime = getattr(last, ORDERS[sort].column)
    return write_cursor([urgency, moment.isoformat(), last.conv_id], _name(sort))


def read_place(cursor: str, sort: ConversationSort) -> Place:
    try:
        urgency, moment, conv_id = read_position(cursor, _name(sort))
        place = Place(urgency, read_moment(moment), conv_id)
        is_ours = place.urgency in range(len(_URGENCY)) and 0 <= place.conv_id <= LARGEST_ID
    except (ValueError, TypeError) as problem:
        raise InvalidCursor(field="cursor") from problem
    if not is_ours:
        raise InvalidCursor(field="cursor")
    return place


def _name(sort: ConversationSort) -> str:
    return f"conversations by {sort}"
