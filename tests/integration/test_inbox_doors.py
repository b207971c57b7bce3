"""People come into the inbox by its door only, and what others send in their name is refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from browsing import Browser, browsing
from factories import Tenant
from owner.api import sse
from owner.inbox.doors import own_place
from owner.models.permissions import Permission
from owner.models.user import hash_email
from owner.services import access
from owner.services.catalog import Services
from owner.services.rate_limits import RateLimitService, RateLimitSettings
from reading import rows
from visiting import PASSWORD, visiting

IN_A_PAGE = {"HX-Request": "true"}


@pytest.fixture
async def browser(services: Services) -> AsyncIterator[Browser]:
    async with browsing(services) as opened:
        yield opened


async def test_who_is_not_signed_in_is_led_to_the_door_and_back(browser: Browser, acme: Tenant) -> None:
    door = await browser.get("/inbox/conversations?view=closed")

    inside = await browser.sign_in(acme.owner.email, PASSWORD, next="/inbox/conversations?view=closed")

    assert door.path == "/inbox/sign-in?next=/inbox/conversations?view%3Dclosed"
    assert inside.path == "/inbox/conversations?view=closed"


async def test_the_bare_address_leads_to_the_inbox(browser: Browser) -> None:
    assert (await browser.get("/")).path == "/inbox/sign-in?next=/inbox/conversations"


@pytest.mark.parametrize(
    ("method", "path"), [("HEAD", "/inbox"), ("GET", "/inbox/sign-out"), ("PUT", "/inbox/sign-in")]
)
async def test_a_page_asked_for_in_a_way_it_does_not_know_says_so(
    browser: Browser, method: str, path: str
) -> None:
    async with browser.session.request(method, browser.url + path, allow_redirects=False) as answer:
        pass

    assert (answer.status, bool(answer.headers["Allow"])) == (405, True)


async def test_a_wrong_password_is_told_and_the_email_stays(browser: Browser, acme: Tenant) -> None:
    door = await browser.sign_in(acme.owner.email, "wrong horse")

    assert door.status == 401
    assert "E-mail or password is wrong." in door.text
    assert f'value="{acme.owner.email}"' in door.html


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(
    browser: Browser, acme: Tenant
) -> None:
    answer = await browser.session.post(
        f"{browser.url}/inbox/sign-in",
        data={"email": acme.owner.email, "password": PASSWORD},
        allow_redirects=False,
    )

    cookie = answer.headers["Set-Cookie"]
    for word in ("HttpOnly", "SameSite=lax", "Path=/;", "Secure", "__Host-"):
        assert word in cookie


async def test_who_signs_out_is_out(browser: Browser, acme: Tenant) -> None:
    await browser.sign_in(acme.owner.email, PASSWORD)

    await browser.post("/inbox/sign-out")

    assert (await browser.get("/inbox/conversations")).path.startswith("/inbox/sign-in")


async def test_what_a_browser_kept_goes_when_they_sign_out(browser: Browser, acme: Tenant) -> None:
    await browser.sign_in(acme.owner.email, PASSWORD)

    answer = await browser.session.post(
        f"{browser.url}/inbox/sign-out", data={"csrf_token": browser.csrf_token}, allow_redirects=False
    )

    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert '__Host-owner_session=""; expires=' in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}],
    ids=["a browser of today", "an older one", "a page of nowhere"],
)
async def test_a_form_of_another_site_does_nothing(
    browser: Browser, acme: Tenant, headers: dict[str, str]
) -> None:
    door = await browser.post("/inbox/sign-in", headers=headers, email=acme.owner.email, password=PASSWORD)
    await browser.sign_in(acme.owner.email, PASSWORD)

    answer = await browser.post("/inbox/sign-out", headers=headers)

    assert (door.status, answer.status) == (403, 403)
    assert (await browser.get("/inbox/conversations")).status == 200


async def test_a_form_of_ours_is_known_by_its_origin_too(browser: Browser, acme: Tenant) -> None:
    await browser.post(
        "/inbox/sign-in", headers={"Origin": browser.url}, email=acme.owner.email, password=PASSWORD
    )

    assert (await browser.get("/inbox/conversations")).status == 200


async def test_a_form_without_the_sessions_token_does_nothing(browser: Browser, acme: Tenant) -> None:
    await browser.sign_in(acme.owner.email, PASSWORD)

    answer = await browser.post("/inbox/sign-out", with_token=False)

    assert answer.status == 403
    assert (await browser.get("/inbox/conversations")).status == 200


async def test_pages_are_counted_as_other_requests_are(services: Services, acme: Tenant) -> None:
    limits = RateLimitService(RateLimitSettings(key_per_minute=3))
    async with browsing(replace(services, rate_limits=limits)) as browser:
        inside = await browser.sign_in(acme.owner.email, PASSWORD)
        seen = [(await browser.get("/inbox/conversations")).status for _ in range(3)]

    assert (inside.status, seen) == (200, [200, 200, 429])


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example",
        "//evil.example/inbox",
        "/inbox\\@evil.example",
        "javascript:alert(1)",
        "/inbox/\r\nSet-Cookie: a=b",
        "//[",
        "",
    ],
)
def test_the_door_leads_nowhere_else(place: str) -> None:
    assert own_place(place) == "/inbox/conversations"


async def test_the_door_leads_to_a_search_in_any_alphabet_page_or_part_of_one(
    browser: Browser, acme: Tenant
) -> None:
    part = await browser.post(
        "/inbox/sign-in",
        headers=IN_A_PAGE,
        email=acme.owner.email,
        password=PASSWORD,
        next="/inbox/conversations?q=ação €",
    )

    assert (part.status, part.headers["HX-Redirect"]) == (
        200,
        "/inbox/conversations?q=a%C3%A7%C3%A3o%20%E2%82%AC",
    )


@pytest.mark.parametrize("origin", ["http://[", "https://", "owner.example", ""])
async def test_an_origin_that_is_no_address_is_another_site(
    browser: Browser, acme: Tenant, origin: str
) -> None:
    answer = await browser.post(
        "/inbox/sign-in", headers={"Origin": origin}, email=acme.owner.email, password=PASSWORD
    )

    assert answer.status == 403


async def test_an_email_is_found_however_it_was_typed_and_counted_once(
    services: Services, acme: Tenant
) -> None:
    limits = RateLimitService(RateLimitSettings(password_reset=2))
    services.password_resets.rate_limits = limits
    async with browsing(services) as browser:
        answers = [
            await browser.post("/inbox/password-forgotten", email=typed)
            for typed in (acme.owner.email, f" {acme.owner.email.upper()} ", acme.owner.email.title())
        ]

    async with services.database.system() as connection:
        jobs = await connection.fetch(
            "SELECT convert_from(payload, 'UTF8') AS payload FROM jobs.pgqueuer"
            " WHERE entrypoint = 'password_reset_asked' ORDER BY id DESC LIMIT 2"
        )
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert all(hash_email(acme.owner.email).hex() in job["payload"] for job in jobs)


@asynccontextmanager
async def _open_page(browser: Browser, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """What a page that is open is told, from its beginning on; it has to end by itself after the block."""
    monkeypatch.setattr(sse, "RECHECK", 0.2)
    monkeypatch.setattr(sse, "HEARTBEAT", 0.1)
    await browser.sign_in(acme.owner.email, PASSWORD)
    async with asyncio.timeout(60), browser.session.get(f"{browser.url}/inbox/live") as stream:
        await stream.content.readuntil(b"\n\n")
        yield
        await stream.content.read()  # to its end


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET is_active = false WHERE user_id = $1 RETURNING 1",
        "DELETE FROM sessions WHERE user_id = $1 RETURNING 1",
    ],
    ids=["shut out", "signed out elsewhere"],
)
async def test_what_an_open_page_is_told_ends_with_the_right_to_see_it(
    services: Services, browser: Browser, acme: Tenant, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    async with _open_page(browser, acme, monkeypatch):
        await rows(services, acme, change, acme.user_id)


async def test_who_is_shut_out_hears_nothing_that_happens_afterwards(
    services: Services, acme: Tenant
) -> None:
    async with visiting(services) as visit:
        user_id, token = await visit.person(acme, "bruno@acme.example")
        heard = visit.session.get(
            f"{visit.url}/v1/events/stream", headers={"Authorization": f"Bearer {token}"}
        )
        async with asyncio.timeout(20), heard as stream:  # it would be asked again after 30 seconds anyway
            await stream.content.readuntil(b"\n\n")
            path = f"/v1/users/{user_id}"
            await visit.call("PATCH", path, key=acme.api_key, json={"is_active": False})
            await visit.call("POST", "/v1/labels", key=acme.api_key, json={"name": "after"})
            told = await stream.content.read()

    assert b"label.created" not in told


async def test_what_an_open_page_is_told_ends_when_the_role_no_longer_hears_it(
    browser: Browser, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _open_page(browser, acme, monkeypatch):
        monkeypatch.setattr(access, "permissions_of_role", lambda role: frozenset({Permission.SELF}))


async def test_nobody_is_promised_a_mail_that_cannot_be_sent(browser: Browser, services: Services) -> None:
    services.password_links.mailer = None

    page = await browser.get("/inbox/password-forgotten")

    assert "No mail is sent from here" in page.html
    assert '<form method="post">' not in page.html


async def test_an_open_page_hears_in_silence_that_the_server_is_there(
    browser: Browser, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT", 0.1)
    await browser.sign_in(acme.owner.email, PASSWORD)

    async with asyncio.timeout(60), browser.session.get(f"{browser.url}/inbox/live") as stream:
        told = await stream.content.readuntil(b"event: alive\n")

    assert told


@pytest.mark.parametrize("path", ["/inbox/sign-in", "/inbox/password-forgotten", "/inbox/password?token=x"])
async def test_every_page_forbids_inline_scripts_and_frames(browser: Browser, path: str) -> None:
    page = await browser.get(path)

    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("accepted", "words"), [("pt-BR,pt;q=0.9", "Entrar"), ("es", "Entrar"), ("fr, en", "Sign in")]
)
async def test_the_door_speaks_the_browsers_language(browser: Browser, accepted: str, words: str) -> None:
    page = await browser.get("/inbox/sign-in", headers={"Accept-Language": accepted})

    assert f"<h1>{words}</h1>" in page.html
