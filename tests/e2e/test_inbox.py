"""People answer customers in a real browser, beside a real server, worker and provider."""

import re
from http import HTTPStatus
from typing import Final, Literal
from urllib.parse import urlencode

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, ViewportSize, expect

from e2e.desk import SitDown, answer, hear, line_of, open_line, said
from e2e.stage import Stage, eventually
from factories import Tenant, some_number
from owner.models.segments import count_segments

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}

pytestmark = pytest.mark.timeout(300)  # the first one may have to install the browser


async def test_a_customer_writes_and_is_answered(running: Stage, acme: Tenant, sit_down: SitDown) -> None:
    page, ana = await sit_down(), some_number()

    await running.write(acme, ana, "Vocês abrem amanhã?")
    await open_line(page, "Vocês abrem amanhã?")  # it came by itself
    await answer(page, "Sim, das 9 às 18 h.")

    await expect(said(page, "Sim, das 9").locator(".tick-delivered, .tick-read")).to_be_attached()
    assert await running.phone(ana) == ["Sim, das 9 às 18 h."]


async def test_the_phone_and_the_inbox_talk_to_each_other(
    running: Stage, acme: Tenant, sit_down: SitDown, browser: Browser
) -> None:
    inbox, phone = await sit_down(), await browser.new_page()
    query = urlencode({"number": some_number(), "to": acme.whatsapp, "name": "Ana"})
    await phone.goto(f"{running.simulator.base_url}/simulator?{query}")

    await phone.locator("#body").fill("Vocês entregam?")
    await phone.locator("#body").press("Enter")
    await open_line(inbox, "Vocês entregam?")
    await answer(inbox, "Entregamos, Ana!")

    await expect(phone.locator(".bubble.theirs")).to_contain_text("Entregamos, Ana!")
    await expect(said(inbox, "Entregamos, Ana!").locator(".tick-read")).to_be_attached()
    found = await Axe().run(phone)
    assert found.violations_count == 0, found.generate_report()
    await phone.close()


