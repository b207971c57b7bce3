"""Lists of conversations: what they hold, in which order, and that they read no more than they show."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from calling import Api, calling
from conftest import TurnableClock
from databases import ask, new_database, url_of
from factories import Tenant, make_inbound, some_number
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer
from owner.models.conversation import Conversation
from owner.models.conversation_dtos import ConversationClose
from owner.models.conversation_query import ConversationQuery, ConversationSort, ConversationState
from owner.models.enums import ActorKind, ConversationStatus
from owner.models.errors import InvalidCursor
from owner.models.event import Actor
from owner.models.message import MessageCreate
from owner.repositories.base import write_cursor
from owner.repositories.conversation_lists import ConversationListRepository, list_statement, read_place
from owner.services.catalog import Services

PERSON = Actor(ActorKind.USER)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
BIG = 1  # the owner with many conversations
PAGE = 20
MOST_READ = 1500  # rows and index entries, for a page of 20 out of 40,000; where nothing better is there, all who wait
# Of 40,000 conversations one in a hundred is open. What is rare is spread over the whole table.
MANY_ROWS = """
INSERT INTO owners (owner_id, name, email) SELECT o, 'acme', o || '@example.com' FROM generate_series(1, 2) AS o;
INSERT INTO users (owner_id, user_id, email, name, role, password_hash)
    SELECT o, u, u || '@example.com', 'Ana', 'AGENT', '' FROM generate_series(1, 2) AS o, generate_series(1, 9) AS u;
INSERT INTO twilio_accounts (owner_id, twilio_account_id, account_sid, auth_token_encrypted, webhook_key)
    SELECT o, 1, 'AC' || o, '', o FROM generate_series(1, 2) AS o;
INSERT INTO contacts (owner_id, contact_id) SELECT o, c FROM generate_series(1, 2) AS o, generate_series(1, 4000) AS c;
INSERT INTO conversations (owner_id, conv_id, status, channel, contact_id, customer_address, our_address,
    twilio_account_id, handler, assignee_id, priority, started_at, last_activity_at, waiting_since, expires_at,
    idle_after, reopen_grace, closed_at)
    SELECT o, o * 100000 + c, status, CASE WHEN c % 200 = 7 THEN 'SMS' ELSE 'WHATSAPP' END, 1 + c % 4000, '+55' || c,
        '+1', 1, CASE WHEN c % 200 = 9 THEN 'BOT' ELSE 'PERSON' END,
        CASE WHEN c % 100 > 20 OR c % 100 = 0 THEN 1 + c % 9 END,
        CASE c % 300 WHEN 1 THEN 'URGENT' WHEN 2 THEN 'HIGH' WHEN 3 THEN 'LOW' ELSE 'NORMAL' END,
        opened, opened + c % 7 * interval '1 hour',
        CASE WHEN status = 'PENDING' OR c % 400 = 0 THEN opened END, opened + interval '1 day', '1 hour', '10 min',
        CASE WHEN status NOT IN ('PENDING', 'PROGRESS') THEN opened + interval '1 day' END
    FROM (SELECT o, c, timestamptz '2026-01-01 00:00+00' + c * interval '10 minutes' AS opened,
              CASE WHEN c % 200 = 0 THEN 'PROGRESS' WHEN c % 200 = 100 THEN 'PENDING' WHEN c % 1000 = 5 THEN 'FAILED'
                   WHEN c % 2 = 0 THEN 'AGENT_CLOSED' ELSE 'IDLE_TIMEOUT' END AS status
          FROM generate_series(1, 2) AS o, generate_series(1, 40000) AS c) AS made;
INSERT INTO labels (owner_id, label_id, name, color)
    SELECT o, l, CASE l WHEN 1 THEN 'rare' ELSE 'common' END, '#000000' FROM generate_series(1, 2) AS o, generate_series(1, 2) AS l;
