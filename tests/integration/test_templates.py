"""Approved templates: asked of Twilio, offered to agents and programs, readable in the thread."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from browsing import Browser, browsing
from calling import calling
from factories import Tenant, some_number
from fakes import FakeGateway
from owner.integrations.simulator import SimulatorClient, create_simulator
from owner.integrations.twilio.client import TwilioGateway
from owner.models.enums import UserRole
from owner.models.errors import OutcomeUnknown, ProviderError, ProviderProblem
from owner.models.message import MessageCreate
from owner.models.template import Template, TemplateButton, TemplateLook, TemplateStatus
from owner.services import templates as template_service
from owner.services.catalog import Services
from owner.services.ports import Credentials, OutboundMessage
from reading import rows
from serving import serving
from visiting import PASSWORD, visiting
from working import a_customer_writes, a_program

SID, OTHER_SID = "HX" + "a" * 32, "HX" + "b" * 32
ORDER = Template(
    content_sid=SID,
    name="pedido",
    language="pt_BR",
    status=TemplateStatus.APPROVED,
    body="Oi, {{1}}! Seu pedido {{2}} <saiu>.",
    examples={"1": "Ana", "2": "4711"},
    look=TemplateLook(footer="Padaria Sol", buttons=[TemplateButton(title="Obrigada")]),
)
PENDING = ORDER.model_copy(
    update={"content_sid": OTHER_SID, "name": "novidade", "status": TemplateStatus.PENDING}
)


@pytest.fixture
async def browser(services: Services, acme: Tenant) -> AsyncIterator[Browser]:
    async with browsing(services) as opened:
        await opened.sign_in(acme.owner.email, PASSWORD)
        yield opened


async def on_whatsapp(services: Services, tenant: Tenant) -> int:
    return await a_customer_writes(services, tenant, customer=f"whatsapp:{some_number()}", to=tenant.whatsapp)


async def texts(services: Services, tenant: Tenant) -> list[str]:
    sent = await rows(services, tenant, "SELECT content FROM messages WHERE direction = 'OUTBOUND'")
    return [row["content"] for row in sent]


async def test_an_agent_chooses_a_template_and_the_thread_has_what_the_customer_reads(
    services: Services, browser: Browser, acme: Tenant, gateway: FakeGateway
) -> None:
    gateway.templates = [ORDER, PENDING]
    conv_id = await on_whatsapp(services, acme)

    page = await browser.get(f"/inbox/conversations/{conv_id}")
    offered = await browser.get(f"/inbox/conversations/{conv_id}/templates")
    fields: dict[str, Any] = {"content_sid": SID, "value-1": "Bia", "value-2": "12 & 13"}
    sent = await browser.post(f"/inbox/conversations/{conv_id}/template", **fields)

    assert f'href="/inbox/conversations/{conv_id}/templates"' in page.html
    assert 'data-place="1">{{1}}</span>! Seu pedido' in offered.html
    assert "&lt;saiu&gt;" in offered.html
    assert "novidade" not in offered.text  # not approved
    assert "Oi, Bia! Seu pedido 12 & 13 <saiu>." in sent.text
    assert (
        '<ul class="offered plain" aria-label="Buttons for the customer"><li><span>Obrigada</span>'
        in sent.html
    )
    assert "Padaria Sol" in sent.text
    [stored] = await rows(services, acme, "SELECT * FROM messages WHERE direction = 'OUTBOUND'")
    assert (stored["message_type"], stored["content_sid"]) == ("TEMPLATE", SID)
    assert stored["content_variables"] == {"1": "Bia", "2": "12 & 13"}


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (OutcomeUnknown(), "Twilio did not answer. Try again in a moment."),
        (
            ProviderError("The Twilio account is suspended.", kind=ProviderProblem.CREDENTIALS),
            "The Twilio account is suspended.",
        ),
    ],
)
async def test_a_twilio_that_does_not_tell_leaves_the_sid_by_hand(
    services: Services,
    browser: Browser,
    acme: Tenant,
    gateway: FakeGateway,
    *,
    problem: Exception,
    words: str,
) -> None:
    gateway.answers = [problem]
    conv_id = await on_whatsapp(services, acme)

    offered = await browser.get(f"/inbox/conversations/{conv_id}/templates")
    await browser.post(f"/inbox/conversations/{conv_id}/template", content_sid=SID, variables="Ana\nquinta")

    assert (offered.status, words in offered.text) == (200, True)
    assert 'name="variables"' in offered.html
    [stored] = await rows(services, acme, "SELECT * FROM messages WHERE direction = 'OUTBOUND'")
    assert stored["content_variables"] == {"1": "Ana", "2": "quinta"}
    assert gateway.templates_asked == 1  # the failure is remembered: sending did not wait for it again


async def test_a_twilio_that_is_silent_is_not_waited_for(
    services: Services, acme: Tenant, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(_: Credentials) -> list[Template]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(gateway, "list_templates", silent)
    monkeypatch.setattr(template_service, "PATIENCE", 0.01)

    with pytest.raises(OutcomeUnknown):
        await services.templates.list_all(acme.owner_id, acme.account.twilio_account_id)


async def test_all_who_ask_at_once_and_soon_after_ask_twilio_once(
    services: Services, acme: Tenant, gateway: FakeGateway
) -> None:
    gateway.templates = [ORDER]
    account_id = acme.account.twilio_account_id

    lists = await asyncio.gather(*(services.templates.list_all(acme.owner_id, account_id) for _ in range(5)))

    assert lists == [[ORDER]] * 5
    assert gateway.templates_asked == 1


async def test_a_text_that_nobody_knew_comes_with_the_provider_s_answer(
    services: Services, acme: Tenant, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    conv_id = await on_whatsapp(services, acme)
    send = gateway.send

    async def rendering(message: OutboundMessage, credentials: Credentials) -> Any:
        filled_in = OutboundMessage(to=message.to, sender=message.sender, body="Oi, Ana!")
        return await send(filled_in, credentials)

    monkeypatch.setattr(gateway, "send", rendering)
    await services.messages.send_as(a_program(acme), conv_id, MessageCreate(content_sid=SID))
    before = await texts(services, acme)
    await services.deliveries.deliver(acme.owner_id, conv_id)

    assert before == [""]
    assert await texts(services, acme) == ["Oi, Ana!"]


async def test_templates_are_listed_over_rest_for_who_may_send(
    services: Services, acme: Tenant, globex: Tenant, gateway: FakeGateway
) -> None:
    gateway.templates = [ORDER, PENDING]
    path = f"/v1/twilio-accounts/{acme.account.twilio_account_id}/templates"
    async with visiting(services) as visit:
        _, agent = await visit.person(acme, "bruno@acme.example", UserRole.AGENT)
        _, viewer = await visit.person(acme, "vera@acme.example", UserRole.VIEWER)

    answers = {}
    for name, key in {"agent": agent, "viewer": viewer, "globex": globex.api_key}.items():
        async with calling(services, key) as api:
            answers[name] = await api.call("GET", path)
    async with calling(services, acme.api_key) as api:
        pending = await api.call("GET", f"{path}?status=PENDING")

    assert [item["name"] for item in answers["agent"].body["items"]] == ["novidade", "pedido"]
    order = answers["agent"].body["items"][1]
    assert (order["variables"], order["buttons"], order["status"]) == (["1", "2"], ["Obrigada"], "APPROVED")
    assert [item["name"] for item in pending.body["items"]] == ["novidade"]
    assert (answers["viewer"].status, answers["globex"].status) == (403, 404)


async def test_over_rest_a_silent_twilio_is_told_as_such(
    services: Services, acme: Tenant, gateway: FakeGateway
) -> None:
    gateway.answers = [OutcomeUnknown()]

    async with calling(services, acme.api_key) as api:
        answer = await api.call("GET", f"/v1/twilio-accounts/{acme.account.twilio_account_id}/templates")

    assert (answer.status, answer.body["code"]) == (504, "outcome_unknown")


async def test_sms_offers_no_templates(services: Services, browser: Browser, acme: Tenant) -> None:
    conv_id = await a_customer_writes(services, acme)

    page = await browser.get(f"/inbox/conversations/{conv_id}")

    assert "/templates" not in page.html


async def test_what_the_simulator_lists_is_what_its_phones_show() -> None:
    credentials = Credentials("AC" + "1" * 32, "token")
    ours, ana = "whatsapp:+14155238886", "whatsapp:+5511987654321"
    async with serving(create_simulator(callback_delay=0)) as url, aiohttp.ClientSession() as session:
        phone = SimulatorClient(url, session)
        await phone.register_account(credentials.account_sid, credentials.auth_token, numbers=[ours])
        gateway = TwilioGateway(url)
        try:
            templates = {one.name: one for one in await gateway.list_templates(credentials)}
            reminder = templates["appointment_reminder"]
            variables = '{"name": "Bia", "day": "terça", "hour": "10h"}'
            sent = await gateway.send(
                OutboundMessage(ana, ours, "", content_sid=reminder.content_sid, content_variables=variables),
                credentials,
            )
        finally:
            await gateway.aclose()

    values = {"name": "Bia", "day": "terça", "hour": "10h"}
    assert sent.body == reminder.fill_in(values).body == "Hello Bia, we expect you on terça at 10h."
    assert {one.status for one in templates.values()} >= {
        TemplateStatus.APPROVED,
        TemplateStatus.PENDING,
        TemplateStatus.REJECTED,
    }
    assert {one.language for one in templates.values()} == {"pt_BR", "en", "es"}
    assert templates["retomar_conversa"].buttons == ["Sim", "Mais tarde"]
    tracking, hours, cakes = (
        templates[name] for name in ("acompanhar_entrega", "escolha_um_horario", "bolos_da_semana")
    )
    assert [one.opens for one in tracking.fill_in({"1": "12"}).look.buttons] == [
        "https://example.com/pedidos/12",
        "+551150284400",
    ]
    assert (hours.look.menu, hours.buttons) == ("Ver horários", ["De manhã", "À tarde"])
    assert [(card.title, len(card.buttons)) for card in cakes.look.cards] == [
        ("Cenoura", 2),
        ("Fubá", 2),
        ("Laranja", 2),
    ]


async def test_pages_are_followed_on_the_own_host_only_and_what_is_odd_is_left_out() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        item = {"sid": SID, "types": {"twilio/text": {"body": "Oi"}}}
        if "Page" not in request.query:
            elsewhere = "https://evil.example/v1/ContentAndApprovals?PageSize=250&Page=1&PageToken=x"
            return web.json_response(
                {"contents": [item, 7, {"sid": OTHER_SID}], "meta": {"next_page_url": elsewhere}}
            )
        odd = {**item, "types": [], "variables": None, "approval_requests": "?"}
        return web.json_response({"contents": [odd], "meta": {"next_page_url": None}})

    application = web.Application()
    application.router.add_get("/v1/ContentAndApprovals", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    gateway = TwilioGateway(f"http://127.0.0.1:{port}")
    try:
        found = await gateway.list_templates(Credentials("AC" + "1" * 32, "token"))
    finally:
        await gateway.aclose()
        await runner.cleanup()

    assert [(one.content_sid, one.status) for one in found] == [(SID, TemplateStatus.DRAFT)]
    assert asked[1:] == ["/v1/ContentAndApprovals?PageSize=250&Page=1&PageToken=x"]
