"""The list of all events: pages in either direction, filters, cursors that go on for ever."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from calling import Api, calling
from databases import url_of
from factories import Tenant, make_inbound, some_number
from owner.db.database import Connection
from owner.db.embedded import EmbeddedServer
from owner.models.event import SYSTEM, FeedPosition, NewEvent
from owner.repositories import event_pages
from owner.repositories.base import write_cursor
from owner.repositories.event_pages import EventPageRepository, EventQuery
from owner.repositories.events import EventRepository
from owner.services.catalog import Services
from reading import events_read, rows, settled


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    await settled(services.database)
    async with calling(services, acme.api_key) as api:
        yield api


async def receive(services: Services, tenant: Tenant, customer: str) -> None:
    await services.inbound.receive(
        make_inbound(tenant, customer=customer),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    await settled(services.database)


async def note(services: Services, tenant: Tenant, kind: str, count: int = 1) -> None:
    async with services.database.owner(tenant.owner_id) as connection:
        await EventRepository(connection).add_all(tenant.owner_id, [NewEvent(kind, SYSTEM)] * count)
    await settled(services.database)


async def happened(services: Services, tenant: Tenant, where: str = "true", *values: object) -> list[int]:
    found = await rows(
        services, tenant, f"SELECT event_id FROM events WHERE {where} ORDER BY xid, event_id", *values
    )
    return [row["event_id"] for row in found]


async def listed(api: Api, **query: Any) -> list[int]:
    """Every page's events."""
    ids: list[int] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = await api.call("GET", "/v1/events", **{**query, **cursor})
        assert answer.status == 200, answer.body
        ids += [event["event_id"] for event in answer.body["items"]]
        if answer.body["next_cursor"] is None:
            return ids
        cursor = {"cursor": answer.body["next_cursor"]}


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_pages_hold_everything_once_in_either_order(
    services: Services, api: Api, acme: Tenant, limit: int
) -> None:
    for _ in range(3):
        await receive(services, acme, some_number())
    expected = await happened(services, acme)

    assert await listed(api, limit=limit) == expected
    assert await listed(api, limit=limit, order="desc") == expected[::-1]


async def test_who_has_everything_goes_on_with_the_last_events_cursor(
    services: Services, api: Api, acme: Tenant
) -> None:
    last = (await api.call("GET", "/v1/events")).body["items"][-1]
    nothing = await api.call("GET", "/v1/events", cursor=last["cursor"])
    await note(services, acme, "owner.updated", 2)

    later = await listed(api, cursor=last["cursor"])

    assert nothing.body == {"items": [], "next_cursor": None}
    assert later == (await happened(services, acme))[-2:]


async def test_any_events_cursor_works_in_either_direction(
    services: Services, api: Api, acme: Tenant
) -> None:
    await note(services, acme, "owner.updated", 4)
    expected = await happened(services, acme)
    middle = (await api.call("GET", "/v1/events")).body["items"][3]

    assert await listed(api, cursor=middle["cursor"]) == expected[4:]
    assert await listed(api, cursor=middle["cursor"], order="desc") == expected[2::-1]


async def test_filters_leave_what_was_asked_for(services: Services, api: Api, acme: Tenant) -> None:
    ana, bruno = some_number(), some_number()
    for customer in (ana, bruno, ana):
        await receive(services, acme, customer)
    [conversation, *_] = await rows(services, acme, "SELECT * FROM conversations ORDER BY conv_id")
    conv_id, contact_id = conversation["conv_id"], conversation["contact_id"]

    received = await happened(services, acme, "type = 'message.received'")
    assert await listed(api, type="message.received") == received
    both = [("type", "message.received"), ("type", "contact.created")]
    answer = await api.call("GET", "/v1/events?" + "&".join(f"{name}={value}" for name, value in both))
    assert [event["event_id"] for event in answer.body["items"]] == await happened(
        services, acme, "type IN ('message.received', 'contact.created')"
    )
    assert await listed(api, conv_id=conv_id) == await happened(services, acme, "conv_id = $1", conv_id)
    assert await listed(api, conv_id=conv_id, type="message.received") == await happened(
        services, acme, "conv_id = $1 AND type = 'message.received'", conv_id
    )
    of_contact = await happened(services, acme, "contact_id = $1", contact_id)
    assert of_contact
    assert await listed(api, contact_id=contact_id) == of_contact
    assert await listed(api, conv_id=2**62) == []