INSERT INTO conversation_labels (owner_id, conv_id, label_id)
    SELECT o, o * 100000 + c, 2 FROM generate_series(1, 2) AS o, generate_series(1, 40000, 3) AS c
    UNION ALL SELECT o, o * 100000 + c, 1 FROM generate_series(1, 2) AS o, generate_series(11, 40000, 800) AS c;
ANALYZE
"""
URGENCY = ["URGENT", "HIGH", "NORMAL", "LOW"]
PLACE: dict[ConversationSort, Callable[[Conversation], tuple[Any, ...]]] = {
    ConversationSort.NEWEST: lambda one: (one.started_at, one.conv_id),
    ConversationSort.OLDEST: lambda one: (one.started_at, one.conv_id),
    ConversationSort.LAST_ACTIVITY: lambda one: (one.last_activity_at, one.conv_id),
    ConversationSort.WAITING_LONGEST: lambda one: (one.waiting_since, one.conv_id),
    ConversationSort.PRIORITY: lambda one: (URGENCY.index(one.priority), one.started_at, one.conv_id),
}
DESCENDING = {ConversationSort.NEWEST, ConversationSort.LAST_ACTIVITY}
FILTERS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "open": {"state": "open"},
    "closed": {"state": "closed"},
    "one status": {"status": ["PENDING"]},
    "a rare status": {"status": ["FAILED"]},
    "statuses": {"status": ["PROGRESS", "IDLE_TIMEOUT"]},
    "assignee": {"assignee_id": 3},
    "assignee, open": {"assignee_id": 3, "state": "open"},
    "unassigned": {"unassigned": True},
    "unassigned, open": {"unassigned": True, "state": "open"},
    "assigned": {"unassigned": False},
    "a rare channel": {"channel": "SMS"},
    "a common channel": {"channel": "WHATSAPP"},
    "contact": {"contact_id": 77},
    "waiting": {"waiting": True},
    "not waiting": {"waiting": False},
    "bot": {"handler": "BOT"},
    "person": {"handler": "PERSON"},
    "a rare priority": {"priority": "HIGH"},
    "a common priority": {"priority": "NORMAL"},
    "a rare label": {"label": ["rare"]},
    "a common label": {"label": ["common"]},
    "range": {"opened_after": "2026-02-01T00:00:00Z", "opened_before": "2026-02-02T00:00:00Z"},
}


@pytest.fixture(scope="module")
def grown(server: EmbeddedServer, template: str, worker_id: str) -> Iterator[str]:
    with new_database(server, f"lists_{worker_id}", template=template) as name:
        ask(url_of(server, name, "postgres"), MANY_ROWS)
        yield url_of(server, name)


@pytest.fixture(scope="module")
async def big(grown: str) -> AsyncIterator[Database]:
    """Many conversations, as the application's role sees them."""
    database = await Database.connect(grown, pool_size=2)
    yield database
    await database.close()


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    async with calling(services, acme.api_key) as program:
        yield program


@pytest.mark.parametrize("sort", ConversationSort)
@pytest.mark.parametrize("name", FILTERS)
async def test_every_filter_in_every_order_reads_an_index_and_little_more_than_the_page(
    big: Database, name: str, sort: ConversationSort
) -> None:
    query = ConversationQuery(**FILTERS[name], sort=sort, limit=PAGE)
    async with big.owner(BIG) as connection:
        first = await ConversationListRepository(connection).list_page(query)
    pages = [query, query.model_copy(update={"cursor": first.next_cursor})] if first.next_cursor else [query]

    for page in pages:
        plan = await explain(big, page)
        kinds = {node["Node Type"] for node in plan}
        assert "Seq Scan" not in kinds, plan
        assert read(plan) <= MOST_READ, plan


