"""Takes the README's pictures of the running demo: `make screenshots`."""

import asyncio
import base64
import json
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from filelock import FileLock
from playwright.async_api import Browser, Page, ViewportSize

from e2e.chromium import HOW, find_chromium, open_browser
from e2e.stage import HOST, Program, free_port

FOLDER: Final = Path(__file__).parents[2] / "docs" / "screenshots"
COMPANY: Final = "whatsapp:+551150284400"
CUSTOMERS: Final = [
    (
        "whatsapp:+5511912345601",
        "Ana Souza",
        ["Oi! Vocês fazem bolo sem glúten?", "É para sábado, 12 pessoas"],
    ),
    ("whatsapp:+5511912345602", "Bruno Lima", ["Meu pedido 4711 ainda não chegou"]),
    ("whatsapp:+5511912345603", "Carla Dias", ["Bom dia! Queria encomendar 50 pães de queijo"]),
    ("+5511912345604", "", ["Aceitam cartão?"]),
    ("whatsapp:+5511912345605", "Elisa Prado", ["Qual é o horário no domingo?"]),
]
ANA: Final = CUSTOMERS[0][0]
ANSWER: Final = (
    "Fazemos, sim, Ana! Para 12 pessoas o de laranja sai por R$ 96. Posso reservar para sábado às 10 h?"
)
REPLY: Final = "Pode! Retiro às 10 h 🙏"
DESK: Final[ViewportSize] = {"width": 1280, "height": 800}
POCKET: Final[ViewportSize] = {"width": 390, "height": 844}


async def main() -> None:
    executable = find_chromium(FileLock(Path(tempfile.gettempdir()) / "owner-chromium.lock"))
    if executable is None:
        raise SystemExit(HOW)
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with _demo(Path(folder)) as (site, phone), open_browser(executable) as browser:
            sign_in = json.loads((Path(folder) / "home" / "demo.json").read_text())
            inbox = await _seat(browser, site, sign_in, viewport=DESK)
            await _talk(inbox, phone)
            await _keep(inbox, "inbox")
            await _side_by_side(browser, [await _picture_of_phone(browser, phone), await inbox.screenshot()])
            await inbox.goto(f"{site}/inbox/overview")
            await inbox.get_by_role("link", name="7 dias").click()
            await _keep(inbox, "overview")
            await _keep(
                await _open(await _seat(browser, site, sign_in, viewport=DESK, color_scheme="dark")), "dark"
            )
            pocket = await _seat(browser, site, sign_in, viewport=POCKET, is_mobile=True)
            await _keep(await _open(pocket), "phone-sized")


async def _talk(inbox: Page, phone: str) -> None:
    """Five customers write, Ana is answered and agrees."""
    await _tell(phone, CUSTOMERS)
    await inbox.locator(".line", has_text="Ana Souza").click()
    await inbox.locator("#content").fill(ANSWER)
    await inbox.locator("#content").press("Enter")
    await inbox.locator(".tick-delivered, .tick-read").last.wait_for(state="attached")
    await _tell(phone, [(ANA, "Ana Souza", [REPLY])])
    await inbox.locator(".message", has_text="Retiro").wait_for()


async def _picture_of_phone(browser: Browser, phone: str) -> bytes:
    page = await browser.new_page(viewport=DESK, locale="pt-BR")
    query = urlencode({"number": ANA.removeprefix("whatsapp:"), "to": COMPANY, "name": "Ana Souza"})
    await page.goto(f"{phone}/simulator?{query}")
    await page.locator(".bubble").first.wait_for()
    return await page.locator(".phone").screenshot()


@asynccontextmanager
async def _demo(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """The addresses of the product and of the simulator."""
    port = free_port()
    demo = Program("demo", "--port", str(port), env={"OWNER_HOME": str(folder / "home")}, folder=folder)
    try:
        await demo.says("It keeps running")
        line = next(line for line in demo.output.splitlines() if "/simulator?" in line)
        phone = line.split()[-1].split("/simulator")[0]
        yield f"http://{HOST}:{port}", phone
    finally:
        await demo.end()


async def _seat(browser: Browser, site: str, sign_in: dict[str, str], **options: Any) -> Page:
    context = await browser.new_context(locale="pt-BR", **options)
    page = await context.new_page()
    await page.goto(f"{site}/inbox")
    await page.locator("[name=email]").fill(sign_in["email"])
    await page.locator("[name=password]").fill(sign_in["password"])
    await page.keyboard.press("Enter")
    await page.locator(".list-pane").wait_for()
    return page


async def _open(page: Page) -> Page:
    await page.locator(".line", has_text="Retiro").first.click()
    await page.locator(".message", has_text="Retiro").wait_for()
    return page


async def _tell(phone: str, customers: Iterable[tuple[str, str, list[str]]]) -> None:
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        for customer, name, texts in customers:
            to = COMPANY if customer.startswith("whatsapp:") else COMPANY.removeprefix("whatsapp:")
            for text in texts:
                body = {"to": to, "body": text, **({"profile_name": name} if name else {})}
                await session.post(f"{phone}/simulator/phones/{customer}/messages", json=body)


async def _keep(page: Page, name: str) -> None:
    await page.wait_for_timeout(500)  # what moves comes to rest
    await page.screenshot(path=FOLDER / f"{name}.png")


async def _side_by_side(browser: Browser, pictures: list[bytes]) -> None:
    page = await browser.new_page(viewport={"width": 1600, "height": 900})
    shown = "".join(f'<img src="data:image/png;base64,{base64.b64encode(one).decode()}">' for one in pictures)
    style = "body{margin:0;display:flex;gap:24px;padding:24px;background:#d9dde3;align-items:center;justify-content:center}"
    await page.set_content(f"<style>{style} img{{height:780px;border-radius:12px}}</style>{shown}")
    await page.set_viewport_size({"width": 1280 * 780 // 800 + 460, "height": 828})
    await _keep(page, "phone-beside-inbox")
    await page.close()


if __name__ == "__main__":
    asyncio.run(main())
