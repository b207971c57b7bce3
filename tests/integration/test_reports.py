"""Reports: the figures are what a person computes by hand, whatever was read how often, and for nobody else."""

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from conftest import TurnableClock
from factories import Tenant, make_inbound, make_tenant, some_number
from fakes import FakeGateway
from owner.api.tables import csv_of
from owner.models.closure import DETECTOR_VERSION
from owner.models.conversation_dtos import ConversationClose, ConversationCreate
from owner.models.entity import DTO
from owner.models.enums import ActorKind, Channel, DeliveryStatus
from owner.models.errors import InvalidInput
from owner.models.event import Actor, Event
from owner.models.message import MessageCreate, StatusCallback
from owner.models.owner import ClosureSettings
from owner.models.report import ClosureGroup, DayOrChannel, DeliveryGroup, ReportName
from owner.repositories.owners import OwnerRepository
from owner.services.catalog import Services
from owner.services.facts import FactReader
from owner.services.reports import Wanted
from reading import rows
from serving import serving_api

PERSON = Actor(ActorKind.USER)
MAY = Wanted(date(2026, 5, 1), date(2026, 5, 31))
NOON = datetime(2026, 5, 10, 15, tzinfo=UTC)  # noon in São Paulo
BY_DAY = DayOrChannel.DAY


async def happened(
    services: Services, tenant: Tenant, event_type: str, *, at: datetime = NOON, **changes: Any
) -> int:
    """An event as it would have been recorded at some moment."""
    values = {"actor_kind": "SYSTEM", "conv_id": None, "msg_id": None, "data": {}, **changes}
    [row] = await rows(
        services,
        tenant,
        "INSERT INTO events (owner_id, type, actor_kind, conv_id, msg_id, data, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING event_id",
        tenant.owner_id,
        event_type,
        values["actor_kind"],
        values["conv_id"],
        values["msg_id"],
        values["data"],
        at,
    )
    event_id: int = row["event_id"]
    return event_id


async def read(services: Services, tenant: Tenant, *, only: int | None = None) -> None:
    """Let the reader have every event of an owner, or one, however often it had it before."""
    found = await rows(services, tenant, "SELECT * FROM events ORDER BY event_id")
    events = [Event.model_validate(row) for row in found]
    async with services.database.owner(tenant.owner_id) as connection:
        await FactReader().read(
            connection, tenant.owner_id, [event for event in events if only in (None, event.event_id)]
        )


async def tables(services: Services, tenant: Tenant) -> list[list[dict[str, Any]]]:
    return [
        await rows(services, tenant, f"SELECT * FROM {table} ORDER BY {table}")
        for table in ("facts", "fact_days", "fact_zones")
    ]


async def a_conversation(services: Services, tenant: Tenant, channel: str = "SMS") -> int:
    create = ConversationCreate(channel=Channel(channel), customer_address=some_number())
    conversation, _ = await services.conversations.create_or_get(tenant.owner_id, create, by=PERSON)
    return conversation.conv_id