@pytest.mark.parametrize("sort", ConversationSort)
@pytest.mark.parametrize(
    "name", ["nothing", "open", "statuses", "assignee", "unassigned", "waiting", "not waiting"]
)
async def test_read_page_by_page_a_list_is_complete_in_order_and_without_doubles(
    big: Database, name: str, sort: ConversationSort
) -> None:
    days = {"opened_after": NEW_YEAR, "opened_before": NEW_YEAR + timedelta(days=12)}
    query = ConversationQuery(**FILTERS[name], **days, sort=sort, limit=PAGE)
    everything = ConversationQuery(**days, sort=ConversationSort.OLDEST, limit=100)

    found = await pages_of(big, query)

    expected = [one for one in await pages_of(big, everything) if meets(one, query)]
    expected.sort(key=PLACE[sort], reverse=sort in DESCENDING)
    assert [one.conv_id for one in found] == [one.conv_id for one in expected]


async def test_filters_that_rule_each_other_out_leave_nothing(big: Database) -> None:
    for query in (
        ConversationQuery(state=ConversationState.OPEN, status=[ConversationStatus.EXPIRED]),
        ConversationQuery(assignee_id=3, unassigned=True),
        ConversationQuery(waiting=False, sort=ConversationSort.WAITING_LONGEST),
        ConversationQuery(waiting=True, state=ConversationState.CLOSED),
        ConversationQuery(opened_after=NEW_YEAR, opened_before=NEW_YEAR - timedelta(days=1)),
    ):
        assert await pages_of(big, query) == []


@pytest.mark.parametrize(
    "position",
    [
        [0, "yesterday", 1],
        [0, "2026-01-01T00:00:00", 1],
        [0, "2026-01-01T00:00:00+00:00", -1],
        [0, "2026-01-01T00:00:00+00:00", 2**63],
        [9, "2026-01-01T00:00:00+00:00", 1],
        ["0", "2026-01-01T00:00:00+00:00", 1],
        [0, "2026-01-01T00:00:00+00:00", "1"],
        [0, 5, 1],
        [0, "2026-01-01T00:00:00+00:00"],
        [],
    ],
)
async def test_a_cursor_whose_values_mean_nothing_is_refused(big: Database, position: list[Any]) -> None:
    forged = write_cursor(position, "conversations by newest")

    with pytest.raises(InvalidCursor):
        await pages_of(big, ConversationQuery(cursor=forged))


async def test_a_cursor_belongs_to_one_order(api: Api, services: Services, acme: Tenant) -> None:
    for _ in range(2):
        await some_conversation(services, acme)
    page = await api.call("GET", "/v1/conversations", limit=1)

    answer = await api.call("GET", "/v1/conversations", sort="oldest", cursor=page.body["next_cursor"])

    assert (answer.status, answer.code) == (400, "invalid_cursor")


async def test_a_list_shows_who_waits_since_when_and_for_how_long_first(
    api: Api, services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    made = []
    for _ in range(3):
        made.append(await some_conversation(services, acme))
        clock.turn(minutes=1)
    patient, answered, recent = made
    await services.messages.send(acme.owner_id, answered, MessageCreate(content="Olá"), by=PERSON)

    waiting = await api.call("GET", "/v1/conversations", sort="waiting_longest")
    others = await api.call("GET", "/v1/conversations", waiting="false")

    assert [item["conv_id"] for item in waiting.body["items"]] == [patient, recent]
    assert waiting.body["items"][0]["waiting_since"] < waiting.body["items"][1]["waiting_since"]
    assert [(item["conv_id"], item["waiting_since"]) for item in others.body["items"]] == [(answered, None)]


async def test_a_list_can_be_narrowed_by_several_statuses_and_by_a_state(
    api: Api, services: Services, acme: Tenant
) -> None:
    pending, progress, closed = [await some_conversation(services, acme) for _ in range(3)]
    await services.messages.send(acme.owner_id, progress, MessageCreate(content="Olá"), by=PERSON)
    await services.conversations.close(acme.owner_id, closed, ConversationClose(), by=PERSON)

    lists = [
        await api.call("GET", f"/v1/conversations?{query}")
        for query in ("state=open", "state=closed", "status=PENDING&status=AGENT_CLOSED")
    ]

    assert [[item["conv_id"] for item in one.body["items"]] for one in lists] == [
        [progress, pending],
        [closed],
        [closed, pending],
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "OPEN"),
        ("state", "OPEN"),
        ("assignee_id", "0"),
        ("assignee_id", "9223372036854775808"),
        ("contact_id", "ana"),
        ("unassigned", "perhaps"),
        ("opened_after", "2026-01-01"),
        ("opened_after", "2026-01-01T00:00:00"),
        ("opened_after", "0001-01-01T00:00:00%2B14:00"),
        ("opened_before", "9999-12-31T23:59:59-14:00"),
        ("sort", "random"),
        ("limit", "101"),
        ("limit", "0"),
    ],
)
async def test_a_filter_that_means_nothing_is_named(api: Api, name: str, value: str) -> None:
    answer = await api.call("GET", f"/v1/conversations?{name}={value}")

    assert (answer.status, answer.code) == (422, "invalid_input")
    assert answer.body["field"].split(".")[0] == name


