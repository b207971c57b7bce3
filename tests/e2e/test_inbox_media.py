"""Files and places of every kind, as a browser shows them."""

import asyncio
import math
import struct
import wave
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Final

import pytest
from playwright.async_api import Page, Route, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Path

from e2e.desk import SitDown, hear, line_of
from e2e.stage import Stage, eventually
from factories import Tenant, some_number
from serving import serving

pytestmark = pytest.mark.timeout(300)  # the first one may have to install the browser

PICTURE: Final = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PDF: Final = b"%PDF-1.4\n1 0 obj<<>>endobj\n%%EOF"
FILM: Final = """
() => new Promise((done) => {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: "video/webm" });
  const pieces = [];
  recorder.ondataavailable = ({ data }) => pieces.push(data);
  recorder.onstop = async () => {
    const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
    done(btoa(String.fromCharCode(...bytes)));
  };
  recorder.start();
  let shown = 0;
  const clock = setInterval(() => {
    pen.fillStyle = `hsl(${shown * 30} 60% 50%)`;
    pen.fillRect(0, 0, 300, 150);
    shown += 1;
    if (shown > 12) { clearInterval(clock); recorder.stop(); }
  }, 40);
})
"""  # made by the browser itself


async def test_a_picture_is_sent_and_looked_at(running: Stage, acme: Tenant, sit_down: SitDown) -> None:
    page = await sit_down()
    await hear(running, acme, page, "Como é o bolo?")

    await page.locator("#files").set_input_files(
        {"name": "bolo.png", "mimeType": "image/png", "buffer": PICTURE}
    )
    await expect(page.locator("#chosen-files")).to_contain_text("bolo.png")
    await page.get_by_role("button", name="Send", exact=True).click()
    await page.locator(".message.outbound [data-lightbox]").click()

    await expect(page.locator("#lightbox img")).to_be_visible()
    await expect(
        page.locator(".message.outbound .tick-delivered, .message.outbound .tick-read")
    ).to_be_attached()


@asynccontextmanager
async def watching_a_file(
    running: Stage, acme: Tenant, page: Page, content: bytes | None
) -> AsyncIterator[asyncio.Event]:
    """A page with a file that is on its way, until the event lets it go."""
    ana = f"whatsapp:{some_number()}"
    async with holding(content, "image/png") as (url, lets_go):
        conv_id = await running.write(acme, ana, "", media=[{"content_type": "image/png", "url": url}])
        await page.goto(f"/inbox/conversations/{conv_id}")
        await expect(page.locator("#thread")).to_contain_text("The file is on its way")
        yield lets_go


async def test_a_file_that_was_on_its_way_appears_once_it_is_there(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page = await sit_down()
    async with watching_a_file(running, acme, page, PICTURE) as lets_go:
        lets_go.set()

        await expect(page.locator("#thread [data-lightbox] img")).to_be_visible()
    await expect(page.locator("#thread")).not_to_contain_text("The file is on its way")


async def test_a_file_that_can_not_be_had_is_given_up_before_everybodys_eyes(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page = await sit_down()
    async with watching_a_file(running, acme, page, None) as lets_go:
        lets_go.set()

        await expect(page.locator("#thread")).to_contain_text("The file could not be fetched")


async def test_what_comes_while_a_conversation_is_being_opened_is_shown_too(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page, ana = await sit_down(), f"whatsapp:{some_number()}"
    read, arrives = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        answer = await route.fetch()
        read.set()
        await arrives.wait()
        await route.fulfill(response=answer)

    async with holding(PICTURE, "image/png") as (url, lets_go):
        file = {"content_type": "image/png", "url": url}
        conv_id = await running.write(acme, ana, "Chegou assim", media=[file])
        await page.route(f"**/inbox/conversations/{conv_id}", hold, times=1)
        await line_of(page, "Chegou assim").click()
        await read.wait()
        lets_go.set()
        stored = "SELECT FROM media WHERE status = 'STORED'"
        await eventually(lambda: running.rows(acme, stored), "the file is fetched")
        await running.write(acme, ana, "E agora?")
        await expect(line_of(page, "E agora?")).to_be_visible()  # so the page has heard of the file too
        arrives.set()

        await expect(page.locator("#thread [data-lightbox] img")).to_be_visible()


async def test_recordings_films_documents_and_places_are_shown_and_played(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page, ana = await sit_down(), f"whatsapp:{some_number()}"
    film = await page.evaluate(FILM)
    for content_type, content in (
        ("audio/wav", b64encode(_tone()).decode()),
        ("video/webm", film),
        ("application/pdf", b64encode(PDF).decode()),
    ):
        file = {"content_type": content_type, "data_base64": content}
        await running.write(acme, ana, "", media=[file])
    place = {"latitude": -23.5614, "longitude": -46.6559, "label": "MASP", "address": "Av. Paulista, 1578"}
    conv_id = await running.write(acme, ana, "", location=place)

    await page.goto(f"/inbox/conversations/{conv_id}")

    for kind in ("audio", "video"):
        player = page.locator(f"#thread {kind}")
        await expect(player).to_be_attached()
        await player.evaluate("player => { player.muted = true; return player.play(); }")
        await _played(page, kind)
    await expect(page.get_by_role("link", name="Document")).to_contain_text("PDF")
    shared = page.get_by_role("link", name="MASP")
    await expect(shared).to_contain_text("Av. Paulista, 1578")
    await expect(shared).to_have_attribute(
        "href", "https://www.openstreetmap.org/?mlat=-23.5614&mlon=-46.6559#map=17/-23.5614/-46.6559"
    )


@asynccontextmanager
async def holding(content: bytes | None, content_type: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Where the provider keeps a file that comes late, or, without content, that nobody may have; and its signal."""
    lets_go = asyncio.Event()

    async def give(_request: Request) -> Response:
        await lets_go.wait()
        return Response(content, 410 if content is None else 200, media_type=content_type)

    async with serving(Starlette(routes=[Path("/", give)])) as url:
        yield url, lets_go
        lets_go.set()


async def _played(page: Page, kind: str) -> None:
    async def look() -> bool:
        return bool(await page.evaluate(f"document.querySelector('#thread {kind}').currentTime > 0"))

    await eventually(look, f"the {kind} plays")


def _tone() -> bytes:
    """Half a second of sound."""
    made = BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(step / 5))) for step in range(4000)))
    return made.getvalue()
