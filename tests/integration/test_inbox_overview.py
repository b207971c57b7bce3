"""The overview: figures of the days that were asked for, as charts, as tables and as files."""

import gzip
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html import unescape

import pytest

from browsing import Browser, Seen, browsing
from factories import Tenant
from owner.inbox.rendering import STATIC
from owner.models.conversation_dtos import ConversationCreate
from owner.models.enums import ActorKind, Channel, UserRole
from owner.models.event import Actor, Event
from owner.services.catalog import Services
from owner.services.facts import FactReader
from reading import rows
from visiting import PASSWORD, visiting

MAY = "from=2026-05-01&to=2026-05-31"
NOON = datetime(2026, 5, 10, 15, tzinfo=UTC)
PERSON = Actor(ActorKind.USER)


@pytest.fixture
async def browser(services: Services, acme: Tenant) -> AsyncIterator[Browser]:
    async with browsing(services) as opened:
        await opened.sign_in(acme.owner.email, PASSWORD)
        yield opened


async def happened(services: Services, tenant: Tenant, *events: tuple[str, dict[str, object]]) -> None:
    """What was recorded at noon of the tenth of May, in one conversation by SMS, and was read."""
    conversation, _ = await services.conversations.create_or_get(
        tenant.owner_id,
        ConversationCreate(channel=Channel.SMS, customer_address="+5511987654321"),
        by=PERSON,
    )
    for event_type, data in events:
        await rows(
            services,
            tenant,
            "INSERT INTO events (owner_id, type, actor_kind, conv_id, data, created_at)"
            " VALUES ($1, $2, 'SYSTEM', $3, $4, $5)",
            tenant.owner_id,
            event_type,
            conversation.conv_id,
            data,
            NOON,
        )
    found = await rows(services, tenant, "SELECT * FROM events ORDER BY event_id")
    async with services.database.owner(tenant.owner_id) as connection:
        await FactReader().read(connection, tenant.owner_id, [Event.model_validate(row) for row in found])


def drawn(page: Seen) -> dict[str, dict[str, list[float | None]]]:
    """Each chart's series by name, as its script gets them."""
    charts = [json.loads(unescape(found)) for found in re.findall(r"data-chart='([^']+)'", page.html)]
    titles = re.findall(r'<h2 id="about-[\w-]+">([^<]+)</h2>', page.html)
    return {
        title: {one["name"]: one["values"] for one in chart["series"]}
        for title, chart in zip(titles, charts, strict=False)
    }


async def test_charts_and_tables_say_the_same(services: Services, browser: Browser, acme: Tenant) -> None:
    await happened(
        services,
        acme,
        ("conversation.opened", {}),
        ("message.queued", {"first_response_seconds": 240, "reply_seconds": 240}),
    )

    page = await browser.get(f"/inbox/overview?{MAY}")

    assert page.status == 200
    charts = drawn(page)
    assert charts["Conversations per day"] == {"SMS": [*9 * [0], 1, *21 * [0]]}
    [waited] = [value for value in charts["Time to the first answer"]["Half within"] if value is not None]
    assert waited == pytest.approx(240, rel=0.02)
    assert "May 10, 2026 1" in " ".join(page.text.split())
    assert "4 min" in page.text


async def test_reasons_of_failures_are_counted(services: Services, browser: Browser, acme: Tenant) -> None:
    await happened(services, acme, ("message.undelivered", {"error_code": 30003}))

    page = await browser.get(f"/inbox/overview?{MAY}")

    assert re.search(r"\(30003\)\s+1\s", page.text)


async def test_days_and_channel_are_kept_in_every_link(browser: Browser) -> None:
    page = await browser.get(f"/inbox/overview?{MAY}&channel=SMS")

    files = re.findall(r'href="(/inbox/overview/[\w-]+\.csv\?[^"]+)"', page.html)
    assert len(files) == 6
    assert all("from=2026-05-01&amp;to=2026-05-31&amp;channel=SMS" in address for address in files)
    assert 'name="from" value="2026-05-01"' in page.html
    assert '<option value="SMS" selected>SMS</option>' in page.html