async def test_a_note_is_seen_by_colleagues_and_not_by_the_customer(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    writer, reader, ana = await sit_down(), await sit_down(), some_number()
    await running.write(acme, ana, "Quero um desconto")
    await open_line(writer, "Quero um desconto")
    await open_line(reader, "Quero um desconto")

    await writer.locator("[name=kind][value=note]").check()
    await writer.locator("#content").fill("Cliente antigo, pode dar 10 %")
    await writer.locator("#content").press("Enter")

    await expect(reader.locator("#thread")).to_contain_text("Cliente antigo")
    assert await running.phone(ana) == []


async def test_an_answer_to_what_was_not_read_yet_is_held_back(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page, ana = await sit_down(), some_number()
    conv_id = await running.write(acme, ana, "Quero dois bolos")
    await open_line(page, "Quero dois bolos")
    await page.locator("#content").fill("Dois bolos, anotado!")
    known = page.locator("[name=expected_last_msg_id]")
    before = await known.input_value()

    await running.write(acme, ana, "Aliás, três")
    await expect(said(page, "Aliás, três")).to_be_visible()
    await known.evaluate("(field, value) => { field.value = value }", before)  # as if it had not come yet
    await page.locator("#content").press("Enter")

    await expect(page.locator("#notices")).not_to_be_empty()
    await expect(page.locator("#content")).to_have_value("Dois bolos, anotado!")
    assert await running.get(acme, f"/v1/conversations/{conv_id}")
    assert await running.phone(ana) == []


async def test_a_goodbye_closes_and_an_agent_undoes_it(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page = await sit_down()
    ana = await hear(running, acme, page, "Qual é o horário?")
    await answer(page, "Das 9 às 18 h. Posso ajudar em mais alguma coisa?")
    await running.write(acme, ana, "Não, era só isso. Obrigada, tchau!")

    await page.get_by_role("button", name="Undo the closing").click()

    await expect(page.locator("#content")).to_be_visible()
    await expect(page.locator(".conversation-top")).to_contain_text("In progress")


async def test_a_conversation_is_closed_with_a_reason(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page = await sit_down()
    await hear(running, acme, page, "Comprei por engano")

    await page.locator("body").press("e")
    await page.get_by_label("Reason (optional)").fill("estornado")
    await page.get_by_role("button", name="Close the conversation").click()

    await expect(page.locator(".conversation-top")).to_contain_text("Closed by an agent")
    await expect(page.locator("#conversation")).to_contain_text("estornado")


async def test_what_was_said_is_found(running: Stage, acme: Tenant, sit_down: SitDown) -> None:
    page = await sit_down()
    await running.write(acme, some_number(), "A geladeira azul chegou quebrada")
    await running.write(acme, some_number(), "Bom dia")
    await expect(line_of(page, "Bom dia")).to_be_visible()

    await page.locator("body").press("/")
    await page.keyboard.type("geladeira azul")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**q=geladeira*")

    await expect(line_of(page, "geladeira")).to_have_count(1)
    await expect(line_of(page, "Bom dia")).to_have_count(0)


async def test_the_keyboard_is_enough(running: Stage, acme: Tenant, sit_down: SitDown) -> None:
    page, ana = await sit_down(), some_number()
    await running.write(acme, ana, "Tem bolo de cenoura?")
    await expect(line_of(page, "Tem bolo de cenoura?")).to_be_visible()

    await page.keyboard.press("j")
    await expect(said(page, "Tem bolo de cenoura?")).to_be_visible()
    await page.keyboard.press("r")
    await page.keyboard.type("Tem, e de fubá.")
    await page.keyboard.press("Enter")

    await expect(said(page, "Tem, e de fubá.")).to_be_visible()


async def test_a_phone_shows_the_list_or_a_conversation(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page = await sit_down(viewport=PHONE, has_touch=True, is_mobile=True)
    await running.write(acme, some_number(), "Cabe no bolso?")

    await open_line(page, "Cabe no bolso?")
    await expect(page.locator(".list-pane")).not_to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("link", name="Back to the list").click()

    await expect(line_of(page, "Cabe no bolso?")).to_be_visible()


async def test_without_script_people_read_answer_find_and_close(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page, ana = await sit_down(java_script_enabled=False), some_number()
    await running.write(acme, ana, "Sem script?")
    await page.get_by_label("Search in messages").fill("script")
    await page.keyboard.press("Enter")

    await line_of(page, "script?").click()
    await page.locator("#content").fill("Também funciona.")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(said(page, "Também funciona.")).to_be_visible()
    await page.get_by_label("Note", exact=True).check()
    await page.locator("#content").fill("Cliente curioso")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator(".note")).to_contain_text("Cliente curioso")
    await page.get_by_role("button", name="Take", exact=True).click()
    await expect(page.get_by_role("button", name="Give back")).to_be_visible()
    await page.locator("summary", has_text="Close").click()
    await page.get_by_role("button", name="Close the conversation").click()

    await expect(page.locator(".conversation-top")).to_contain_text("Closed by an agent")
    await page.goto("/inbox/settings/labels")
    await page.locator("input[name=name]").first.fill("Troca")
    await page.locator("main form button.primary").first.click()
    await expect(page.locator("main")).to_contain_text("Troca")
    assert await running.phone(ana) == ["Também funciona."]


@pytest.mark.parametrize(
    ("locale", "tag", "words"),
    [("pt-BR", "pt-BR", "Conversas"), ("en-GB", "en", "Conversations"), ("es-MX", "es", "Conversaciones")],
)
async def test_the_browser_s_language_is_spoken(sit_down: SitDown, locale: str, tag: str, words: str) -> None:
    page = await sit_down(locale=locale)

    await expect(page.locator("html")).to_have_attribute("lang", re.compile(tag))
    await expect(page.get_by_role("link", name=words, exact=True)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page(
    running: Stage, acme: Tenant, sit_down: SitDown, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    page = await sit_down(color_scheme=scheme, reduced_motion="reduce")
    conv_id = await running.write(acme, some_number(), "Oi!")
    await running.send(acme, conv_id, "Olá!")
    stranger = await browser.new_page(base_url=running.url, color_scheme=scheme)

    await _look_at(stranger, ["/inbox/sign-in", "/inbox/password-forgotten"])
    await stranger.close()
    await _look_at(page, [f"/inbox/conversations/{conv_id}"])


async def _look_at(page: Page, paths: list[str]) -> None:
    """At these pages, and whatever they lead to."""
    seen = set()
    while paths:
        path = paths.pop()
        kind = re.sub(r"[0-9]+", "1", path)
        if kind in seen:
            continue
        seen.add(kind)
        await page.goto(path)
        found = await Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        links = page.locator("a[href^='/inbox/']:not([download])")
        paths += await links.evaluate_all("links => links.map(link => link.pathname)")


async def test_canned_replies_are_written_by_their_shortcut(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page, ana = await sit_down(), some_number()
    reply = {"shortcut": "horario", "content": "Olá, {{contact.name|tudo bem}}! Abrimos às 8 h."}
    assert (await running.ask(acme, "POST", "/v1/canned-replies", reply))[0] == 201
    await running.write(acme, ana, "Que horas abrem?")
    await open_line(page, "Que horas abrem?")

    await page.locator("body").press("r")
    await page.keyboard.type("/hor")
    await expect(page.get_by_role("option", name="/horario")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.locator("#content")).to_have_value("Olá, tudo bem! Abrimos às 8 h.")
    await page.keyboard.press("Enter")

    await expect(said(page, "Abrimos às 8 h.").locator(".tick-delivered, .tick-read")).to_be_attached()
    assert await running.phone(ana) == ["Olá, tudo bem! Abrimos às 8 h."]


async def test_the_composer_counts_parts_as_carriers_do(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page = await sit_down()
    await running.write(acme, some_number(), "Oi")
    await open_line(page, "Oi")

    for text in (
        "a" * 160,
        "a" * 161,
        "€" * 80,
        "€" * 81,
        "ã" * 70,
        "ã" * 71,
        "🎂" * 35,
        "🎂" * 36,
        "à\n" * 80,
    ):
        await page.locator("#content").fill(text)
        await expect(page.locator("#length")).to_contain_text(f" {count_segments(text)} SMS")


async def test_the_palette_finds_a_command_and_does_it(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    page = await sit_down()
    await hear(running, acme, page, "Preciso de ajuda")

    await page.keyboard.press("Control+k")
    await page.keyboard.type("take it")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("button", name="Give back")).to_be_visible()


async def test_a_closing_word_is_added_and_tried(running: Stage, acme: Tenant, sit_down: SitDown) -> None:
    page = await sit_down()
    await page.goto("/inbox/settings/closure")

    await page.get_by_label("More words that close").fill("fechou por aqui")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("More words that close")).to_have_value("fechou por aqui")
    await page.get_by_label("What we had said before").fill("Posso ajudar em mais alguma coisa?")
    await page.get_by_label("What the customer writes").fill("fechou por aqui")
    await page.get_by_role("button", name="Try").click()

    await expect(page.locator("main")).to_contain_text("It would close.")


async def test_the_list_is_filtered(running: Stage, acme: Tenant, sit_down: SitDown) -> None:
    page = await sit_down()
    await running.write(acme, some_number(), "Por SMS")
    await running.write(acme, f"whatsapp:{some_number()}", "Por WhatsApp")
    await expect(line_of(page, "Por SMS")).to_be_visible()

    await page.keyboard.press("i")
    await page.get_by_label("Channel").select_option("WHATSAPP")
    await page.get_by_role("button", name="Show").click()

    await expect(line_of(page, "Por WhatsApp")).to_be_visible()
    await expect(line_of(page, "Por SMS")).to_have_count(0)


async def test_a_template_is_chosen_filled_in_and_read_before_it_is_sent(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    ana = f"whatsapp:{some_number()}"
    status, opened = await running.ask(
        acme, "POST", "/v1/conversations", {"channel": "WHATSAPP", "customer_address": ana}
    )
    assert status == HTTPStatus.CREATED
    page = await sit_down()
    await page.goto(f"/inbox/conversations/{opened['conv_id']}")

    await page.get_by_role("link", name="Template").click()
    window = page.get_by_role("dialog", name="Approved templates")
    reminder = window.locator("details", has_text="appointment_reminder")
    await reminder.locator("summary").click()
    for name, value in {"name": "<b>Bia</b>", "day": "Friday", "hour": "10:00"}.items():
        await reminder.locator(f"[name=value-{name}]").fill(value)
    read = "Hello <b>Bia</b>, we expect you on Friday at 10:00."
    await expect(reminder.locator(".message")).to_have_text(read)
    await expect(window).not_to_contain_text("free_money")
    assert (await Axe().run(page)).response["violations"] == []
    await reminder.get_by_role("button", name="Send the template").click()

    await expect(said(page, read)).to_be_visible()
    await expect(window).to_be_hidden()
    await eventually(lambda: has_arrived(running, ana, read), "the customer reads it")


async def has_arrived(running: Stage, customer: str, text: str) -> bool:
    return await running.phone(customer) == [text]


async def test_a_search_opens_the_thread_at_what_it_found(
    running: Stage, acme: Tenant, sit_down: SitDown
) -> None:
    customer = some_number()
    for words in ("Onde está a encomenda?", "A ENCOMENDA chegou", *(f"Mensagem {n}" for n in range(20))):
        await running.write(acme, customer, words)
    page = await sit_down()

    await page.locator("#search").fill("encomenda")
    await page.locator("#search").press("Enter")
    await line_of(page, "ENCOMENDA").click()

    found = page.locator("#found")
    await expect(found.locator("mark")).to_have_text("ENCOMENDA")
    await expect(found).to_be_in_viewport()
    await page.get_by_role("link", name="Found before this").click()
    await expect(page.locator("#thread mark").first).to_be_in_viewport()