async def test_a_filter_that_is_not_there_or_holds_a_nul_is_refused(api: Api) -> None:
    unknown = await api.call("GET", "/v1/conversations", colour="red")
    with_nul = await api.call("GET", "/v1/conversations?cursor=%00")

    assert (unknown.status, unknown.body["field"]) == (422, "colour")
    assert (with_nul.status, with_nul.code) == (422, "invalid_input")


async def test_a_longer_page_takes_no_more_queries(services: Services, acme: Tenant) -> None:
    for _ in range(6):
        await some_conversation(services, acme)

    counts = [
        await statements_of(services, acme, ConversationQuery(limit=limit, sort=ConversationSort.PRIORITY))
        for limit in (1, 5)
    ]

    assert counts == [1, 1]


async def some_conversation(services: Services, tenant: Tenant) -> int:
    receipt = await services.inbound.receive(
        make_inbound(tenant, customer=some_number()),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    assert receipt.conv_id is not None
    return receipt.conv_id


async def pages_of(database: Database, query: ConversationQuery) -> list[Conversation]:
    """The whole list, page by page."""
    found: list[Conversation] = []
    while True:
        async with database.owner(BIG) as connection:
            page = await ConversationListRepository(connection).list_page(query)
        found += page.items
        if page.next_cursor is None:
            return found
        query = query.model_copy(update={"cursor": page.next_cursor})


def meets(one: Conversation, query: ConversationQuery) -> bool:
    waits = one.waiting_since is not None
    return all(
        (
            not query.status or one.status in query.status,
            query.state is None or one.is_open == (query.state is ConversationState.OPEN),
            query.assignee_id in {None, one.assignee_id},
            query.unassigned in {None, one.assignee_id is None},
            query.waiting in {None, waits},
            waits or query.sort is not ConversationSort.WAITING_LONGEST,
        )
    )


async def statements_of(services: Services, tenant: Tenant, query: ConversationQuery) -> int:
    """How many statements a list takes, beside those of its transaction."""
    seen: list[str] = []
    async with services.database.owner(tenant.owner_id) as connection:
        with connection.query_logger(lambda record: seen.append(record.query)):
            await ConversationListRepository(connection).list_page(query)
    return len(seen)


async def explain(database: Database, query: ConversationQuery) -> list[dict[str, Any]]:
    """Each step of the plan, after it was run."""
    place = read_place(query.cursor, query.sort) if query.cursor else None
    async with database.owner(BIG) as connection:
        narrowed = await ConversationListRepository(connection).narrow(query)
        sql, values = list_statement(query, place=place, size=query.limit + 1, narrowed=narrowed)
        if not sql:
            return []
        plan = json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *values))
    return list(steps(plan[0]["Plan"]))


def steps(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    below = node.pop("Plans", [])
    yield node
    for inner in below:
        yield from steps(inner)


def read(plan: list[dict[str, Any]]) -> int:
    """How many rows were looked at, those included that a filter then left out."""
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in plan
        if node.get("Relation Name") or node["Node Type"] == "Bitmap Index Scan"
    )
