"""A page of the inbox stays alive: what comes is seen and heard, also after it was away."""

import asyncio
import re
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, Route, expect

from e2e.desk import PASSWORD, SitDown, hear, line_of, open_line, said
from e2e.stage import Stage, eventually
from factories import Tenant, some_number

pytestmark = pytest.mark.timeout(300)  # the first one may have to install the browser

RECORD = """
window.told = [];
window.rings = 0;
class Told extends EventTarget {
  static permission = "granted";
  static requestPermission = async () => "granted";
  constructor(title, options) { super(); window.told.push(`${title}: ${options.body}`); }
}
window.Notification = Told;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) { window.rings += 1; return start.apply(this, when); };
"""
HIDDEN = "Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' })"


async def test_a_message_appears_in_an_open_conversation(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page = await sit_down()
    ana = await hear(running, acme, page, "Oi")

    await running.write(acme, ana, "Meu pedido não chegou")

    await expect(said(page, "Meu pedido não chegou")).to_be_visible()


async def test_what_came_while_the_connection_was_lost_is_caught_up_on(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page = await sit_down()
    ana = await hear(running, acme, page, "Oi")

    for program in running.programs:
        if "serve" in program.log.name:
            await program.end()
    await expect(page.locator("#live")).to_be_visible()
    await running.serve()
    await running.write(acme, ana, "Ainda estão aí?")

    await expect(said(page, "Ainda estão aí?")).to_be_visible()
    await expect(page.locator("#live")).not_to_be_visible()


async def test_a_laptop_that_slept_opens_its_stream_anew_and_says_so(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page = await sit_down()
    await page.clock.install()
    ana = await hear(running, acme, page, "Oi")
    await page.reload()

    async with page.expect_request("**/inbox/live*"):
        await page.clock.fast_forward("10:00")
    await running.write(acme, ana, "Bom dia!")

    await expect(page.locator("#live")).to_contain_text("You were away")
    await expect(page.locator("#live")).to_be_visible()
    await expect(said(page, "Bom dia!")).to_be_visible()


async def test_a_draft_survives_a_reload_and_a_session_that_ended(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page = await sit_down()
    await running.write(acme, some_number(), "Aceitam cartão?")
    await open_line(page, "Aceitam cartão?")
    await page.locator("#content").fill("Aceitamos, em até")

    await page.reload()
    await expect(page.locator("#content")).to_have_value("Aceitamos, em até")
    await page.context.clear_cookies()
    await page.reload()
    await page.wait_for_url(re.compile("/inbox/sign-in"))
    await page.locator("[name=email]").fill(acme.owner.email)
    await page.locator("[name=password]").fill(PASSWORD)
    await page.keyboard.press("Enter")

    await expect(said(page, "Aceitam cartão?")).to_be_visible()
    await expect(page.locator("#content")).to_have_value("Aceitamos, em até")


async def test_an_answer_that_is_slow_is_sent_once_and_takes_nobody_back_to_it(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page, arrives = await sit_down(), asyncio.Event()

    async def hold(route: Route) -> None:
        await arrives.wait()
        await route.continue_()

    await running.write(acme, some_number(), "Já abriram?")
    await hear(running, acme, page, "Aceitam cartão?")
    await page.route("**/messages", hold)
    await page.locator("#content").fill("Aceitamos!")
    for _ in range(2):
        await page.locator("#content").press("Enter")

    await open_line(page, "Já abriram?")
    await page.locator("#content").fill("Abrimos às")
    async with page.expect_response("**/messages"):
        arrives.set()

    await expect(line_of(page, "Aceitamos!")).to_be_visible()
    await expect(page.locator("#conversation")).to_contain_text("Já abriram?")
    await expect(page.locator("#content")).to_have_value("Abrimos às")
    await open_line(page, "Aceitamos!")
    await expect(said(page, "Aceitamos!")).to_have_count(1)
    await expect(page.locator("#content")).to_have_value("")


async def _with_calls(page: Page) -> None:
    """Sound and notification are switched on, as a person does it; what they do is written down."""
    await page.add_init_script(RECORD)
    await page.reload()
    await page.locator("body").press("?")
    await page.get_by_label("Sound when a customer writes").check()
    await page.get_by_label("Desktop notification when a customer writes").check()
    await page.get_by_role("button", name="Close the window").click()
    await page.evaluate("window.rings = 0")  # switching it on lets it be heard


async def _rings(page: Page, times: int) -> None:
    async def look() -> bool:
        return bool(await page.evaluate(f"window.rings === {times}"))

    await eventually(look, f"the page rings {times} times")


async def test_nobody_is_called_who_did_not_ask_for_it(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page = await sit_down()
    await page.add_init_script(RECORD)
    await page.reload()
    await page.evaluate(HIDDEN)

    await running.write(acme, some_number(), "Tem alguém aí?")
    await expect(line_of(page, "Tem alguém aí?")).to_be_visible()
    await page.wait_for_timeout(1000)  # longer than a call waits for other tabs

    assert await page.evaluate("[window.rings, window.told.length]") == [0, 0]


async def test_a_customer_is_heard_and_notified_of_where_the_page_is_not_looked_at(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page, ana = await sit_down(), f"whatsapp:{some_number()}"
    await _with_calls(page)
    await page.reload()  # the switches are remembered
    await page.locator("body").click()
    await page.evaluate(HIDDEN)

    await running.write(acme, ana, "Tem alguém aí?", profile_name="Ana")

    await _rings(page, 1)
    assert await page.evaluate("window.told") == ["A customer wrote: Ana"]


async def test_nobody_is_called_for_what_they_see_or_write(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page = await sit_down()
    await _with_calls(page)
    ana = await hear(running, acme, page, "Oi")
    await _rings(page, 1)  # for the conversation that was not open yet
    other = await page.context.new_page()  # another tab, which shows the list only
    await other.add_init_script(RECORD)
    await other.goto("/inbox/conversations")
    await other.evaluate(HIDDEN)

    await running.write(acme, ana, "Estou esperando")
    await expect(said(page, "Estou esperando")).to_be_visible()
    await page.locator("#content").fill("Já vou!")
    await page.locator("#content").press("Enter")
    await expect(said(page, "Já vou!")).to_be_visible()
    await page.wait_for_timeout(1000)  # longer than a call waits for other tabs

    assert await page.evaluate("[window.rings, window.told.length]") == [1, 0]
    assert await other.evaluate("[window.rings, window.told.length]") == [0, 0]


async def test_a_page_asks_for_nothing_that_it_has_and_misses_nothing(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page, ana = await sit_down(), some_number()
    conv_id = await running.write(acme, ana, "Oi")
    await expect(line_of(page, "Oi")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))

    async def write_first(route: Route) -> None:
        """Between the page and its stream."""
        await running.write(acme, ana, "Mais uma coisa")
        await route.continue_()

    async with page.expect_request("**/inbox/live*"):
        await page.goto(f"/inbox/conversations/{conv_id}")
    await page.wait_for_timeout(500)  # longer than news wait for each other
    assert asked.count(f"/inbox/conversations/{conv_id}") == 1
    assert "/inbox/conversations/list" not in asked

    await page.route("**/inbox/live*", write_first, times=1)
    await page.reload()

    await expect(said(page, "Mais uma coisa")).to_be_visible()


async def test_unread_conversations_are_counted_in_the_title_and_come_to_the_top(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page, ana = await sit_down(), some_number()
    await running.write(acme, ana, "Primeira")
    await running.write(acme, some_number(), "Segunda")
    await expect(page).to_have_title(re.compile(r"^\(2\) "))
    await expect(page.locator(".line").first).to_contain_text("Segunda")

    await running.write(acme, ana, "Terceira")
    await expect(page.locator(".line").first).to_contain_text("Terceira")
    await open_line(page, "Terceira")

    await expect(page).to_have_title(re.compile(r"^\(1\) "))


async def test_a_session_that_ended_elsewhere_leads_back_to_the_same_place_with_the_draft(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page = await sit_down()
    conv_id = await running.write(acme, some_number(), "Aceitam cartão?")
    await open_line(page, "Aceitam cartão?")
    await page.locator("#content").fill("Aceitamos!")

    await page.context.clear_cookies()
    await page.locator("#content").press("Enter")
    await page.wait_for_url(re.compile("/inbox/sign-in"))
    await page.locator("[name=email]").fill(acme.owner.email)
    await page.locator("[name=password]").fill(PASSWORD)
    await page.keyboard.press("Enter")

    await page.wait_for_url(re.compile(f"/inbox/conversations/{conv_id}"))
    await expect(page.locator("#content")).to_have_value("Aceitamos!")