async def test_moments_bound_the_list(services: Services, api: Api, acme: Tenant) -> None:
    await note(services, acme, "owner.updated")
    await asyncio.sleep(0.01)
    await note(services, acme, "owner.updated")
    [*_, last] = await rows(services, acme, "SELECT created_at FROM events ORDER BY xid, event_id")
    moment: datetime = last["created_at"]
    everything = await happened(services, acme)

    assert await listed(api, created_after=moment.isoformat()) == everything[-1:]
    assert await listed(api, created_before=moment.isoformat()) == everything[:-1]
    brasilia = moment.astimezone(UTC) - timedelta(hours=3)
    same = brasilia.replace(tzinfo=None).isoformat() + "-03:00"
    assert await listed(api, created_after=same, order="desc") == everything[-1:]
    assert (
        await listed(api, created_after="2020-01-01T00:00:00Z", created_before="2021-01-01T00:00:00Z") == []
    )


async def test_a_page_that_looked_far_enough_is_short_and_has_a_next(
    services: Services, api: Api, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_pages, "SCAN", 4)
    await note(services, acme, "message.read")
    await note(services, acme, "owner.updated", 9)
    await note(services, acme, "message.read")
    first = await api.call("GET", "/v1/events", type="message.read")

    assert len(first.body["items"]) < 2
    assert first.body["next_cursor"]
    wanted = await happened(services, acme, "type = 'message.read'")
    assert await listed(api, type="message.read") == wanted
    assert await listed(api, type="message.read", order="desc") == wanted[::-1]
    assert await listed(api, type="channel.paused") == []


JANUARY = datetime(2020, 1, 1, tzinfo=UTC)
TEN_MINUTES = timedelta(minutes=10)


@pytest.fixture
async def january(services: Services, acme: Tenant, server: EmbeddedServer, database_name: str) -> list[int]:
    """Four thousand events, one in ten minutes and eight in a transaction."""
    connection = await asyncpg.connect(url_of(server, database_name, "postgres"))
    await connection.execute(
        """
        INSERT INTO events (owner_id, xid, type, actor_kind, created_at)
        SELECT $1, (3 + number / 8)::text::xid8, 'message.read', 'SYSTEM', $2::timestamptz + number * $3::interval
        FROM generate_series(0, 3999) AS number
        """,
        acme.owner_id,
        JANUARY,
        TEN_MINUTES,
    )
    await connection.execute("ANALYZE events")
    await connection.close()
    return await happened(services, acme)


@pytest.mark.parametrize("place", [-5000, -1, 0, 1, 7, 8, 2000, 2001, 3999, 4000, 5000])
async def test_moments_bound_the_list_wherever_in_a_month_they_are(
    services: Services, api: Api, january: list[int], place: int
) -> None:
    moment = (JANUARY + place * TEN_MINUTES).isoformat()
    before, after = january[: max(0, place)], january[max(0, place) :]
    if place > 4000:  # what the fixtures did is of now
        before, after = january[:4000], january[4000:]

    assert await listed(api, limit=100, created_before=moment) == before
    assert await listed(api, limit=100, created_after=moment) == after
    assert await listed(api, limit=100, created_before=moment, order="desc") == before[::-1]
    assert await listed(api, limit=100, created_after=moment, order="desc") == after[::-1]