async def receive(services: Services, tenant: Tenant, content: str, customer: str) -> int:
    async with services.database.owner(tenant.owner_id) as connection:
        owner = await OwnerRepository(connection).get(tenant.owner_id)
    receipt = await services.inbound.receive(
        make_inbound(tenant, content, customer=customer),
        owner=owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    assert receipt.conv_id is not None
    return receipt.conv_id


async def answer(services: Services, tenant: Tenant, conv_id: int, content: str = "Olá!") -> int:
    message = await services.messages.send(
        tenant.owner_id, conv_id, MessageCreate(content=content), by=PERSON
    )
    return message.msg_id


async def test_median_and_p90_of_replies_are_those_that_a_spreadsheet_computes(
    services: Services, acme: Tenant
) -> None:
    conv_id = await a_conversation(services, acme)
    for seconds in (10, 20, 30, 40, 50, 60, 70, 80, 90, 1000):
        await happened(services, acme, "message.queued", conv_id=conv_id, data={"reply_seconds": seconds})

    await read(services, acme)
    report = await services.reports.durations(acme.owner_id, ReportName.REPLY, MAY, group_by=BY_DAY)

    assert report.total.count == 10
    assert report.total.mean_seconds == 145.0
    assert report.total.median_seconds == pytest.approx(55, rel=report.relative_error)
    assert report.total.p90_seconds == pytest.approx(181, rel=report.relative_error)
    [day] = [row for row in report.items if row.count]
    assert (day.day, day.median_seconds) == (date(2026, 5, 10), report.total.median_seconds)
    assert len(report.items) == 31


async def test_durations_are_told_apart_by_channel_and_by_day(services: Services, acme: Tenant) -> None:
    sms, whatsapp = await a_conversation(services, acme), await a_conversation(services, acme, "WHATSAPP")
    for conv_id, day, seconds in ((sms, 0, 60), (sms, 1, 120), (whatsapp, 1, 600)):
        await happened(
            services,
            acme,
            "message.queued",
            at=NOON + timedelta(days=day),
            conv_id=conv_id,
            data={"first_response_seconds": seconds, "reply_seconds": seconds},
        )
    await read(services, acme)

    async def rows_by(group_by: DayOrChannel, wanted: Wanted = MAY) -> list[tuple[Any, ...]]:
        report = await services.reports.durations(
            acme.owner_id, ReportName.FIRST_RESPONSE, wanted, group_by=group_by
        )
        return [(row.day, row.channel, row.mean_seconds) for row in report.items if row.count]

    tenth, eleventh = date(2026, 5, 10), date(2026, 5, 11)
    assert await rows_by(DayOrChannel.DAY) == [(tenth, None, 60), (eleventh, None, 360)]
    assert await rows_by(DayOrChannel.CHANNEL) == [(None, "SMS", 90), (None, "WHATSAPP", 600)]
    assert await rows_by(DayOrChannel.DAY_AND_CHANNEL) == [
        (tenth, "SMS", 60),
        (eleventh, "SMS", 120),
        (eleventh, "WHATSAPP", 600),
    ]
    only_sms = Wanted(tenth, eleventh, Channel.SMS)
    assert await rows_by(DayOrChannel.CHANNEL, only_sms) == [(None, "SMS", 90)]


async def test_a_real_conversation_gives_the_figures_that_its_people_saw(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    clock.frozen_at = clock.now()
    customer = some_number()
    conv_id = await receive(services, acme, "Oi, meu pedido chegou?", customer)
    clock.turn(minutes=4)
    await answer(services, acme, conv_id)
    clock.turn(minutes=26)
    await services.conversations.close(acme.owner_id, conv_id, ConversationClose(), by=PERSON)

    await read(services, acme)
    today = Wanted()
    waited = [
        await services.reports.durations(acme.owner_id, name, today, group_by=DayOrChannel.CHANNEL)
        for name in (ReportName.FIRST_RESPONSE, ReportName.REPLY)
    ]
    opened = await services.reports.conversations(acme.owner_id, today, group_by=BY_DAY)
    took = await services.reports.durations(
        acme.owner_id, ReportName.RESOLUTION, today, group_by=DayOrChannel.CHANNEL
    )

    assert (opened.total.opened, opened.total.closed, opened.total.agent_closed) == (1, 1, 1)
    for report in waited:
        assert report.total.count == 1
        assert report.total.mean_seconds == 4 * 60
    assert took.total.count == 1
    assert took.total.mean_seconds == 30 * 60
    assert [row.channel for row in took.items] == ["SMS"]


async def test_reading_events_again_changes_nothing(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    customer = some_number()
    conv_id = await receive(services, acme, "Oi", customer)
    await answer(services, acme, conv_id)
    await receive(services, acme, "Pode encerrar, obrigado!", customer)
    await receive(services, acme, "Espera, e o meu troco?", customer)
    await read(services, acme)
    before = await tables(services, acme)

    await read(services, acme)
    for row in await rows(services, acme, "SELECT event_id FROM events"):
        await read(services, acme, only=row["event_id"])

    assert await tables(services, acme) == before
    assert all(before)


async def test_events_one_by_one_give_the_same_as_all_at_once(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    for tenant in (acme, globex):
        for seconds in (1, 30, 31, 400):
            await happened(services, tenant, "message.queued", data={"reply_seconds": seconds})
    await read(services, acme)
    for row in await rows(services, globex, "SELECT event_id FROM events ORDER BY event_id"):
        await read(services, globex, only=row["event_id"])

    kept = [
        await rows(
            services,
            tenant,
            "SELECT kind, day, channel, label, count, seconds, histogram FROM fact_days WHERE kind = 'REPLY'",
        )
        for tenant in (acme, globex)
    ]

    assert kept[0] == kept[1]
    assert kept[0][0]["count"] == 4


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"reply_seconds": None, "first_response_seconds": "soon"},
        {"reply_seconds": True, "error_code": "21610", "closure": [], "channel": "PIGEON"},
        {"status_to": 7, "status_from": {}, "detector_version": 1, "outcome": ["denied"], "asked": "yes"},
    ],
)
async def test_events_that_say_less_or_something_else_stop_nobody(
    services: Services, acme: Tenant, data: dict[str, Any]
) -> None:
    types = ("conversation.opened", "conversation.closed", "conversation.reopened", "closure.suspected")
    more = ("closure.cleared", "closure.shadowed", "message.queued", "message.failed", "message.read")
    for event_type in (*types, *more):
        await happened(services, acme, event_type, actor_kind="DETECTOR", conv_id=2**40, data=data)

    await read(services, acme)

    report = await services.reports.conversations(acme.owner_id, MAY, group_by=DayOrChannel.CHANNEL)
    assert (report.total.opened, report.total.closed, report.total.reopened) == (1, 1, 1)
    assert [row.channel for row in report.items] == ["OTHER"]


async def test_the_closure_report_tells_detection_questions_and_undoing_per_version(
    services: Services, clock: TurnableClock
) -> None:
    acme = await make_tenant(services, closure=ClosureSettings(ask=True, confirm_at=0.01, close_at=0.999))
    customers = [some_number() for _ in range(4)]
    for customer in customers:
        await answer(services, acme, await receive(services, acme, "Oi", customer), "Olá!")
    await receive(services, acme, "Pode encerrar, obrigado!", customers[0])
    await receive(services, acme, "Pode encerrar, obrigado!", customers[1])
    await receive(services, acme, "Opa, lembrei de outra coisa: qual o horário?", customers[1])
    for customer, reply in ((customers[2], "sim"), (customers[3], "não")):
        await receive(services, acme, "Obrigado!", customer)
        await receive(services, acme, reply, customer)
    conv_id = await a_conversation(services, acme)
    await services.conversations.close(acme.owner_id, conv_id, ConversationClose(), by=PERSON)

    await read(services, acme)
    report = await services.reports.closure(acme.owner_id, Wanted(), group_by=ClosureGroup.VERSION)

    total = report.total
    assert (total.closed, total.by_detector, total.detection_rate) == (4, 3, 0.75)
    assert (total.suspected, total.asked, total.confirmed, total.denied) == (2, 2, 1, 1)
    assert (total.undone, total.undo_rate) == (1, 0.3333)
    [version] = report.items
    assert (version.version, version.by_detector, version.undone, version.denied) == (
        DETECTOR_VERSION,
        3,
        1,
        1,
    )


async def test_an_undo_counts_for_the_version_that_was_undone(services: Services, acme: Tenant) -> None:
    for conv_id, version in ((1, "rules-1"), (2, "rules-2"), (3, "rules-2")):
        await happened(
            services,
            acme,
            "conversation.closed",
            actor_kind="DETECTOR",
            conv_id=conv_id,
            data={"status_to": "USER_CLOSED", "closure": {"detector_version": version}},
        )
    await read(services, acme)
    undo = {"status_from": "USER_CLOSED", "status_to": "PROGRESS"}
    await happened(services, acme, "conversation.reopened", conv_id=3, data=undo)
    await happened(services, acme, "conversation.reopened", conv_id=9, data={"status_from": "IDLE_TIMEOUT"})

    await read(services, acme)
    report = await services.reports.closure(acme.owner_id, MAY, group_by=ClosureGroup.VERSION)

    assert [(row.version, row.by_detector, row.undone, row.undo_rate) for row in report.items] == [
        ("rules-1", 1, 0, 0.0),
        ("rules-2", 2, 1, 0.5),
    ]
    opened = await services.reports.conversations(acme.owner_id, MAY, group_by=BY_DAY)
    assert opened.total.reopened == 2


async def test_a_message_that_was_read_was_delivered_whether_twilio_said_so_or_not(
    services: Services, acme: Tenant, gateway: FakeGateway
) -> None:
    conv_id = await a_conversation(services, acme)
    steps: list[list[DeliveryStatus]] = [
        [DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.READ],
        [DeliveryStatus.READ],
        [],
    ]
    for number, statuses in enumerate(steps):
        await answer(services, acme, conv_id)
        await services.deliveries.deliver(acme.owner_id, conv_id)
        for status in statuses:
            sid = gateway.taken[number][1].provider_sid
            await services.delivery_statuses.record(
                acme.owner_id, StatusCallback(provider_sid=sid, status=status)
            )

    await read(services, acme)
    report = await services.reports.deliveries(acme.owner_id, Wanted(), group_by=DeliveryGroup.ERROR_CODE)

    total = report.total
    assert (total.queued, total.accepted, total.sent, total.delivered, total.read) == (3, 3, 2, 2, 2)
    assert (total.failed, total.undelivered, report.errors) == (0, 0, [])


async def test_deliveries_are_explained_by_error_code(services: Services, acme: Tenant) -> None:
    conv_id = await a_conversation(services, acme)
    for msg_id, (event_type, code) in enumerate(
        [("undelivered", 30003), ("undelivered", 30003), ("failed", 21211), ("failed", None)], 1
    ):
        await happened(
            services,
            acme,
            f"message.{event_type}",
            conv_id=conv_id,
            msg_id=msg_id,
            data={"error_code": code},
        )

    await read(services, acme)
    report = await services.reports.deliveries(acme.owner_id, MAY, group_by=DeliveryGroup.DAY)

    assert [(error.error_code, error.undelivered, error.failed, error.count) for error in report.errors] == [
        (30003, 2, 0, 2),
        (None, 0, 1, 1),
        (21211, 0, 1, 1),
    ]
    assert report.errors[2].sentence == "The customer's number is not valid."
    assert report.errors[1].sentence == "The message was not delivered."
    assert (report.total.undelivered, report.total.failed, report.total.sent) == (2, 2, 2)
    assert sum(row.failed for row in report.items) == 2


async def test_days_are_those_of_the_owners_zone_also_when_the_clocks_change(services: Services) -> None:
    berlin = await make_tenant(services, time_zone="Europe/Berlin")
    for at in (
        "2026-03-28T22:59:59+00:00",  # the 28th, 23:59:59
        "2026-03-28T23:00:00+00:00",  # the 29th, 00:00, a day of 23 hours
        "2026-03-29T21:59:59+00:00",  # the 29th, 23:59:59
        "2026-03-29T22:00:00+00:00",  # the 30th, 00:00
    ):
        await happened(services, berlin, "conversation.opened", at=datetime.fromisoformat(at))

    await read(services, berlin)
    wanted = Wanted(date(2026, 3, 28), date(2026, 3, 30))
    report = await services.reports.conversations(berlin.owner_id, wanted, group_by=BY_DAY)

    assert report.time_zone == "Europe/Berlin"
    assert [(row.day.day, row.opened) for row in report.items if row.day] == [(28, 1), (29, 2), (30, 1)]


async def test_another_time_zone_moves_what_was_counted_to_its_days(services: Services, acme: Tenant) -> None:
    for at, seconds in (("2026-05-10T01:00:00+00:00", 60), ("2026-05-10T12:00:00+00:00", 90)):
        data = {"reply_seconds": seconds}
        await happened(services, acme, "message.queued", at=datetime.fromisoformat(at), data=data)
    await read(services, acme)
    before = await services.reports.durations(acme.owner_id, ReportName.REPLY, MAY, group_by=BY_DAY)

    await rows(services, acme, "UPDATE owners SET time_zone = 'Asia/Kolkata' RETURNING 1")
    await read(services, acme)
    after = await services.reports.durations(acme.owner_id, ReportName.REPLY, MAY, group_by=BY_DAY)

    assert [row.day.day for row in before.items if row.count and row.day] == [9, 10]
    assert [(row.day.day, row.count) for row in after.items if row.count and row.day] == [(10, 2)]
    assert after.total == before.total
    assert after.time_zone == "Asia/Kolkata"


async def test_a_zone_that_nobody_knows_stops_no_reader(services: Services, acme: Tenant) -> None:
    await read(services, acme)
    await rows(services, acme, "UPDATE owners SET time_zone = 'Mars/Olympus' RETURNING 1")
    await happened(services, acme, "conversation.opened")

    await read(services, acme)
    report = await services.reports.conversations(acme.owner_id, MAY, group_by=BY_DAY)

    assert (report.total.opened, report.time_zone) == (1, "America/Sao_Paulo")


async def test_a_report_reads_sums_and_no_messages_events_or_facts(services: Services, acme: Tenant) -> None:
    statements: list[str] = []
    await read(services, acme)

    async with services.database.request(acme.owner_id) as connection:
        connection.add_query_logger(lambda logged: statements.append(logged.query))
        for name in (ReportName.FIRST_RESPONSE, ReportName.REPLY, ReportName.RESOLUTION):
            await services.reports.durations(acme.owner_id, name, MAY, group_by=BY_DAY)
        await services.reports.conversations(acme.owner_id, MAY, group_by=BY_DAY)
        await services.reports.closure(acme.owner_id, MAY, group_by=ClosureGroup.VERSION)
        await services.reports.deliveries(acme.owner_id, MAY, group_by=DeliveryGroup.DAY)

    read_from = {table for statement in statements for table in re.findall(r"FROM (\w+)", statement)}
    assert read_from == {"fact_days", "fact_zones", "owners"}


async def test_a_report_finds_its_days_by_an_index(services: Services, acme: Tenant) -> None:
    sql = "SELECT * FROM fact_days WHERE kind = ANY ($1::text[]) AND day BETWEEN $2 AND $3"
    async with services.database.owner(acme.owner_id) as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetchval(
            f"EXPLAIN (FORMAT JSON) {sql}", ["CLOSED", "OPENED"], date(2026, 5, 1), date(2026, 5, 31)
        )

    condition = re.search(r'"Index Cond": "(.*)"', plan)
    assert "fact_days_pkey" in plan
    assert condition is not None
    assert all(word in condition[1] for word in ("owner_id", "kind", "day >=", "day <="))


async def test_an_owner_sees_its_own_figures_only(services: Services, acme: Tenant, globex: Tenant) -> None:
    await happened(services, acme, "conversation.opened")
    await read(services, acme)
    await read(services, globex)

    theirs = await services.reports.conversations(globex.owner_id, MAY, group_by=BY_DAY)

    assert theirs.total.opened == 0


async def test_nothing_to_report_is_zeros_for_every_day(services: Services, acme: Tenant) -> None:
    wanted = Wanted(date(2031, 1, 1), date(2031, 1, 3))

    took = await services.reports.durations(acme.owner_id, ReportName.REPLY, wanted, group_by=BY_DAY)
    closure = await services.reports.closure(acme.owner_id, wanted, group_by=ClosureGroup.VERSION)

    assert [row.count for row in took.items] == [0, 0, 0]
    assert (took.total.median_seconds, took.total.p90_seconds, took.total.mean_seconds) == (None, None, None)
    assert (closure.items, closure.total.undo_rate, closure.total.detection_rate) == ([], None, None)


@pytest.mark.parametrize(
    ("first_day", "last_day"),
    [
        (date(2026, 5, 2), date(2026, 5, 1)),
        (date(2025, 5, 1), date(2026, 5, 2)),
        (date.min, date.max),
    ],
)
async def test_days_out_of_order_or_too_many_are_refused(
    services: Services, acme: Tenant, first_day: date, last_day: date
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await services.reports.conversations(acme.owner_id, Wanted(first_day, last_day), group_by=BY_DAY)

    assert refusal.value.field == "from"


async def test_a_leap_year_fits_and_the_first_day_of_all_is_no_surprise(
    services: Services, acme: Tenant
) -> None:
    leap = Wanted(date(2028, 1, 1), date(2028, 12, 31))

    assert len((await services.reports.conversations(acme.owner_id, leap, group_by=BY_DAY)).items) == 366
    for last_day in (date.min, date.max):
        await services.reports.conversations(acme.owner_id, Wanted(None, last_day), group_by=BY_DAY)


@pytest.fixture
async def http(services: Services, acme: Tenant) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    headers = {"Authorization": f"Bearer {acme.api_key}"}
    async with serving_api(services) as url, aiohttp.ClientSession(headers=headers) as session:
        yield f"{url}/v1/reports", session


async def test_reports_are_listed_and_each_can_be_had_as_json_and_as_csv(
    http: tuple[str, aiohttp.ClientSession], services: Services, acme: Tenant
) -> None:
    url, session = http
    await happened(services, acme, "conversation.opened")
    await read(services, acme)

    async with session.get(url) as response:
        listed = await response.json()
    assert {entry["name"] for entry in listed["items"]} == set(ReportName)
    for entry in listed["items"]:
        for group_by in entry["group_by"]:
            days = {"from": "2026-05-01", "to": "2026-05-31", "group_by": group_by}
            async with session.get(f"{url}/{entry['name']}", params=days) as response:
                body = await response.json()
                assert (response.status, body["from"], body["to"]) == (200, "2026-05-01", "2026-05-31")
            async with session.get(f"{url}/{entry['name']}", params={**days, "format": "csv"}) as response:
                assert (response.status, response.content_type) == (200, "text/csv")
                assert f"{entry['name']}.csv" in response.headers["Content-Disposition"]
                assert next(csv.reader(io.StringIO(await response.text())))[0] in {
                    "day",
                    "version",
                    "error_code",
                }


async def test_csv_is_chosen_by_the_accept_header_unless_a_format_is_named(
    http: tuple[str, aiohttp.ClientSession], services: Services, acme: Tenant
) -> None:
    url, session = http
    await happened(services, acme, "conversation.opened")
    await read(services, acme)
    days = {"from": "2026-05-10", "to": "2026-05-10"}

    async def content_type(accept: str, **params: str) -> tuple[str, str]:
        async with session.get(
            f"{url}/conversations", headers={"Accept": accept}, params={**days, **params}
        ) as response:
            return response.content_type, await response.text()

    kind, text = await content_type("text/csv; q=0.9, application/json; q=0.1")
    assert kind == "text/csv"
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["day"], row["channel"], row["opened"], row["closed"]) == ("2026-05-10", "", "1", "0")
    assert (await content_type("application/json"))[0] == "application/json"
    assert (await content_type("text/csv", format="json"))[0] == "application/json"


@pytest.mark.parametrize(
    "query",
    [
        "from=tomorrow",
        "from=0",
        "to=2026-05-01T00:00:00",
        "to=2026-02-30",
        "group_by=moon",
        "format=xls",
        "channel=PIGEON",
        "since=2026-01-01",
    ],
)
async def test_a_report_of_what_can_not_be_is_refused(
    http: tuple[str, aiohttp.ClientSession], query: str
) -> None:
    url, session = http

    async with session.get(f"{url}/conversations?{query}") as response:
        problem = await response.json(content_type=None)

    assert (response.status, problem["code"]) == (422, "invalid_input")
    assert problem["field"] == query.partition("=")[0]


async def test_a_report_that_is_not_there_is_not_found(http: tuple[str, aiohttp.ClientSession]) -> None:
    url, session = http

    async with session.get(f"{url}/gossip") as response:
        assert response.status == 404


class Row(DTO):
    words: str
    number: float | None = None


@pytest.mark.parametrize("words", ["=1+1", "+55119", "-2", "@sum", "\t=1", "\r=1"])
def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(words: str) -> None:
    [row] = csv.DictReader(io.StringIO(csv_of(Row, [Row(words=words, number=-2.5)]), newline=""))

    assert row == {"words": f"'{words}", "number": "-2.5"}


def test_cells_with_commas_quotes_and_line_breaks_stay_one_cell() -> None:
    words = 'a, "b"\nc'

    [row] = csv.DictReader(io.StringIO(csv_of(Row, [Row(words=words)]), newline=""))

    assert row == {"words": words, "number": ""}
