"""What people see and do in the inbox, without any script."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from browsing import Browser, browsing
from factories import Tenant, make_inbound, some_number
from fakes import FakeGateway
from owner.integrations.twilio.errors import provider_error
from owner.models.enums import ActorKind, UserRole
from owner.models.event import Actor
from owner.models.label import LabelCreate
from owner.models.message import Attachment, MessageCreate
from owner.models.note import NoteCreate
from owner.services.catalog import Services
from reading import rows
from visiting import PASSWORD, visiting
from working import a_program

HUGE = str(10**30)
EVIL = '<script>alert("x")</script>'


@pytest.fixture
async def browser(services: Services, acme: Tenant) -> AsyncIterator[Browser]:
    async with browsing(services) as opened:
        await opened.sign_in(acme.owner.email, PASSWORD)
        yield opened


async def some_conversation(services: Services, tenant: Tenant, content: str = "Oi", **changes: Any) -> int:
    receipt = await services.inbound.receive(
        make_inbound(tenant, content, customer=some_number(), **changes),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    assert receipt.conv_id is not None
    return receipt.conv_id


async def test_what_customers_write_is_shown_as_text(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    conv_id = await some_conversation(services, acme, EVIL, profile_name=EVIL)

    page = await browser.get(f"/inbox/conversations/{conv_id}")

    assert EVIL not in page.html
    assert page.text.count(EVIL) >= 3  # the line, the thread, the name


async def test_what_happened_stands_where_it_happened_with_names_and_evidence(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    conv_id = await some_conversation(services, acme, "Quero encerrar o atendimento, obrigado!")
    label_id = (await services.labels.create(a_program(acme), LabelCreate(name="VIP"))).label_id
    base = f"/inbox/conversations/{conv_id}"

    closed = (await browser.get(base)).text
    await browser.post(f"{base}/undo-close")
    await browser.post(f"{base}/assign", assignee="me")
    page = (await browser.post(f"{base}/labels", on=str(label_id))).text

    order = [
        "The customer opened the conversation",
        "Quero encerrar",
        "The detector closed it",
        "Certainty: 1",
        "Asks to close",
    ]
    assert sorted(order, key=closed.index) == order
    assert "the customer said that it is over" not in closed  # English that no reader chose
    assert f"{acme.owner.email.partition('@')[0]} took it" in page
    assert "put the label VIP on it" in page


async def test_a_file_says_whether_it_comes_could_not_be_had_or_was_erased(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    files = [Attachment(url="https://a.example/1", content_type="image/png")]
    path = f"/inbox/conversations/{await some_conversation(services, acme, attachments=files)}"
    shown = {}
    for status in ("PENDING", "FAILED", "ERASED"):
        await rows(services, acme, "UPDATE media SET status = $1 RETURNING media_id", status)
        shown[status] = (await browser.get(path)).text

    assert "The file is on its way" in shown["PENDING"]
    assert "The file could not be fetched. The customer may send it again." in shown["FAILED"]
    assert "The file was erased." in shown["ERASED"]


async def test_an_answer_is_queued_and_shown(services: Services, browser: Browser, acme: Tenant) -> None:
    conv_id = await some_conversation(services, acme)
    await browser.get(f"/inbox/conversations/{conv_id}")

    page = await browser.post(f"/inbox/conversations/{conv_id}/messages", content="Olá, Ana!")

    assert page.path == f"/inbox/conversations/{conv_id}"
    assert "Olá, Ana!" in page.text
    [sent] = await rows(services, acme, "SELECT content FROM messages WHERE direction = 'OUTBOUND'")
    assert sent["content"] == "Olá, Ana!"


@pytest.mark.parametrize(
    ("button", "fields"),
    [
        ("labels", {"on": HUGE}),
        ("labels", {"name": "there is none"}),
        ("assign", {"assignee": HUGE[:20]}),
        ("extend", {"minutes": HUGE}),
        ("messages", {"content": "Oi", "expected_last_msg_id": HUGE}),
        ("messages", {"content": "\0"}),
        ("messages", {"content": "\0", "kind": "note"}),
        ("close", {"reason": "\0"}),
        ("template", {"content_sid": "\0", "variables": "\0"}),
    ],
)
async def test_what_no_page_of_ours_sends_is_refused_with_a_page(
    services: Services, browser: Browser, acme: Tenant, button: str, fields: dict[str, Any]
) -> None:
    conv_id = await some_conversation(services, acme)
    await browser.get(f"/inbox/conversations/{conv_id}")

    page = await browser.post(f"/inbox/conversations/{conv_id}/{button}", **fields)

    assert page.status == 422


@pytest.mark.parametrize("asked", ["q=%00", "label=%00", "cursor=%00", "shown=1e9", "view=%ff", "q=%ff"])
async def test_whatever_the_address_bar_asks_for_is_answered_or_refused(browser: Browser, asked: str) -> None:
    for page in ("conversations", "conversations/list", "overview", "settings/people"):
        answer = await browser.get(f"/inbox/{page}?{asked}")
        assert answer.status in {200, 400, 422}


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("ç" * 1601, "Write at most 1,600 characters."),
        ("  ", "Write something, or attach a file."),
    ],
)
async def test_what_is_refused_stays_to_be_copied_and_leads_back_without_script(
    services: Services, browser: Browser, acme: Tenant, *, written: str, why: str
) -> None:
    conv_id = await some_conversation(services, acme)
    await browser.get(f"/inbox/conversations/{conv_id}")

    page = await browser.post(f"/inbox/conversations/{conv_id}/messages", content=written)

    assert page.status == 422
    assert why in page.text
    assert f"{written}</textarea>" in page.html
    assert f'href="/inbox/conversations/{conv_id}"' in page.html


async def test_a_page_that_could_not_be_made_offers_to_try_again(
    services: Services, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(type(services.conversations), "list_page")

    page = await browser.get("/inbox/conversations?view=mine")

    assert page.status == 500
    assert 'href="/inbox/conversations?view=mine">Try again' in page.html
    assert "Request " in page.text


async def test_a_note_is_for_colleagues_only(services: Services, browser: Browser, acme: Tenant) -> None:
    conv_id = await some_conversation(services, acme)

    page = await browser.post(
        f"/inbox/conversations/{conv_id}/messages", content="Cliente difícil", kind="note"
    )

    assert "Cliente difícil" in page.text
    assert not await rows(services, acme, "SELECT FROM messages WHERE direction = 'OUTBOUND'")


async def test_what_a_program_wrote_bears_nobodys_name(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    conv_id = await some_conversation(services, acme)
    program = replace(
        a_program(acme), actor=Actor(ActorKind.API_KEY, acme.user_id)
    )  # the numbers may be alike
    await services.messages.send_as(program, conv_id, MessageCreate(content="Olá!"))
    await services.notes.create(program, conv_id, NoteCreate(content="Cliente antiga"))

    page = await browser.get(f"/inbox/conversations/{conv_id}")

    name = acme.owner.email.partition("@")[0]
    assert f"{name} ·" not in page.text
    assert "Note · A program" in page.text
    assert page.text.count("A program") >= 2


async def test_an_answer_to_what_was_not_read_yet_is_refused(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    conv_id = await some_conversation(services, acme)

    page = await browser.post(
        f"/inbox/conversations/{conv_id}/messages", content="Olá", expected_last_msg_id=10**9
    )

    assert page.status == 409
    assert not await rows(services, acme, "SELECT FROM messages WHERE direction = 'OUTBOUND'")


@pytest.mark.parametrize(
    ("action", "fields", "column", "value"),
    [
        ("close", {"reason": "resolvido"}, "closed_reason", "resolvido"),
        ("priority", {"priority": "URGENT"}, "priority", "URGENT"),
        ("hand-off", {"handler": "BOT"}, "handler", "BOT"),
    ],
)
async def test_a_button_does_what_it_says(
    services: Services,
    browser: Browser,
    acme: Tenant,
    *,
    action: str,
    fields: dict[str, Any],
    column: str,
    value: str,
) -> None:
    conv_id = await some_conversation(services, acme)

    page = await browser.post(f"/inbox/conversations/{conv_id}/{action}", **fields)

    assert page.status == 200
    [row] = await rows(services, acme, f"SELECT {column} FROM conversations WHERE conv_id = $1", conv_id)
    assert row[column] == value


async def test_another_owners_conversation_is_not_there(
    services: Services, browser: Browser, globex: Tenant
) -> None:
    theirs = await some_conversation(services, globex)

    page = await browser.get(f"/inbox/conversations/{theirs}")

    assert page.status == 404
    assert "There is nothing here" in page.text


async def test_a_viewer_reads_and_has_nothing_to_press(services: Services, acme: Tenant) -> None:
    conv_id = await some_conversation(services, acme)
    async with visiting(services) as visit:
        await visit.person(acme, "vera@acme.example", UserRole.VIEWER)
    async with browsing(services) as browser:
        await browser.sign_in("vera@acme.example", PASSWORD, owner_id=str(acme.owner_id))

        page = await browser.get(f"/inbox/conversations/{conv_id}")
        refused = await browser.post(f"/inbox/conversations/{conv_id}/close")

    assert "data-composer" not in page.html
    assert refused.status == 403


async def test_a_broken_address_gives_a_calm_page_with_the_requests_id(browser: Browser) -> None:
    page = await browser.get("/inbox/conversations?view=nonsense")

    assert page.status == 422
    assert page.headers["X-Request-Id"] in page.text


async def test_the_thread_is_read_from_its_end(services: Services, browser: Browser, acme: Tenant) -> None:
    customer = some_number()
    for number in range(60):
        receipt = await services.inbound.receive(
            make_inbound(acme, f"Mensagem {number}.", customer=customer),
            owner=acme.owner,
            twilio_account_id=acme.account.twilio_account_id,
        )

    page = await browser.get(f"/inbox/conversations/{receipt.conv_id}")

    assert "Mensagem 59." in page.text
    assert "Mensagem 5." not in page.text
    assert "Older messages" in page.text


@pytest.mark.parametrize(
    ("button", "fields"),
    [
        ("messages", {"content": ""}),
        ("messages", {"kind": "note", "content": " "}),
        ("assign", {"assignee": "somebody"}),
        ("assign", {"assignee": "9" * 5000}),
    ],
)
async def test_a_form_that_can_not_be_meant_is_told_and_is_no_crash(
    services: Services, browser: Browser, acme: Tenant, button: str, fields: dict[str, Any]
) -> None:
    conv_id = await some_conversation(services, acme)

    answer = await browser.post(f"/inbox/conversations/{conv_id}/{button}", **fields)

    assert answer.status == 422


async def test_the_list_is_narrowed_by_channel_label_and_priority(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    urgent = await some_conversation(services, acme, "Urgente!")
    other = await some_conversation(services, acme, "Sem pressa")
    await browser.get("/inbox/conversations")
    await browser.post(f"/inbox/conversations/{urgent}/priority", priority="URGENT")

    narrowed = await browser.get("/inbox/conversations?view=open&q=&channel=&label=&priority=URGENT")
    elsewhere = await browser.get("/inbox/conversations?view=open&channel=WHATSAPP&label=&priority=")

    assert f"line-{urgent}" in narrowed.html
    assert f"line-{other}" not in narrowed.html
    assert "line-" not in elsewhere.html.replace("line-top", "")


@pytest.mark.parametrize(
    ("language", "code", "words"),
    [
        ("pt-BR", 21614, "O número do cliente não é de celular. (21614)"),
        ("es", 21614, "El número del cliente no es de celular. (21614)"),
        ("en", 21614, "The customer's number is not a mobile number. (21614)"),
        ("pt-BR", 99999, "A mensagem não foi entregue (erro 99999). (99999)"),
    ],
)
async def test_why_a_message_did_not_arrive_is_said_in_the_reader_s_language(
    services: Services,
    browser: Browser,
    acme: Tenant,
    gateway: FakeGateway,
    *,
    language: str,
    code: int,
    words: str,
) -> None:
    conv_id = await some_conversation(services, acme)
    await browser.get(f"/inbox/conversations/{conv_id}")
    gateway.answers = [provider_error(400, {"code": code})]
    await browser.post(f"/inbox/conversations/{conv_id}/messages", content="Olá, Ana!")
    await services.deliveries.deliver(acme.owner_id, conv_id)

    page = await browser.get(f"/inbox/conversations/{conv_id}", headers={"Accept-Language": language})

    assert words in page.text
