"""What helps people write in the inbox, as the server has it; what scripts make of it is tested in a browser."""

import re
from collections.abc import AsyncIterator
from html import unescape
from io import BytesIO
from urllib.parse import urlsplit

import aiohttp
import pytest

from browsing import Browser, Seen, browsing
from conftest import TurnableClock
from factories import Tenant, some_number
from owner.models.canned_reply import CannedReplyCreate
from owner.models.enums import UserRole
from owner.models.label import LabelCreate
from owner.models.segments import GSM_BASIC, GSM_EXTENDED
from owner.services.catalog import Services
from reading import rows
from visiting import PASSWORD, visiting
from working import a_customer_writes, a_program

PDF = b"%PDF-1.7\n%"


@pytest.fixture
async def browser(services: Services, acme: Tenant) -> AsyncIterator[Browser]:
    async with browsing(services) as opened:
        await opened.sign_in(acme.owner.email, PASSWORD)
        yield opened


async def test_canned_replies_are_offered_by_shortcut_and_filled_in_for_the_customer(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    conv_id = await a_customer_writes(services, acme, profile_name="Ana Souza")
    for shortcut, content in (("oi", "Olá, {{contact.first_name}}!"), ("fim", "<b>Tchau</b>")):
        await services.canned_replies.create(
            a_program(acme), CannedReplyCreate(shortcut=shortcut, content=content)
        )

    offered = await browser.get(f"/inbox/conversations/{conv_id}/canned-replies")
    [reply_id] = re.findall(r'data-id="(\d+)" data-shortcut="oi"', offered.html)
    filled_in = await browser.get(f"/inbox/conversations/{conv_id}/canned-replies/{reply_id}")

    assert re.findall(r'data-shortcut="(\w+)"', offered.html) == ["fim", "oi"]
    assert "<b>" not in offered.html
    assert filled_in.html == "Olá, Ana!"
    assert filled_in.headers["Content-Type"].startswith("text/plain")


async def test_the_composer_knows_the_short_alphabet_of_sms(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    conv_id = await a_customer_writes(services, acme)

    page = await browser.get(f"/inbox/conversations/{conv_id}")

    [basic] = re.findall(r'data-gsm-basic="([^"]*)"', page.html)
    [extended] = re.findall(r'data-gsm-extended="([^"]*)"', page.html)
    assert set(unescape(basic)) == GSM_BASIC
    assert set(unescape(extended)) == GSM_EXTENDED


async def test_every_action_of_the_page_is_in_the_one_table_and_has_its_own_key(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    conv_id = await a_customer_writes(services, acme)

    page = await browser.get(f"/inbox/conversations/{conv_id}")

    listed = re.findall(r'data-run="([\w-]+)" data-press="([^"]+)"', page.html)
    names, keys = zip(*listed, strict=True)
    assert set(re.findall(r'data-action="([\w-]+)"', page.html)) <= set(names)
    assert len(set(keys)) == len(keys)
    for key in keys:  # once in the palette, once in the help
        assert page.html.count(f"<kbd>{key}</kbd>") >= 2


async def test_a_conversation_is_given_to_a_person_by_name(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    conv_id = await a_customer_writes(services, acme)
    async with visiting(services) as visit:
        bruno, _ = await visit.person(acme, "bruno@acme.example")
        vera, _ = await visit.person(acme, "vera@acme.example", UserRole.VIEWER)
    page = await browser.get(f"/inbox/conversations/{conv_id}")

    given = await browser.post(f"/inbox/conversations/{conv_id}/assign", assignee=str(bruno))

    assert f'<option value="{bruno}"' in page.html
    assert f'<option value="{vera}"' not in page.html  # may not write to customers
    assert f'<option value="{bruno}" selected' in given.html


async def test_a_file_goes_to_the_provider_by_an_address_that_shows_it_without_signing_in(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    conv_id = await a_customer_writes(services, acme)

    page = await attach(browser, conv_id, "../../Nota <1> final.pdf", PDF)

    [sent] = await rows(services, acme, "SELECT * FROM messages WHERE direction = 'OUTBOUND'")
    [address] = sent["media_urls"]
    assert address.endswith("/Nota%20_1_%20final.pdf")
    assert "Nota _1_ final.pdf" in page.text
    async with aiohttp.ClientSession() as stranger:
        async with stranger.get(browser.url + urlsplit(address).path) as shown:
            assert (shown.status, shown.content_type, await shown.read()) == (200, "application/pdf", PDF)
        async with stranger.get(f"{browser.url}/files/made-up/x.pdf") as refused:
            assert refused.status == 404


async def test_a_note_takes_no_file_and_says_so(services: Services, browser: Browser, acme: Tenant) -> None:
    conv_id = await a_customer_writes(services, acme)

    page = await attach(browser, conv_id, "nota.pdf", PDF, kind="note")

    assert page.status == 422
    assert "A note can't have files." in page.text
    assert not await rows(services, acme, "SELECT FROM notes")


async def test_the_address_of_a_file_ends_after_two_days(
    services: Services, browser: Browser, acme: Tenant, clock: TurnableClock
) -> None:
    conv_id = await a_customer_writes(services, acme)
    await attach(browser, conv_id, "nota.pdf", PDF)
    [sent] = await rows(services, acme, "SELECT media_urls FROM messages WHERE direction = 'OUTBOUND'")

    clock.turn(hours=49)
    shown = await browser.get(urlsplit(sent["media_urls"][0]).path)

    assert shown.status == 404


async def test_what_was_sealed_for_something_else_is_no_address_of_a_file(
    services: Services, browser: Browser
) -> None:
    sealed = services.twilio.secrets_box.encrypt('[1, "api-keys", "ok_shown_once"]').decode()

    assert (await browser.get(f"/files/{sealed}/x.pdf")).status == 404


@pytest.mark.parametrize(
    ("begins", "size", "status"),
    [
        (b"<html><script>alert(1)</script>", 100, 415),  # what it is counts, not what it is called
        (b"", 0, 415),
        (PDF, 600 * 1024, 413),  # a picture message takes half a megabyte of it
        (PDF, 18 * 1024 * 1024, 413),
    ],
)
async def test_a_file_that_the_channel_does_not_take_is_refused_and_nothing_is_sent(
    services: Services, browser: Browser, acme: Tenant, *, begins: bytes, size: int, status: int
) -> None:
    conv_id = await a_customer_writes(services, acme)

    page = await attach(browser, conv_id, "nota.pdf", begins.ljust(size, b"\0"))

    assert page.status == status
    assert not await rows(services, acme, "SELECT FROM messages WHERE direction = 'OUTBOUND'")
    assert not await rows(services, acme, "SELECT FROM media")


async def attach(browser: Browser, conv_id: int, name: str, content: bytes, *, kind: str = "message") -> Seen:
    await browser.get(f"/inbox/conversations/{conv_id}")
    form = aiohttp.FormData(
        {"csrf_token": browser.csrf_token, "content": "", "kind": kind}, quote_fields=False
    )
    form.add_field("files", BytesIO(content), filename=name, content_type="application/pdf")
    return await browser.send(f"/inbox/conversations/{conv_id}/messages", form)


async def test_search_shows_where_the_words_are_and_what_customers_write_stays_text(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    await a_customer_writes(services, acme, "Quero <b>encomendar</b> um bolo & café")

    page = await browser.get("/inbox/conversations?q=encomendar")

    assert "&lt;b&gt;<mark>encomendar</mark>&lt;/b&gt; um bolo &amp; café" in page.html


async def test_one_thing_is_done_to_several_and_the_list_says_where_it_could_not(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    first, second = [await a_customer_writes(services, acme) for _ in range(2)]
    await browser.get(f"/inbox/conversations/{first}")
    await browser.post(f"/inbox/conversations/{first}/close")
    label = await services.labels.create(a_program(acme), LabelCreate(name="Entrega"))

    closed = await browser.post("/inbox/conversations/bulk", conv_id=[first, second], action="CLOSE")
    labelled = await browser.post(
        "/inbox/conversations/bulk?view=closed",
        conv_id=[first, second],
        action=f"LABEL:{label.label_id}",
    )
    refused = await browser.post("/inbox/conversations/bulk", conv_id=[first], action="EXPLODE")

    assert "Done for one conversation." in closed.text
    assert f"Conversation {first}" in closed.text
    assert "Done for 2 conversations." in labelled.text
    assert refused.status == 422


@pytest.mark.parametrize("content", ["", "  ", "a" * 1601])
async def test_what_can_not_be_sent_is_refused_calmly(
    services: Services, browser: Browser, acme: Tenant, content: str
) -> None:
    conv_id = await a_customer_writes(services, acme)
    await browser.get(f"/inbox/conversations/{conv_id}")

    page = await browser.post(f"/inbox/conversations/{conv_id}/messages", content=content)

    assert page.status == 422


async def test_a_template_is_sent_when_free_text_comes_too_late(
    services: Services, browser: Browser, acme: Tenant, clock: TurnableClock
) -> None:
    conv_id = await a_customer_writes(services, acme, customer=f"whatsapp:{some_number()}", to=acme.whatsapp)
    before = await browser.get(f"/inbox/conversations/{conv_id}")
    await browser.post(f"/inbox/conversations/{conv_id}/extend", minutes=2880)
    clock.turn(hours=24, minutes=1)
    await browser.sign_in(acme.owner.email, PASSWORD)

    late = await browser.get(f"/inbox/conversations/{conv_id}")
    refused = await browser.post(f"/inbox/conversations/{conv_id}/messages", content="Olá")
    await browser.post(
        f"/inbox/conversations/{conv_id}/template", content_sid="HX" + "a" * 32, variables="Ana\nquinta"
    )

    assert 'class="button primary" href' not in before.html
    assert 'class="button primary" href' in late.html
    assert refused.status == 409
    [sent] = await rows(services, acme, "SELECT * FROM messages WHERE direction = 'OUTBOUND'")
    assert sent["content_sid"] == "HX" + "a" * 32
    assert sent["content_variables"] == {"1": "Ana", "2": "quinta"}


async def test_colleagues_in_the_same_conversation_see_each_other_until_they_leave(
    services: Services, browser: Browser, acme: Tenant, clock: TurnableClock
) -> None:
    conv_id = await a_customer_writes(services, acme)
    async with visiting(services) as visit:
        bruno, session = await visit.person(acme, "bruno@acme.example")
    colleague = await services.access.authenticate(session)
    await browser.get(f"/inbox/conversations/{conv_id}")

    alone = await browser.post(f"/inbox/conversations/{conv_id}/presence")
    await services.presence.note(colleague, conv_id, is_typing=True)
    together = await browser.post(f"/inbox/conversations/{conv_id}/presence")
    clock.turn(seconds=13)
    left = await browser.post(f"/inbox/conversations/{conv_id}/presence")

    assert colleague.user_id == bruno
    assert "Bruno is writing here too" in together.text
    assert [alone.text.strip(), left.text.strip()] == ["", ""]


async def test_why_an_answer_was_held_back_is_told_in_the_reader_s_language(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    conv_id = await a_customer_writes(services, acme)
    await browser.get(f"/inbox/conversations/{conv_id}")

    page = await browser.post(
        f"/inbox/conversations/{conv_id}/messages",
        content="Olá",
        expected_last_msg_id=10**9,
        headers={"Accept-Language": "pt-BR"},
    )

    assert page.status == 409
    assert "Alguém escreveu nesse meio-tempo." in page.text


async def test_what_was_searched_for_is_marked_in_the_thread_and_leads_from_hit_to_hit(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    customer = some_number()
    texts = ["Cadê o <b>PEDIDO</b> & o café?", *["Oi"] * 60, "pedido com cafe", "Só o pedido"]
    for text in texts:
        conv_id = await a_customer_writes(services, acme, text, customer=customer)

    found = await browser.get("/inbox/conversations?q=pedido+caf%C3%A9")
    page = await browser.get(f"/inbox/conversations/{conv_id}?q=pedido+caf%C3%A9")
    plain = await browser.get(f"/inbox/conversations/{conv_id}")
    [older] = re.findall(r'hx-get="([^"]*/older[^"]*)"', page.html)
    before = await browser.get(unescape(older))

    assert f'href="/inbox/conversations/{conv_id}?view=open&amp;q=pedido+caf%C3%A9#found"' in found.html
    assert re.findall(r'id="found">(.*?)</p>', page.html) == ["<mark>pedido</mark> com <mark>cafe</mark>"]
    assert '<p class="said" dir="auto">Só o pedido</p>' in page.html  # has not all of the words
    marked = "Cadê o &lt;b&gt;<mark>PEDIDO</mark>&lt;/b&gt; &amp; o <mark>café</mark>?"
    assert marked in before.html
    assert "<mark>" not in plain.html.partition('id="thread"')[2]


async def test_a_hit_far_above_is_in_the_thread_that_a_search_opens(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    customer = some_number()
    for text in ("um bolo", "outro bolo", *["Oi"] * 60):
        conv_id = await a_customer_writes(services, acme, text, customer=customer)

    page = await browser.get(f"/inbox/conversations/{conv_id}?q=bolo")

    first, second = re.findall(r'(?s)id="message-(\d+)">(?:(?!</article>).)*<mark>bolo', page.html)
    assert page.html.count("<mark>bolo</mark>") >= 2
    assert f'href="#message-{first}"' in page.html
    assert f'href="#message-{second}"' in page.html