@pytest.mark.parametrize(
    "query", [EventQuery(created_after=JANUARY + 3000 * TEN_MINUTES),
              EventQuery(created_before=JANUARY + 1000 * TEN_MINUTES, is_descending=True)],
    ids=["after", "before"],
)  # fmt: skip
async def test_moments_are_looked_for_near_them_and_not_from_where_their_month_begins(
    services: Services, acme: Tenant, january: list[int], query: EventQuery
) -> None:
    async with services.database.owner(acme.owner_id) as connection:
        before = await events_read(connection)
        page = await EventPageRepository(connection).list_page(query, limit=50)
        read = await events_read(connection) - before

    assert [event.event_id for event in page.items] == (
        january[950:1000][::-1] if query.is_descending else january[3000:3050]
    )
    assert read <= 150


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
async def test_the_first_and_the_last_of_all_moments_are_moments(api: Api, moment: str) -> None:
    after = await api.call("GET", "/v1/events", created_after=moment)
    before = await api.call("GET", "/v1/events", created_before=moment)

    assert (after.status, before.status) == (200, 200)


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "é",
        write_cursor(5, "events"),
        write_cursor(5, "event_feed"),
        write_cursor([1, "2"], "event_feed"),
        write_cursor([1], "event_feed"),
        write_cursor([-1, 2], "event_feed"),
        write_cursor([1, 2**63], "event_feed"),
        write_cursor([1, 2], "conversations"),
    ],
)
async def test_a_cursor_that_this_list_did_not_give_out_is_refused(api: Api, cursor: str) -> None:
    answer = await api.call("GET", "/v1/events", cursor=cursor)

    assert (answer.status, answer.code) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    "query",
    [
        "type=message.unheard_of",
        "type=message.read&type=",
        "type=%00",
        "conv_id=0",
        "contact_id=9223372036854775808",
        "created_after=yesterday",
        "created_after=0",
        "created_before=2026-01-01T00:00:00",
        "created_after=0001-01-01T00:00:00%2B14:00",
        "order=up",
        "limit=0",
        "limit=101",
        "since=1",
    ],
)
async def test_what_means_nothing_is_refused(api: Api, query: str) -> None:
    answer = await api.call("GET", f"/v1/events?{query}")

    assert answer.status == 422


async def test_an_owner_lists_its_own_events_only(
    services: Services, api: Api, acme: Tenant, globex: Tenant
) -> None:
    await receive(services, globex, some_number())

    assert await listed(api) == await happened(services, acme)
    [theirs, *_] = await rows(services, globex, "SELECT conv_id FROM conversations")
    assert await listed(api, conv_id=theirs["conv_id"]) == []


@pytest.fixture
async def crowd(services: Services, acme: Tenant, server: EmbeddedServer, database_name: str) -> Tenant:
    """Acme with so many events, over months, that the planner would rather use an index."""
    connection = await asyncpg.connect(url_of(server, database_name, "postgres"))
    await connection.execute(
        """
        INSERT INTO events (owner_id, type, actor_kind, conv_id, created_at)
        SELECT $1, (ARRAY['message.received', 'message.sent'])[1 + number % 2], 'SYSTEM', number / 20,
               now() - make_interval(days => number % 60)
        FROM generate_series(1, 4000) AS number
        """,
        acme.owner_id,
    )
    await connection.execute("ANALYZE events")
    await connection.close()
    return acme


async def test_pages_are_read_in_the_order_of_an_index_whatever_is_wanted(
    services: Services, crowd: Tenant
) -> None:
    queries: dict[str, dict[str, Any]] = {
        "all": {},
        "type": {"types": frozenset({"message.sent"})},
        "contact": {"contact_id": 7},
        "after": {"created_after": datetime(2020, 1, 1, tzinfo=UTC)},
        "before": {"created_before": datetime(2099, 1, 1, tzinfo=UTC)},
    }
    [middle] = await rows(
        services, crowd, "SELECT xid, event_id FROM events ORDER BY event_id LIMIT 1 OFFSET 2000"
    )
    places = (None, FeedPosition(middle["xid"], middle["event_id"]))

    found = {
        (name, is_descending, place): await plan_of(
            services, crowd, EventQuery(**query, is_descending=is_descending), place
        )
        for name, query in queries.items()
        for is_descending in (False, True)
        for place in places
    }

    for which, plan in found.items():
        assert steps(plan) <= {"Limit", "Subquery Scan", "Append", "Merge Append", "Index Scan"}, which
        assert all(name.endswith("_pkey") for name in indexes(plan)), which


