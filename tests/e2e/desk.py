"""What people do at their desks: a browser, a sign-in, a conversation that is opened and answered."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from playwright.async_api import Locator, Page, ViewportSize, expect

from e2e.stage import PATIENCE, Stage
from factories import Tenant, some_number

PASSWORD: Final = "correct horse"
DESK: Final[ViewportSize] = {"width": 1280, "height": 800}
SitDown: TypeAlias = Callable[..., Awaitable[Page]]

expect.set_options(timeout=PATIENCE * 1000)


async def sign_in(page: Page, tenant: Tenant) -> None:
    await page.locator("[name=email]").fill(tenant.owner.email)
    await page.locator("[name=password]").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/inbox/conversations*")


def line_of(page: Page, words: str) -> Locator:
    """The conversation in the list."""
    return page.locator(".line", has_text=words)


def said(page: Page, words: str) -> Locator:
    return page.locator(".message", has_text=words)


async def open_line(page: Page, words: str) -> None:
    await line_of(page, words).click()
    await expect(page.locator("#conversation")).to_contain_text(words)


async def hear(running: Stage, tenant: Tenant, page: Page, words: str) -> str:
    """A customer writes, and the conversation is opened as it comes; who wrote."""
    customer = some_number()
    await running.write(tenant, customer, words)
    await open_line(page, words)
    return customer


async def answer(page: Page, words: str) -> None:
    await page.locator("#content").fill(words)
    await page.locator("#content").press("Enter")
    await expect(said(page, words)).to_be_visible()
