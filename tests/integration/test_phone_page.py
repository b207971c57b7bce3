"""The customer's phone in a browser: what it shows, what its forms do, and where it does not exist."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from browsing import browsing
from owner.integrations.simulator import SimulatorClient, create_simulator
from owner.integrations.simulator.switches import BY_NAME
from owner.services.catalog import Services
from serving import serving

ACCOUNT, TOKEN, TEMPLATE = "AC" + 32 * "a", "token-of-acme", "HX" + 32 * "c"
LIST = "HX" + 32 * "b"
SMS, WHATSAPP = "+551150284400", "whatsapp:+551150284400"
ANA, ANA_WHATSAPP = "+5511987654321", "whatsapp:+5511987654321"
PAGE = "/simulator"


@dataclass
class Company:
    """Stands for the product: keeps what the webhooks brought, and answers as told."""

    heard: list[dict[str, str]] = field(default_factory=list)
    answer: int = 200

    async def hear(self, request: Request) -> Response:
        self.heard.append(dict(parse_qsl((await request.body()).decode())))
        return Response(status_code=self.answer)


@dataclass
class Phone:
    """The page, as a browser without script uses it."""

    simulator: SimulatorClient
    company: Company

    async def look(self, to: str = WHATSAPP, **query: str) -> str:
        status, html = await self.see(to=to, number=ANA, **query)
        assert status == 200, html
        return html

    async def see(self, **query: str) -> tuple[int, str]:
        async with self._session.get(self.simulator.base_url + PAGE, params=query) as answer:
            return answer.status, await answer.text()

    async def send(
        self, form: str = "messages", *, picture: bytes | None = None, headers: Any = None, **fields: str
    ) -> tuple[int, str]:
        body = aiohttp.FormData({"customer": ANA_WHATSAPP, "to": WHATSAPP, **fields})
        if picture is not None:
            body.add_field("file", picture, filename="bolo.png", content_type="image/png")
        url = f"{self.simulator.base_url}{PAGE}/phone/{form}"
        async with self._session.post(url, data=body, headers=headers) as answer:
            return answer.status, await answer.text()

    async def company_sends(self, **fields: str) -> int:
        url = f"{self.simulator.base_url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        body = {"From": WHATSAPP, "To": ANA_WHATSAPP, **fields}
        headers = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT, TOKEN)}
        async with self._session.post(url, data=body, headers=headers) as answer:
            return answer.status

    @property
    def _session(self) -> aiohttp.ClientSession:
        return self.simulator.session


@asynccontextmanager
async def _simulator(company: Company) -> AsyncIterator[Phone]:
    heard_at = Starlette(routes=[Route("/inbound", company.hear, methods=["POST"])])
    async with (
        serving(heard_at) as url,
        serving(create_simulator(callback_delay=0)) as twilio,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        simulator = SimulatorClient(twilio, session)
        await simulator.register_account(
            ACCOUNT,
            TOKEN,
            numbers=[WHATSAPP, SMS],
            inbound_url=f"{url}/inbound",
            templates={
                TEMPLATE: {"body": "Oi, {{1}}!", "buttons": [{"payload": "yes", "text": "Sim"}]},
                LIST: {
                    "body": "Quando?",
                    "more": {
                        "items": [{"id": "am", "item": "De manhã", "description": "das 8h às 12h"}],
                        "actions": [{"type": "URL", "title": "Ver", "url": "https://example.com/{{1}}"}],
                    },
                },
            },
        )
        yield Phone(simulator, company)


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    async with _simulator(Company()) as made:
        yield made


def _words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


async def test_what_is_written_on_the_phone_reaches_the_company_and_is_shown_with_its_tick(
    phone: Phone,
) -> None:
    status, html = await phone.send(body="Oi, vocês abrem amanhã?", name="Ana")

    [heard] = phone.company.heard
    assert (heard["From"], heard["To"]) == (ANA_WHATSAPP, WHATSAPP)
    assert (heard["Body"], heard["ProfileName"]) == ("Oi, vocês abrem amanhã?", "Ana")
    assert status == 200
    assert "You: Oi, vocês abrem amanhã?" in _words(html)
    assert "Delivered to the company" in _words(html)


async def test_the_companys_answers_appear_with_their_ticks_and_failures_with_their_reason(
    phone: Phone,
) -> None:
    await phone.send(body="Oi")
    await phone.company_sends(Body="Abrimos às 8h")
    await phone.send("faults", switch="error-30003", often="once")
    await phone.company_sends(Body="E fechamos às 18h")

    words = ""
    while not ("Read" in words and "Never arrived" in words):
        words = _words(await phone.look())

    assert "The company: Abrimos às 8h" in words
    assert "Never arrived on this phone. The phone is off (30003)" in words


async def test_a_company_that_refuses_the_webhook_leaves_one_tick_and_says_so(phone: Phone) -> None:
    phone.company.answer = 503

    _, html = await phone.send(body="Oi")

    assert "The company's server answered 503." in _words(html)


async def test_a_choice_of_a_list_can_be_made_and_a_link_followed(phone: Phone) -> None:
    await phone.company_sends(ContentSid=LIST, ContentVariables='{"1": "Ana"}')
    page = await phone.look()

    await phone.send(list_item="am", button_text="De manhã", description="das 8h às 12h")

    assert 'name="list_item" value="am">' in page
    assert '<a class="leads" href="https://example.com/Ana"' in page
    [heard] = phone.company.heard
    assert (heard["ListId"], heard["ListTitle"], heard["Body"]) == ("am", "De manhã", "De manhã")
    assert "ButtonPayload" not in heard


async def test_buttons_of_a_template_can_be_pressed(phone: Phone) -> None:
    await phone.company_sends(ContentSid=TEMPLATE, ContentVariables='{"1": "Ana"}')
    page = await phone.look()

    await phone.send(button="yes", button_text="Sim")

    assert re.search('value="yes">.*Sim</button>', page)
    [heard] = phone.company.heard
    assert (heard["ButtonPayload"], heard["ButtonText"], heard["MessageType"]) == ("yes", "Sim", "button")


async def test_files_and_places_are_sent_and_shown(phone: Phone) -> None:
    await phone.send(picture=b"a cake")
    await phone.send(latitude="-23.5", longitude="-46.6", label="Praça")

    page = await phone.look()
    [address] = re.findall(r'<img src="([^"]+)"', page)
    async with phone.simulator.session.get(phone.simulator.base_url + address) as answer:
        shown, policy = await answer.read(), answer.headers["content-security-policy"]

    assert "Praça -23.5, -46.6" in _words(page)
    assert [heard["MessageType"] for heard in phone.company.heard] == ["image", "location"]
    assert shown == b"a cake"
    assert policy.startswith("sandbox;")


async def test_what_customers_write_is_shown_as_text(phone: Phone) -> None:
    await phone.send(body="<script>alert(1)</script>", name='"><img src=x>')
    await phone.company_sends(Body="x", MediaUrl="javascript:alert(1)")

    page = await phone.look(name='"><img src=x>')

    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    assert "javascript:" not in page


async def test_each_switch_arms_its_fault_for_this_phone_and_the_second_press_takes_it_away(
    phone: Phone,
) -> None:
    for name in BY_NAME:
        _, on = await phone.send("faults", switch=name, often="5 times")
        [armed] = await phone.simulator.faults()
        _, off = await phone.send("faults", switch=name)

        assert f'id="switch-{name}" role="switch" aria-checked="true"' in on
        assert (armed["to"], armed["count"]) in {(ANA_WHATSAPP, 5), (WHATSAPP, 5)}
        assert f'id="switch-{name}" role="switch" aria-checked="false"' in off
        assert await phone.simulator.faults() == []


async def test_switching_everything_off_leaves_other_phones_faults(phone: Phone) -> None:
    await phone.simulator.fault("http_500", to="whatsapp:+5511900000000")
    await phone.send("faults", switch="http_429", often="until switched off")

    await phone.send("faults", switch="none")

    assert [fault["kind"] for fault in await phone.simulator.faults()] == ["http_500"]


async def test_a_switched_on_fault_strikes(phone: Phone) -> None:
    await phone.send(body="Oi")
    await phone.send("faults", switch="http_429", often="once")
    await phone.send("faults", switch="webhook_doubled", often="once")

    refused = await phone.company_sends(Body="Olá")
    await phone.send(body="Tudo bem?")

    assert refused == 429
    assert [heard["Body"] for heard in phone.company.heard] == ["Oi", "Tudo bem?", "Tudo bem?"]
    assert len({heard["MessageSid"] for heard in phone.company.heard}) == 2


async def test_the_page_runs_no_script_but_its_own_and_obeys_no_other_site(phone: Phone) -> None:
    async with phone.simulator.session.get(phone.simulator.base_url + PAGE) as answer:
        policy, html = answer.headers["content-security-policy"], await answer.text()
    refused, _ = await phone.send(body="Oi", headers={"Sec-Fetch-Site": "same-site"})

    assert "default-src 'none'; script-src 'self';" in policy
    assert re.findall(r"<script(?! src=)|\son\w+=|\sstyle=", html) == []
    assert refused == 403
    assert phone.company.heard == []


async def test_a_number_that_is_none_is_told(phone: Phone) -> None:
    for number in ("123", "ana", "+55 11 x"):
        status, html = await phone.see(number=number, to=WHATSAPP)
        await phone.send(body="Oi", customer=f"whatsapp:{number}")

        assert status == 400
        assert "Write the number like +5511987654321." in _words(html)
    assert phone.company.heard == []


async def test_a_place_without_numbers_is_refused_on_a_calm_page(phone: Phone) -> None:
    status, html = await phone.send(latitude="north", longitude="1")

    assert status == 400
    assert "That could not be sent" in _words(html)


async def test_a_simulator_without_accounts_takes_one_by_a_form(phone: Phone) -> None:
    await phone.simulator.reset()
    _, before = await phone.see()

    async def register(inbound_url: str) -> tuple[int, str]:
        numbers = f"{WHATSAPP}, {SMS}"
        return await phone.send(
            "accounts", account_sid=ACCOUNT, auth_token=TOKEN, numbers=numbers, inbound_url=inbound_url
        )

    refused, _ = await register("nowhere")
    _, after = await register("http://127.0.0.1:9/inbound")

    assert "No number to write to yet" in _words(before)
    assert refused == 400
    assert "WhatsApp +55 11 5028-4400 SMS +55 11 5028-4400" in _words(after)


@pytest.mark.parametrize(
    ("language", "tag", "words"),
    [("pt-BR,pt;q=0.9", "pt-BR", "A empresa por WhatsApp"), ("es-MX", "es", "La empresa por WhatsApp")],
)
async def test_the_phone_speaks_the_browsers_language(
    phone: Phone, language: str, tag: str, words: str
) -> None:
    url, headers = phone.simulator.base_url + PAGE, {"Accept-Language": language}

    async with phone.simulator.session.get(url, headers=headers) as answer:
        html = await answer.text()

    assert f'<html lang="{tag}">' in html
    assert words in _words(html)


async def test_another_language_can_be_chosen(phone: Phone) -> None:
    _, html = await phone.send("language", language="es")

    assert '<html lang="es">' in html
    assert "La empresa por WhatsApp" in _words(html)


async def test_the_product_itself_has_no_phone(services: Services) -> None:
    async with browsing(services) as browser:
        page = await browser.get(PAGE)

    assert page.status == 404
