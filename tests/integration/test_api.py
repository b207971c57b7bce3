"""The REST API over real HTTP: who is let in, what is refused, and how that is said."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from factories import Tenant, make_inbound, some_number, some_sid
from fakes import FakeGateway
from owner.models.api_key import hash_key, new_key
from owner.models.message import Attachment
from owner.models.permissions import ALL_SCOPES
from owner.repositories.api_keys import ApiKeyRepository
from owner.services.catalog import Services
from owner.services.ports import FetchedMedia
from reading import conversations_of, rows
from visiting import Visit, visiting

PAGE = b"<html><script>alert(1)</script>"


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Visit]:
    async with visiting(services) as visit:
        yield visit


async def some_conversation(services: Services, tenant: Tenant, **changes: Any) -> int:
    receipt = await services.inbound.receive(
        make_inbound(tenant, customer=some_number(), **changes),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    assert receipt.conv_id is not None
    return receipt.conv_id


@pytest.mark.parametrize("authorization", [None, "Bearer ok_wrong", "Bearer ", "Basic b2s6b2s=", "Bearer é"])
async def test_without_a_valid_key_nothing_is_told(api: Visit, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}

    async with api.session.get(f"{api.url}/v1/conversations", headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert (await response.json(content_type=None))["code"] == "unauthenticated"


@pytest.mark.parametrize("column", ["expires_at", "revoked_at"])
async def test_an_expired_or_revoked_key_is_refused(
    services: Services, api: Visit, acme: Tenant, column: str
) -> None:
    key, now = new_key(), services.inbound.clock.now()
    async with services.database.owner(acme.owner_id) as connection:
        await ApiKeyRepository(connection).add(
            {
                "owner_id": acme.owner_id,
                "name": "former",
                "prefix": key[:8],
                "key_hash": hash_key(key),
                "scopes": [ALL_SCOPES],
                column: now - timedelta(seconds=1),
            }
        )

    status, problem = await api.call("GET", "/v1/conversations", key=key)

    assert (status, problem["code"]) == (401, "unauthenticated")


async def test_the_key_of_a_suspended_owner_is_refused(services: Services, api: Visit, acme: Tenant) -> None:
    await rows(services, acme, "UPDATE owners SET suspended_at = now() RETURNING owner_id")

    status, _ = await api.call("GET", "/v1/conversations", key=acme.api_key)

    assert status == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/conversations/{}", None),
        ("GET", "/v1/conversations/{}/messages", None),
        ("GET", "/v1/conversations/{}/events", None),
        ("POST", "/v1/conversations/{}/messages", {"content": "Olá"}),
        ("POST", "/v1/conversations/{}/close", {}),
        ("POST", "/v1/conversations/{}/extend", {}),
    ],
)
async def test_another_owners_conversation_looks_like_one_that_is_not_there(
    services: Services, api: Visit, acme: Tenant, globex: Tenant, *, method: str, path: str, body: Any
) -> None:
    theirs, missing = await some_conversation(services, acme), 2**62

    answers = [
        await api.call(method, path.format(conv_id), key=globex.api_key, json=body)
        for conv_id in (theirs, missing)
    ]

    shapes = []
    for (status, problem), conv_id in zip(answers, (theirs, missing), strict=True):
        assert (status, problem["code"]) == (404, "conversation_not_found")
        del problem["request_id"]
        shapes.append(re.sub(rf"\b{conv_id}\b", "ID", str(problem)))
    assert shapes[0] == shapes[1]


async def test_a_conversation_can_be_opened_found_answered_and_closed(
    services: Services, api: Visit, acme: Tenant
) -> None:
    create = {"channel": "SMS", "customer_address": some_number(), "context": {"order": 42}}

    created, opened = await api.call("POST", "/v1/conversations", key=acme.api_key, json=create)
    found, same = await api.call("POST", "/v1/conversations", key=acme.api_key, json=create)
    path = f"/v1/conversations/{opened['conv_id']}"
    sent, message = await api.call("POST", f"{path}/messages", key=acme.api_key, json={"content": "Olá"})
    closed, after = await api.call("POST", f"{path}/close", key=acme.api_key, json={"reason": "done"})
    _, events = await api.call("GET", f"{path}/events", key=acme.api_key)

    assert (created, found, sent, closed) == (201, 200, 202, 200)
    assert same["conv_id"] == opened["conv_id"]
    assert (message["delivery_status"], message["message_owner"]) == ("QUEUED", "AGENT")
    assert (after["status"], after["closed_by"], after["closed_reason"]) == (
        "AGENT_CLOSED",
        "API_KEY",
        "done",
    )
    assert [event["type"] for event in events["items"]] == [
        "conversation.opened",
        "message.queued",
        "conversation.closed",
    ]
    assert [conversation.conv_id for conversation in await conversations_of(services, acme)] == [
        opened["conv_id"]
    ]


async def test_closing_twice_is_a_conflict_that_names_both_states(
    services: Services, api: Visit, acme: Tenant
) -> None:
    path = f"/v1/conversations/{await some_conversation(services, acme)}/close"
    await api.call("POST", path, key=acme.api_key)

    status, problem = await api.call("POST", path, key=acme.api_key, json={"status": "SUPPORT_CLOSED"})

    assert (status, problem["status"], problem["code"]) == (409, 409, "invalid_transition")
    assert "AGENT_CLOSED" in problem["detail"]
    assert "SUPPORT_CLOSED" in problem["detail"]


@pytest.mark.parametrize("verb", ["messages", "extend"])
async def test_what_a_closed_conversation_refuses_is_a_conflict(
    services: Services, api: Visit, acme: Tenant, verb: str
) -> None:
    path = f"/v1/conversations/{await some_conversation(services, acme)}"
    await api.call("POST", f"{path}/close", key=acme.api_key)

    body = {"content": "Olá"} if verb == "messages" else {"minutes": 5}
    status, problem = await api.call("POST", f"{path}/{verb}", key=acme.api_key, json=body)

    assert (status, problem["status"], problem["code"]) == (409, 409, "conversation_closed")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("", {"customer_address": "+5511987654321", "colour": "red"}, "colour"),
        ("", {"customer_address": "ana"}, "customer_address"),
        ("", {"customer_address": "whatsapp:+5511987654321", "channel": "SMS"}, "customer_address"),
        ("", {"customer_address": "+5511987654321", "context": {"a": "\x00"}}, None),
        ("", {"customer_address": "+5511987654321", "contact_name": "a\x00"}, None),
        ("", {"customer_address": "+5511987654321", "context": {"a\x00": ["\ud800"]}}, None),
        ("/{}/messages", {"content": "Olá", "media_url": "https://a.example/b"}, "media_url"),
        ("/{}/messages", {"content": "a\x00b"}, None),
        ("/{}/messages", {"content": "\ud800"}, None),
        ("/{}/messages", {"content": "Olá", "\ud800": 1}, None),
        ("/{}/messages", {"content_sid": "HX" + "0" * 32, "content_variables": {"1": "\x00"}}, None),
        ("/{}/messages", {"content": "   "}, None),
        ("/{}/close", {"status": "AGENT_CLOSED", "by": "ana"}, "by"),
        ("/{}/close", {"reason": "a\x00b"}, None),
        ("/{}/close", {"status": "PROGRESS"}, "status"),
        ("/{}/close", {"status": "IDLE_TIMEOUT"}, "status"),
        ("/{}/extend", {"minutes": 0}, "minutes"),
        ("/{}/extend", {"minutes": 5, "hours": 1}, "hours"),
    ],
)
async def test_a_body_that_can_not_be_meant_is_refused_with_its_field(
    services: Services, api: Visit, acme: Tenant, *, path: str, body: dict[str, Any], field: str | None
) -> None:
    conv_id = await some_conversation(services, acme)

    status, problem = await api.call(
        "POST", "/v1/conversations" + path.format(conv_id), key=acme.api_key, json=body
    )

    assert (status, problem["code"]) in {(422, "invalid_input"), (422, "invalid_address")}
    assert field is None or problem["field"] == field


@pytest.mark.parametrize("raw", [b"{", b"[" * 100_000, b"\xff", b"null", b"[]"])
async def test_a_body_that_is_no_object_is_a_clear_refusal(
    services: Services, api: Visit, acme: Tenant, raw: bytes
) -> None:
    conv_id = await some_conversation(services, acme)

    async with api.session.post(
        f"{api.url}/v1/conversations/{conv_id}/messages",
        data=raw,
        headers={"Authorization": f"Bearer {acme.api_key}", "Content-Type": "application/json"},
    ) as response:
        assert response.status in {400, 422}
        assert response.content_type == "application/problem+json"


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", None])
async def test_a_body_that_is_not_called_json_is_told_how_to_be_sent(
    services: Services, api: Visit, acme: Tenant, content_type: str | None
) -> None:
    conv_id = await some_conversation(services, acme)

    async with api.session.post(
        f"{api.url}/v1/conversations/{conv_id}/messages",
        data=b'{"content": "Oi"}',
        headers={"Authorization": f"Bearer {acme.api_key}", "Content-Type": content_type or ""},
    ) as response:
        problem = await response.json(content_type="application/problem+json")

    assert (response.status, problem["code"]) == (415, "unsupported_media_type")
    assert problem["detail"] == "Send application/json."


async def test_lists_are_read_page_by_page_until_nothing_is_left(
    services: Services, api: Visit, acme: Tenant
) -> None:
    made = [await some_conversation(services, acme) for _ in range(5)]

    seen, cursor, path = [], None, "/v1/conversations"
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        status, page = await api.call("GET", path, key=acme.api_key, params=query)
        assert status == 200
        seen += [item["conv_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == sorted(made, reverse=True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("cursor=nonsense", (400, "invalid_cursor")),
        ("cursor=%00", (422, "invalid_input")),
        ("cursor=é", (400, "invalid_cursor")),
        ("limit=0", (422, "invalid_input")),
        ("limit=101", (422, "invalid_input")),
        ("status=DONE", (422, "invalid_input")),
    ],
)
async def test_a_question_that_can_not_be_meant_is_refused(
    api: Visit, acme: Tenant, query: str, expected: tuple[int, str]
) -> None:
    status, problem = await api.call("GET", f"/v1/conversations?{query}", key=acme.api_key)

    assert (status, problem["code"]) == expected


@pytest.mark.parametrize("conv_id", ["0", "9" * 30])
async def test_an_id_that_can_not_be_one_is_refused(api: Visit, acme: Tenant, conv_id: str) -> None:
    status, problem = await api.call("GET", f"/v1/conversations/{conv_id}", key=acme.api_key)

    assert (status, problem["field"]) == (422, "conv_id")


async def test_a_word_in_the_place_of_an_id_leads_nowhere(api: Visit, acme: Tenant) -> None:
    status, problem = await api.call("GET", "/v1/conversations/abc", key=acme.api_key)

    assert (status, problem["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "expected"), [("GET", "/v1/nothing", 404), ("PUT", "/v1/conversations", 405)]
)
async def test_what_the_framework_refuses_is_a_problem_too(
    api: Visit, method: str, path: str, expected: int
) -> None:
    status, problem = await api.call(method, path, key=None)

    assert (status, problem["status"]) == (expected, expected)
    assert problem["request_id"]


async def test_openapi_lists_every_route_with_a_summary(api: Visit) -> None:
    status, document = await api.call("GET", "/openapi.json", key=None)

    assert status == 200
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert all(operation["summary"] and operation["description"] for operation in operations)
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))


async def test_the_documentation_page_needs_no_internet(api: Visit) -> None:
    async with api.session.get(f"{api.url}/docs") as response:
        page = await response.text()
    files = [part.split('"')[0] for part in page.replace("src=", "href=").split('href="')[1:]]

    assert len(files) >= 4
    for file in files:
        assert "//" not in file
        async with api.session.get(f"{api.url}/{file}") as response:
            assert response.status == 200


async def test_health_is_good_without_a_key(api: Visit) -> None:
    status, health = await api.call("GET", "/health", key=None)

    assert (status, health["status"], health["database"]) == (200, "ok", "ok")
    assert health["revision"] == health["expected_revision"]


async def test_a_file_is_served_to_its_owner_only_and_nothing_in_it_can_run(
    services: Services, api: Visit, acme: Tenant, globex: Tenant, gateway: FakeGateway
) -> None:
    url = f"https://api.twilio.com/{some_sid('ME')}"
    gateway.media[url] = FetchedMedia(PAGE, "text/html")
    conv_id = await some_conversation(
        services, acme, attachments=[Attachment(url=url, content_type="image/jpeg")]
    )
    [file] = await rows(services, acme, "SELECT media_id FROM media")
    path = f"/v1/media/{file['media_id']}"

    too_early, _ = await api.call("GET", path, key=acme.api_key)
    await services.media.fetch(acme.owner_id, file["media_id"])
    async with api.session.get(
        api.url + path, headers={"Authorization": f"Bearer {acme.api_key}"}
    ) as response:
        content, headers = await response.read(), response.headers
    theirs, problem = await api.call("GET", path, key=globex.api_key)
    nobodys, _ = await api.call("GET", path, key=None)
    _, page = await api.call("GET", f"/v1/conversations/{conv_id}/messages", key=acme.api_key)

    assert too_early == 404
    assert content == PAGE
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["Cache-Control"].startswith("private")
    assert (theirs, problem["code"], nobodys) == (404, "media_not_found", 401)
    [shown] = page["items"][0]["media"]
    assert (shown["url"], shown["is_available"], shown["size"]) == (path, True, len(PAGE))
