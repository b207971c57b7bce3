"""Whatever is sent over HTTP: answered, or refused as a problem; never a surprise of ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import pytest
from hypothesis import strategies as st

from calling import Api, calling
from factories import Tenant
from fuzzing import Property
from owner.repositories.base import write_cursor
from owner.services.catalog import Services
from working import a_customer_writes

QUICK: Final = 60
LONG: Final = 2_000

# Where a cursor is taken, and the name that its sum is made with: a caller can make one up.
LISTS: Final = {
    "/v1/conversations?": "conversations by newest",
    "/v1/conversations?sort=priority&": "conversations by priority",
    "/v1/conversations?sort=longest_wait&": "conversations by longest_wait",
    "/v1/conversations/{conv_id}/messages?": "messages",
    "/v1/conversations/{conv_id}/events?": "events",
    "/v1/contacts?": "contacts",
    "/v1/contacts?sort=name&": "contacts by name",
    "/v1/events?": "event_feed",
    "/v1/webhook-deliveries?": "webhook_deliveries by created_at",
    "/v1/quarantine?": "quarantine",
    "/v1/users?": "users",
    "/v1/messages/search?q=oi&": "messages found",
}
BODIES: Final = (
    ("POST", "/v1/conversations"),
    ("PATCH", "/v1/conversations/{conv_id}"),
    ("POST", "/v1/conversations/bulk"),
    ("POST", "/v1/conversations/{conv_id}/messages"),
    ("POST", "/v1/contacts"),
    ("POST", "/v1/sessions"),
    ("POST", "/v1/password-resets"),
    ("POST", "/v1/labels"),
    ("POST", "/v1/webhook-endpoints"),
    ("POST", "/v1/closure/score"),
    ("POST", "/v1/api-keys"),
    ("PATCH", "/v1/owners/me"),
    ("POST", "/webhooks/twilio/inbound"),
)
HEADERS: Final = (
    "Authorization", "Idempotency-Key", "Last-Event-ID", "X-Request-Id", "X-Forwarded-For", "Content-Type", "Accept",
    "X-Twilio-Signature", "Range", "If-None-Match",
)  # fmt: skip

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", "\x00", "0001-01-01T00:00:00", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00+00:00"]
    ),
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
fields = st.sampled_from(
    ["name", "email", "password", "content", "conv_ids", "action", "channel", "customer_address", "url", "priority",
     "context", "label", "scopes", "text", "history", "media_urls", "event_types", "settings", "role", "idle_after"]
)  # fmt: skip
positions = st.one_of(documents, st.lists(scalars, min_size=2, max_size=3))
bodies = st.one_of(
    documents.map(json.dumps),
    st.dictionaries(fields, documents, max_size=5).map(json.dumps),
    st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")),
    st.text('[]{}":,0eE+-.\\u\ud800', max_size=40).map(
        lambda text: text.encode("utf-8", "replace").decode("latin-1")
    ),
)
header_values = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00"), max_size=60)

cursors = st.tuples(st.just("cursor"), st.sampled_from(sorted(LISTS)), positions.map(json.dumps))
posts = st.tuples(st.just("body"), st.sampled_from(BODIES).map(list), bodies)
headers = st.tuples(
    st.just("header"),
    st.sampled_from(HEADERS),
    header_values,
    st.sampled_from(["/v1/conversations", "/v1/labels"]),
)


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    async with calling(services, acme.api_key) as program:
        yield program


@pytest.mark.parametrize("examples", [0, QUICK, pytest.param(LONG, marks=pytest.mark.slow)])
@pytest.mark.timeout(900)
async def test_whatever_is_sent_is_answered_or_refused(
    services: Services, acme: Tenant, api: Api, examples: int
) -> None:
    conv_id = await a_customer_writes(services, acme)
    loop = asyncio.get_running_loop()

    def check(given: list[Any]) -> None:
        asyncio.run_coroutine_threadsafe(_send(api, conv_id, given), loop).result()

    promise = Property("requests", st.one_of(cursors, posts, headers).map(list), check)
    if examples:
        await asyncio.to_thread(promise.try_on, examples)
    else:
        assert await asyncio.to_thread(promise.replay) > 0


async def _send(api: Api, conv_id: int, given: list[Any]) -> None:
    sent = {"Authorization": f"Bearer {api.key}", "Content-Type": "application/json"}
    match given:
        case ["cursor", path, position]:
            cursor = write_cursor(json.loads(position), LISTS[path])
            method, url, body = "GET", f"{path}cursor={cursor}", b""
        case ["body", [method, url], text]:
            body = text.encode("latin-1")
            if url.startswith("/webhooks"):
                sent["Content-Type"] = "application/x-www-form-urlencoded"
        case ["header", name, value, url]:
            method, body = "POST", b"{}"
            sent[name] = value
    url = url.replace("{conv_id}", str(conv_id))
    try:
        async with api.session.request(method, api.url + url, data=body, headers=sent) as response:
            raw = await response.read()
    except (aiohttp.ClientError, ValueError):
        return  # the client itself would not send it, or read the end of a connection as a problem
    assert response.status < 500, (given, raw)
    if response.status >= 400:
        assert json.loads(raw)["code"]
