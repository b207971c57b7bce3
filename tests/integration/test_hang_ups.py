"""Callers who leave in the middle of what they say, and forms that can't be read."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from structlog.testing import capture_logs

from browsing import Browser, browsing
from factories import Tenant
from owner.services.catalog import Services
from reading import rows
from visiting import PASSWORD

PATIENCE = 60.0
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def browser(services: Services, acme: Tenant) -> AsyncIterator[Browser]:
    """Of somebody who has signed in."""
    async with browsing(services) as opened:
        await opened.sign_in(acme.owner.email, PASSWORD)
        yield opened


async def say_half(browser: Browser, path: str, **headers: str) -> None:
    """Announce a hundred bytes, send a few, hang up."""
    host, port = browser.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Length: 100"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", "half"]).encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def cookies(browser: Browser) -> str:
    return "; ".join(f"{cookie.key}={cookie.value}" for cookie in browser.session.cookie_jar)


CALLS: dict[str, Callable[[Browser, Tenant], tuple[str, dict[str, str]]]] = {
    "Twilio": lambda _browser, _acme: ("/webhooks/twilio/inbound", FORM),
    "a program": lambda _browser, acme: (
        "/v1/conversations",
        {"Content-Type": "application/json", "Authorization": f"Bearer {acme.api_key}"},
    ),
    "a program that may repeat": lambda _browser, acme: (
        "/v1/conversations",
        {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {acme.api_key}",
            "Idempotency-Key": "1",
        },
    ),
    "somebody at the door": lambda _browser, _acme: ("/inbox/sign-in", FORM),
    "somebody inside": lambda browser, _acme: (
        "/inbox/conversations/1/messages",
        {**FORM, "Cookie": cookies(browser)},
    ),
}


@pytest.mark.parametrize("who", CALLS)
async def test_who_hangs_up_is_no_crash(services: Services, browser: Browser, acme: Tenant, who: str) -> None:
    path, headers = CALLS[who](browser, acme)

    with capture_logs() as logs:
        await say_half(browser, path, **headers)
        async with asyncio.timeout(PATIENCE):
            while not logs:  # noqa: ASYNC110 - the log tells nobody
                await asyncio.sleep(0.01)

    assert [(line["event"], line["log_level"]) for line in logs] == [("request_abandoned", "info")]
    assert await rows(services, acme, "SELECT * FROM conversations") == []


async def test_a_form_that_can_not_be_read_is_told_and_is_no_crash(browser: Browser) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    with capture_logs() as logs:
        answer = await browser.session.post(f"{browser.url}/inbox/sign-in", data=b"nonsense", headers=headers)
        told = await answer.text()

    assert (answer.status, logs) == (422, [])
    assert "That did not work" in told


async def test_a_form_without_an_end_is_refused_before_it_is_read_whole(browser: Browser) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"email="
        for _ in range(40):
            yield b"a" * 65_536

    with capture_logs() as logs:
        answer = await browser.session.post(f"{browser.url}/inbox/sign-in", data=endless(), headers=FORM)

    assert (answer.status, logs) == (413, [])


async def test_who_is_not_let_in_leaves_a_line_in_the_log(browser: Browser, acme: Tenant) -> None:
    with capture_logs() as logs:
        await browser.session.get(f"{browser.url}/v1/conversations", headers={"Authorization": "Bearer no"})
        await browser.post("/inbox/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
        browser.session.cookie_jar.clear()
        await browser.sign_in(acme.owner.email, "wrong horse")

    refused = [(line["code"], line["status"]) for line in logs if line["event"] == "request_refused"]
    assert refused == [("unauthenticated", 401), ("forbidden", 403), ("sign_in_rejected", 401)]
