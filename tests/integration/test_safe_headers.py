"""What a browser may make of any answer."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from calling import Api, calling
from factories import Tenant
from owner.api import openapi
from owner.services.catalog import Services


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    async with calling(services, acme.api_key) as program:
        yield program


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/conversations", 200),
        ("GET", "/v1/conversations/9", 404),
        ("POST", "/v1/sessions", 422),
        ("POST", "/webhooks/twilio/inbound", 415),
        ("GET", "/nowhere", 404),
        ("PUT", "/v1/conversations", 405),
        ("GET", "/openapi.json", 200),
        ("GET", "/metrics", 200),
    ],
)
async def test_an_answer_is_kept_by_nobody_and_is_no_page(
    api: Api, method: str, path: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {api.key}"}
    async with api.session.request(method, api.url + path, headers=headers) as answer:
        pass

    assert answer.status == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(("method", "path"), [("GET", "/openapi.json"), ("DELETE", "/v1/labels")])
async def test_the_first_to_need_the_api_s_description_holds_up_nobody(
    api: Api, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    complete, others_were_served = openapi._complete, threading.Event()
    has_begun, loop = asyncio.Event(), asyncio.get_running_loop()
    was_waited_for: list[bool] = []

    def slow(schema: dict[str, Any]) -> dict[str, Any]:
        loop.call_soon_threadsafe(has_begun.set)
        was_waited_for.append(others_were_served.wait(20))
        return complete(schema)

    monkeypatch.setattr(openapi, "_complete", slow)
    first = asyncio.create_task(api.session.request(method, api.url + path))
    await has_begun.wait()
    async with api.session.get(f"{api.url}/health/live") as other:
        others_were_served.set()
    async with await first as answer:
        pass

    assert (other.status, answer.status) == (200, 200 if method == "GET" else 405)
    assert was_waited_for == [True]


async def test_the_page_of_the_api_runs_its_own_scripts_only(api: Api) -> None:
    async with api.session.get(f"{api.url}/docs") as page:
        policy = page.headers["Content-Security-Policy"]
        text = await page.text()
    async with api.session.get(f"{api.url}/docs-static/swagger-ui-bundle.js") as script:
        headers = script.headers

    assert "script-src" not in policy
    assert "default-src 'self'" in policy
    assert "<script>" not in text
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-cache"
