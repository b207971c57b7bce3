"""The routes of outbound webhooks over real HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from calling import Api, calling
from conftest import TurnableClock
from consuming import Consumer, consuming
from factories import Tenant
from fakes import FakeGateway
from owner.db.database import Database
from owner.services.catalog import Services
from telling import an_endpoint, deliveries_of, happens, tell, wired_for_consumers

ENDPOINTS, DELIVERIES = "/v1/webhook-endpoints", "/v1/webhook-deliveries"
URL = "https://hooks.example.com/"


@pytest.fixture
async def services(database: Database, clock: TurnableClock, gateway: FakeGateway) -> AsyncIterator[Services]:
    """All use cases, which may call consumers on this machine."""
    wired = wired_for_consumers(database, clock, gateway)
    yield wired
    await wired.webhook_courier.aclose()


@pytest.fixture
async def consumer() -> AsyncIterator[Consumer]:
    async with consuming() as running:
        yield running


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    async with calling(services, acme.api_key) as program:
        yield program


async def call(api: Api, *arguments: Any, **options: Any) -> tuple[int, Any]:
    """Status and body of the answer."""
    answer = await api.call(*arguments, **options)
    return answer.status, answer.body


async def test_an_endpoint_is_made_shown_changed_and_deleted_and_its_secret_is_shown_once(api: Api) -> None:
    create = {"url": URL, "event_types": ["message.*", "contact.created"], "description": "Orders"}

    made, created = await call(api, "POST", ENDPOINTS, create)
    path = f"{ENDPOINTS}/{created['endpoint_id']}"
    _, shown = await call(api, "GET", path)
    _, listed = await call(api, "GET", ENDPOINTS)
    changed, after = await call(api, "PATCH", path, {"url": URL + "v2", "description": None})
    paused, pausing = await call(api, "PATCH", path, {"is_enabled": False})
    deleted, _ = await call(api, "DELETE", path)
    gone, problem = await call(api, "GET", path)

    assert (made, changed, paused, deleted, gone) == (201, 200, 200, 204, 404)
    secret = created.pop("secret")
    assert secret.startswith("whsec_")
    assert shown == created
    assert listed == {"items": [created], "next_cursor": None}
    assert {name: shown[name] for name in create} == create
    assert (after["url"], after["description"], after["event_types"]) == (
        URL + "v2",
        None,
        create["event_types"],
    )
    assert (pausing["is_enabled"], pausing["disabled_reason"]) == (False, "BY_REQUEST")
    assert problem["code"] == "webhook_endpoint_not_found"


async def test_a_secret_that_was_lost_on_the_way_can_be_asked_for_again_with_the_same_idempotency_key(
    api: Api,
) -> None:
    _, created = await call(api, "POST", ENDPOINTS, {"url": URL}, headers={"Idempotency-Key": "a"})
    _, again = await call(api, "POST", ENDPOINTS, {"url": URL}, headers={"Idempotency-Key": "a"})
    rotate = f"{ENDPOINTS}/{created['endpoint_id']}/rotate-secret"
    _, rotated = await call(api, "POST", rotate, headers={"Idempotency-Key": "b"})
    _, rotated_again = await call(api, "POST", rotate, headers={"Idempotency-Key": "b"})

    assert again == created
    assert rotated_again == rotated
    assert rotated["secret"] != created["secret"]
    assert rotated["former_secret_expires_at"] is not None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"url": "http://127.0.0.2@10.0.0.1/"}, (422, "invalid_input", "url")),
        ({"url": "http://10.0.0.1/"}, (403, "webhook_url_forbidden", "url")),
        ({"url": "http://[::1]/"}, (403, "webhook_url_forbidden", "url")),
        (
            {"url": "https://a.example/", "event_types": ["messages.*"]},
            (422, "invalid_input", "event_types.0"),
        ),
        ({"url": "https://a.example/", "description": "a" * 501}, (422, "invalid_input", "description")),
        ({"url": "https://a.example/", "secret": "whsec_mine"}, (422, "invalid_input", "secret")),
        ({}, (422, "invalid_input", "url")),
    ],
)
async def test_an_endpoint_that_can_not_be_meant_is_refused_with_its_field(
    api: Api, body: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    status, problem = await call(api, "POST", ENDPOINTS, body)

    assert (status, problem["code"], problem["field"]) == expected


async def test_a_test_can_be_followed_to_what_came_back(
    services: Services, api: Api, acme: Tenant, consumer: Consumer
) -> None:
    consumer.status, consumer.answer = 418, b"teapot"
    _, endpoint = await call(api, "POST", ENDPOINTS, {"url": consumer.url})

    status, delivery = await call(api, "POST", f"{ENDPOINTS}/{endpoint['endpoint_id']}/test")
    before = delivery["status"], delivery["attempt_log"]
    await services.webhook_courier.deliver(acme.owner_id, endpoint["endpoint_id"])
    _, after = await call(api, "GET", f"{DELIVERIES}/{delivery['delivery_id']}")

    assert (status, before) == (202, ("PENDING", []))
    assert (after["status"], after["last_status"], after["last_error"]) == ("PENDING", 418, "STATUS")
    [attempt] = after["attempt_log"]
    assert (attempt["status"], attempt["error"], attempt["response_body"]) == (418, "STATUS", "teapot")
    assert after["request"]["body"] == consumer.received[0].body
    assert after["request"]["headers"]["webhook-id"] == after["webhook_id"] == consumer.ids[0]
    assert "webhook-signature" not in after["request"]["headers"]
    Webhook(endpoint["secret"]).verify(consumer.received[0].body, consumer.received[0].headers)


async def test_the_log_is_filtered_and_read_page_by_page(
    services: Services, api: Api, acme: Tenant, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    other, _ = await an_endpoint(services, acme, consumer.url, "message.sent")
    for conv_id in (1, 2):
        await happens(services, acme, "message.received", "message.sent", conv_id=conv_id)
    await tell(services, acme, endpoint)
    made = await deliveries_of(services, acme)
    newest_first = sorted(made, key=lambda d: (d.created_at, d.delivery_id), reverse=True)

    async def ids(**query: Any) -> list[int]:
        found: list[int] = []
        cursor: dict[str, str] = {}
        while True:
            status, page = await call(api, "GET", DELIVERIES, limit=2, **query, **cursor)
            assert status == 200
            found += [item["delivery_id"] for item in page["items"]]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    assert await ids() == [delivery.delivery_id for delivery in newest_first]
    assert len(made) == 6
    for query, expected in (
        ({"endpoint_id": other.endpoint_id}, lambda d: d.endpoint_id == other.endpoint_id),
        ({"status": "PENDING"}, lambda d: d.endpoint_id == other.endpoint_id),
        ({"status": "DELIVERED"}, lambda d: d.endpoint_id == endpoint.endpoint_id),
        ({"event_type": "message.sent"}, lambda d: d.event_type == "message.sent"),
        ({"conv_id": 2}, lambda d: d.conv_id == 2),
        (
            {"conv_id": 2, "event_type": "message.sent"},
            lambda d: d.conv_id == 2 and d.event_type == "message.sent",
        ),
        ({"since": made[-1].created_at.isoformat()}, lambda d: d.created_at >= made[-1].created_at),
        ({"until": made[-1].created_at.isoformat()}, lambda d: d.created_at < made[-1].created_at),
        ({"endpoint_id": 2**62}, lambda _: False),
    ):
        wanted = [delivery.delivery_id for delivery in newest_first if expected(delivery)]
        assert await ids(**query) == wanted, query


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("cursor=nonsense", (400, "invalid_cursor")),
        ("status=DONE", (422, "invalid_input")),
        ("event_type=message.*", (422, "invalid_input")),
        ("event_type=%00", (422, "invalid_input")),
        ("endpoint_id=0", (422, "invalid_input")),
        ("conv_id=99999999999999999999", (422, "invalid_input")),
        ("since=0", (422, "invalid_input")),
        ("since=2026-11-25", (422, "invalid_input")),
        ("since=2026-11-25T12:00:00", (422, "invalid_input")),
        ("since=0001-01-01T00:00:00%2B14:00", (422, "invalid_input")),
        ("before=2026-11-25T12:00:00Z", (422, "invalid_input")),
    ],
)
async def test_a_question_to_the_log_that_can_not_be_meant_is_refused(
    api: Api, query: str, expected: tuple[int, str]
) -> None:
    status, problem = await call(api, "GET", f"{DELIVERIES}?{query}")

    assert (status, problem["code"]) == expected


async def test_deliveries_are_replayed_one_or_a_range(
    services: Services, api: Api, acme: Tenant, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    await happens(services, acme, "message.received", "message.sent", conv_id=1)
    await tell(services, acme, endpoint)
    first, second = await deliveries_of(services, acme)

    one, replayed = await call(api, "POST", f"{DELIVERIES}/{first.delivery_id}/replay")
    everything, counted = await call(
        api, "POST", f"{ENDPOINTS}/{endpoint.endpoint_id}/replay", {"since": first.created_at.isoformat()}
    )
    nothing, none = await call(
        api,
        "POST",
        f"{ENDPOINTS}/{endpoint.endpoint_id}/replay",
        {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
    )
    await services.webhook_courier.deliver(acme.owner_id, endpoint.endpoint_id)

    assert (one, everything, nothing) == (202, 202, 202)
    assert (replayed["status"], replayed["webhook_id"]) == ("PENDING", first.webhook_id)
    assert counted == {"replayed": 2, "next_cursor": None}
    assert none == {"replayed": 0, "next_cursor": None}
    assert consumer.ids == [first.webhook_id, second.webhook_id] * 2


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "{endpoint}", None),
        ("PATCH", "{endpoint}", {"is_enabled": False}),
        ("DELETE", "{endpoint}", None),
        ("POST", "{endpoint}/rotate-secret", None),
        ("POST", "{endpoint}/test", None),
        ("POST", "{endpoint}/replay", {"since": "2026-01-01T00:00:00Z"}),
        ("GET", "{delivery}", None),
        ("POST", "{delivery}/replay", None),
    ],
)
async def test_another_owners_endpoint_and_delivery_look_like_ones_that_are_not_there(
    services: Services,
    api: Api,
    acme: Tenant,
    globex: Tenant,
    consumer: Consumer,
    *,
    method: str,
    path: str,
    body: Any,
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    await happens(services, acme, "message.received")
    await tell(services, acme, endpoint)
    [delivery] = await deliveries_of(services, acme)

    def at(endpoint_id: int, delivery_id: int) -> str:
        return path.format(endpoint=f"{ENDPOINTS}/{endpoint_id}", delivery=f"{DELIVERIES}/{delivery_id}")

    theirs, problem = await call(
        api, method, at(endpoint.endpoint_id, delivery.delivery_id), body, key=globex.api_key
    )
    missing, _ = await call(api, method, at(2**62, 2**62), body, key=globex.api_key)

    assert (theirs, missing) == (404, 404)
    assert problem["code"] in {"webhook_endpoint_not_found", "webhook_delivery_not_found"}
    assert await call(api, "GET", ENDPOINTS, key=globex.api_key) == (200, {"items": [], "next_cursor": None})
    assert await call(api, "GET", DELIVERIES, key=globex.api_key) == (200, {"items": [], "next_cursor": None})