async def test_a_form_with_empty_fields_means_the_usual_days(browser: Browser) -> None:
    page = await browser.get("/inbox/overview?from=&to=&channel=")

    assert page.status == 200
    assert 'aria-current="true">30 days</a>' in page.html


@pytest.mark.parametrize("name", ["conversations", "first-response", "resolution", "closure", "deliveries"])
async def test_each_report_is_a_file_for_spreadsheets(browser: Browser, name: str) -> None:
    file = await browser.get(f"/inbox/overview/{name}.csv?{MAY}")

    assert file.status == 200
    assert file.headers["content-type"].startswith("text/csv")
    assert file.headers["content-disposition"] == f"attachment; filename={name}.csv"


@pytest.mark.parametrize(
    "query",
    ["from=2026-06-01&to=2026-05-01", "from=1990-01-01", "from=yesterday", "channel=PIGEON", "colour=red"],
)
async def test_days_that_make_no_sense_get_a_calm_page(browser: Browser, query: str) -> None:
    page = await browser.get(f"/inbox/overview?{query}")

    assert page.status == 422
    assert "That did not work" in page.text


async def test_agents_see_no_overview_and_no_way_to_it(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    async with visiting(services) as visit:
        await visit.person(acme, "bruno@acme.example", UserRole.AGENT)
    await browser.post("/inbox/sign-out")
    await browser.sign_in("bruno@acme.example", PASSWORD, owner_id=str(acme.owner_id))

    refused = await browser.get("/inbox/overview")
    home = await browser.get("/inbox/conversations")

    assert refused.status == 403
    assert (home.status, "/inbox/overview" in home.html) == (200, False)


async def test_other_companies_figures_stay_theirs(
    services: Services, browser: Browser, globex: Tenant
) -> None:
    await happened(services, globex, ("conversation.opened", {}))

    page = await browser.get(f"/inbox/overview?{MAY}")

    assert drawn(page)["Conversations per day"] == {"SMS": 31 * [0]}


async def test_a_year_with_something_on_every_day_weighs_less_than_100_kilobytes(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    conversation, _ = await services.conversations.create_or_get(
        acme.owner_id, ConversationCreate(channel=Channel.SMS, customer_address="+5511987654321"), by=PERSON
    )
    await rows(
        services,
        acme,
        "INSERT INTO events (owner_id, type, actor_kind, conv_id, data, created_at)"
        " SELECT $1, kind, 'SYSTEM', $2, data, timestamptz '2025-06-01 15:00Z' + day * interval '1 day'"
        " FROM generate_series(0, 364) day, (VALUES ('conversation.opened', '{}'::jsonb),"
        " ('message.queued', '{\"first_response_seconds\": 12345}'),"
        ' (\'conversation.closed\', \'{"status_to": "USER_CLOSED", "resolution_seconds": 54321}\'))'
        " AS happened (kind, data)",
        acme.owner_id,
        conversation.conv_id,
    )
    found = await rows(services, acme, "SELECT * FROM events ORDER BY event_id")
    async with services.database.owner(acme.owner_id) as connection:
        await FactReader().read(connection, acme.owner_id, [Event.model_validate(row) for row in found])

    page = await browser.get("/inbox/overview?from=2025-06-01&to=2026-05-31")

    assert drawn(page)["Conversations per day"]["SMS"] == 365 * [1]
    assert "These are the latest days; the CSV file has all." in page.text
    assert len(page.html) < 100_000


async def test_the_scripts_of_the_page_weigh_at_most_40_kilobytes(browser: Browser) -> None:
    page = await browser.get("/inbox/overview")

    scripts = re.findall(r'<script src="/inbox/static/([^?"]+)', page.html)
    assert "uplot/uPlot.iife.min.js" in scripts
    assert sum(len(gzip.compress((STATIC / script).read_bytes())) for script in scripts) <= 40_000
    other = await browser.get("/inbox/conversations")
    assert "uplot" not in other.html