async def test_a_conversations_events_are_found_by_its_index(services: Services, crowd: Tenant) -> None:
    plan = await plan_of(services, crowd, EventQuery(conv_id=77), None, may_sort=True)

    assert "Seq Scan" not in steps(plan)
    assert any("conv_id" in name for name in indexes(plan))


async def test_what_follows_a_place_is_read_from_the_index_in_every_partition(
    services: Services, crowd: Tenant
) -> None:
    async with services.database.owner(crowd.owner_id) as connection:
        await prefer_indexes(connection)
        plan = await connection.fetchval(
            """
            EXPLAIN (FORMAT JSON) SELECT * FROM events
            WHERE (xid, event_id) > ($1, $2) AND xid < pg_snapshot_xmin(pg_current_snapshot())
              AND ($3::text[] IS NULL OR type = ANY ($3))
            ORDER BY xid, event_id LIMIT $4
            """,
            1,
            1,
            None,
            500,
        )

    tree = json.loads(plan)[0]["Plan"]
    assert steps(tree) <= {"Limit", "Append", "Merge Append", "Index Scan", "Result"}
    assert len(indexes(tree)) >= 4
    assert all("xid" in condition for condition in conditions(tree))


async def plan_of(
    services: Services,
    tenant: Tenant,
    query: EventQuery,
    position: FeedPosition | None,
    *,
    may_sort: bool = False,
) -> dict[str, Any]:
    """How Postgres reads a page, through the application's role."""
    async with services.database.owner(tenant.owner_id) as connection:
        await prefer_indexes(connection, may_sort=may_sort)
        asked: Any = Explaining(connection)
        cursor = event_pages.write_feed_cursor(position) if position else None
        await EventPageRepository(asked).list_page(query, limit=50, cursor=cursor)
    plan: dict[str, Any] = asked.plans[0]
    return plan


async def prefer_indexes(connection: Connection, *, may_sort: bool = False) -> None:
    """Most partitions of a test are all but empty, where reading and sorting everything is the cheapest."""
    sort = "on" if may_sort else "off"
    await connection.execute(f"SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = {sort}")


class Explaining:
    """Stands before a connection and asks for the plan of what is fetched."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.plans: list[dict[str, Any]] = []

    async def fetch(self, sql: str, *values: object) -> list[Any]:
        plan = await self.connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *values)
        self.plans.append(json.loads(plan)[0]["Plan"])
        return []

    async def execute(self, sql: str) -> None:
        await self.connection.execute(sql)

    async def fetchval(self, sql: str, *values: object) -> Any:
        return await self.connection.fetchval(sql, *values)

    async def fetchrow(self, _sql: str, *_values: object) -> None:
        return None


def walk(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(step for inner in plan.get("Plans", ()) for step in walk(inner))]


def main_steps(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Without the look at the setting that the policy makes once."""
    return [step for step in walk(plan) if step.get("Parent Relationship") != "InitPlan"]


def steps(plan: dict[str, Any]) -> set[str]:
    return {step["Node Type"] for step in main_steps(plan)}


def indexes(plan: dict[str, Any]) -> list[str]:
    return [step["Index Name"] for step in main_steps(plan) if "Index Name" in step]


def conditions(plan: dict[str, Any]) -> list[str]:
    return [step["Index Cond"] for step in main_steps(plan) if "Index Cond" in step]
