"""The REST client against a small Twilio of this file's own, over real HTTP."""

import asyncio
import base64
import logging
import socket
import threading
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from owner.integrations.twilio.client import TwilioGateway
from owner.models.enums import DeliveryStatus
from owner.models.errors import OutcomeUnknown, ProviderError, ProviderProblem
from owner.services.ports import Credentials, MessageGateway, OutboundMessage

ACCOUNT, TOKEN = "AC" + 32 * "5", "token-of-acme"
CREDENTIALS = Credentials(ACCOUNT, TOKEN)
BASIC = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
ACME, ANA = "+551140040001", "+5511987650001"
API = f"/2010-04-01/Accounts/{ACCOUNT}"
MESSAGE = OutboundMessage(to=ANA, sender=ACME, body="Olá, Ana! 1+1=2 & mais")
NOON = datetime(2026, 11, 23, 12, 0, 0, 500_000, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + 1_000 * b"."
PAGES, NEWEST_PAGE = 10, 1

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    method: str
    path: str
    query: list[tuple[str, str]]
    form: list[tuple[str, str]]
    authorization: str | None


@dataclass
class Provider:
    """A Twilio that answers what the test tells it to, and remembers what it was asked."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    raw_paths: list[str] = field(default_factory=list)  # as they stood in the request
    answer: Answer | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        form = parse_qsl((await request.text()), keep_blank_values=True)
        authorization = request.headers.get("Authorization")
        query = list(request.query.items())
        self.seen.append(Seen(request.method, request.path, query, form, authorization))
        self.raw_paths.append(request.raw_path)
        assert self.answer is not None
        return await self.answer(request)

    def answers(self, body: Any = None, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.json_response(body, status=status, headers=headers)

        self.answer = answer

    def answers_file(self, content: bytes, content_type: str = "image/png") -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(body=content, content_type=content_type)

        self.answer = answer

    def redirects(self, *locations: str, status: int = 307) -> None:
        """Each path `/n` leads to the location numbered n; beyond them is a picture."""

        async def answer(request: web.Request) -> web.StreamResponse:
            number = int(request.path.strip("/"))
            if number < len(locations):
                return web.Response(status=status, headers={"Location": locations[number]})
            return web.Response(body=PNG)

        self.answer = answer


@asynccontextmanager
async def serving(host: str = "127.0.0.1") -> AsyncIterator[Provider]:
    provider = Provider()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", provider.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0)
    await site.start()
    provider.url = f"http://{host}:{runner.addresses[0][1]}"
    yield provider
    await runner.cleanup()


@asynccontextmanager
async def answering_bytes(answer: bytes | None) -> AsyncIterator[str]:
    """A server that reads a request, writes these bytes and hangs up; None resets the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def gateway_to(url: str, *, timeout: float = 5.0) -> AsyncIterator[TwilioGateway]:
    gateway = TwilioGateway(url, timeout=timeout)
    yield gateway
    await gateway.aclose()


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with serving() as provider:
        yield provider


@pytest.fixture
async def gateway(provider: Provider) -> AsyncIterator[TwilioGateway]:
    async with gateway_to(provider.url) as gateway:
        yield gateway


def resource(number: int = 1, **changed: Any) -> dict[str, Any]:
    return {
        "sid": f"SM{number:032x}",
        "status": "queued",
        "body": "Olá",
        "num_media": "0",
        "direction": "outbound-api",
        "date_created": format_datetime(NOON),
        "date_sent": None,
        "error_code": None,
        **changed,
    }


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class TestSending:
    async def test_a_message_goes_out_as_twilio_expects_it(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        port: MessageGateway = gateway
        provider.answers(resource(num_media="2", body="Olá, Ana!"), status=201)

        sent = await port.send(
            OutboundMessage(
                to=f"whatsapp:{ANA}",
                sender=f"whatsapp:{ACME}",
                body="Olá, Ana! 1+1=2 & mais",
                media_urls=("https://a.example/1", "https://a.example/2?x=1&y"),
                messaging_service_sid="MG1",
                status_callback="https://hooks.acme.example/status?msg_id=7",
            ),
            CREDENTIALS,
        )

        assert sent.provider_sid == resource()["sid"]
        assert (sent.status, sent.body, sent.num_media) == (DeliveryStatus.QUEUED, "Olá, Ana!", 2)
        assert sent.created_at == NOON.replace(microsecond=0)
        assert provider.seen == [
            Seen(
                "POST",
                f"{API}/Messages.json",
                [],
                [
                    ("To", f"whatsapp:{ANA}"),
                    ("From", f"whatsapp:{ACME}"),
                    ("MessagingServiceSid", "MG1"),
                    ("StatusCallback", "https://hooks.acme.example/status?msg_id=7"),
                    ("Body", "Olá, Ana! 1+1=2 & mais"),
                    ("MediaUrl", "https://a.example/1"),
                    ("MediaUrl", "https://a.example/2?x=1&y"),
                ],
                BASIC,
            )
        ]

    async def test_a_template_goes_without_text_and_files(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        provider.answers(resource(), status=201)

        await gateway.send(
            OutboundMessage(
                to=ANA,
                sender=ACME,
                body="x",
                media_urls=("https://a",),
                content_sid="HX1",
                content_variables='{"1":"a"}',
            ),
            CREDENTIALS,
        )

        assert [name for name, _ in provider.seen[0].form] == ["To", "From", "ContentSid", "ContentVariables"]

    async def test_a_status_from_the_future_counts_as_accepted(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        provider.answers(resource(status="teleporting", date_created="?", num_media=None), status=201)

        sent = await gateway.send(MESSAGE, CREDENTIALS)

        assert (sent.status, sent.created_at, sent.num_media) == (DeliveryStatus.ACCEPTED, None, 0)

    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (400, 21211, ProviderProblem.PERMANENT),
            (400, 21610, ProviderProblem.OPTED_OUT),
            (400, 63016, ProviderProblem.WINDOW),
            (401, 20003, ProviderProblem.CREDENTIALS),
            (429, 20429, ProviderProblem.RETRY),
            (404, 20404, ProviderProblem.PERMANENT),
        ],
    )
    async def test_a_refusal_says_what_helps(
        self, provider: Provider, gateway: TwilioGateway, status: int, code: int, kind: ProviderProblem
    ) -> None:
        provider.answers({"code": code, "message": f"No, {ANA}!", "status": status}, status=status)

        with pytest.raises(ProviderError) as refusal:
            await gateway.send(MESSAGE, CREDENTIALS)

        assert (refusal.value.kind, refusal.value.provider_code) == (kind, code)

    @pytest.mark.parametrize(
        ("header", "least", "most"),
        [
            ("7", 7, 7),
            ("0.5", 0.5, 0.5),
            ("-1", 0, 0),
            ("9999999", 86_400, 86_400),
            ("a date", 7_000, 7_200),
        ],
    )
    async def test_twilio_says_how_long_to_wait(
        self, provider: Provider, gateway: TwilioGateway, header: str, least: float, most: float
    ) -> None:
        in_two_hours = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
        headers = {"Retry-After": in_two_hours if header == "a date" else header}
        provider.answers({"code": 20429}, status=429, headers=headers)

        with pytest.raises(ProviderError) as refusal:
            await gateway.send(MESSAGE, CREDENTIALS)

        assert refusal.value.retry_after is not None
        assert least <= refusal.value.retry_after <= most

    @pytest.mark.parametrize("header", ["soon", "nan", "inf", ""])
    async def test_a_wait_that_is_none_is_ignored(
        self, provider: Provider, gateway: TwilioGateway, header: str
    ) -> None:
        provider.answers({"code": 20429}, status=429, headers={"Retry-After": header})

        with pytest.raises(ProviderError) as refusal:
            await gateway.send(MESSAGE, CREDENTIALS)

        assert refusal.value.retry_after is None

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
    async def test_after_a_server_error_nobody_knows(
        self, provider: Provider, gateway: TwilioGateway, status: int
    ) -> None:
        provider.answers({"code": 20500}, status=status)

        with pytest.raises(OutcomeUnknown):
            await gateway.send(MESSAGE, CREDENTIALS)

        assert len(provider.seen) == 1

    @pytest.mark.parametrize("body", [None, [], {}, "x", {"sid": None}, {"sid": 7}])
    async def test_after_an_answer_without_a_sid_nobody_knows(
        self, provider: Provider, gateway: TwilioGateway, body: Any
    ) -> None:
        provider.answers(body, status=201)

        with pytest.raises(OutcomeUnknown):
            await gateway.send(MESSAGE, CREDENTIALS)

    async def test_after_no_answer_in_time_nobody_knows(self, provider: Provider) -> None:
        async def sleep(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(5)
            raise AssertionError

        provider.answer = sleep

        async with gateway_to(provider.url, timeout=0.2) as gateway:
            with pytest.raises(OutcomeUnknown):
                await gateway.send(MESSAGE, CREDENTIALS)

    @pytest.mark.parametrize(
        "answer",
        [
            None,
            b"",
            b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{",
            b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\n\xff{}\x00",
            b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
            b"SSH-2.0-OpenSSH_9.0\r\n",
        ],
        ids=["reset", "hung up", "cut off", "no JSON", "no gzip", "no HTTP"],
    )
    async def test_after_a_broken_answer_nobody_knows(self, answer: bytes | None) -> None:
        async with answering_bytes(answer) as url, gateway_to(url) as gateway:
            with pytest.raises(OutcomeUnknown):
                await gateway.send(MESSAGE, CREDENTIALS)

    @pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
    async def test_without_a_connection_twilio_surely_has_not_got_it(self, host: str) -> None:
        async with gateway_to(f"http://{host}:{unused_port()}") as gateway:
            with pytest.raises(ProviderError) as refusal:
                await gateway.send(MESSAGE, CREDENTIALS)

        assert refusal.value.kind is ProviderProblem.RETRY

    async def test_a_connection_that_never_comes_about_is_known_not_to_have_sent(self) -> None:
        with socket.socket() as silent:  # a full backlog leaves the next connection unanswered
            silent.bind(("127.0.0.1", 0))
            silent.listen(0)
            address = silent.getsockname()
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            async with gateway_to(f"http://127.0.0.1:{address[1]}", timeout=0.4) as gateway:
                with pytest.raises(ProviderError) as refusal:
                    await gateway.send(MESSAGE, CREDENTIALS)
            for filler in fillers:
                filler.close()

        assert refusal.value.kind is ProviderProblem.RETRY

    async def test_a_redirect_is_not_followed_with_the_message(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        async with serving() as other:
            provider.answers(status=307, headers={"Location": f"{other.url}/"})

            with pytest.raises(ProviderError) as refusal:
                await gateway.send(MESSAGE, CREDENTIALS)

            assert refusal.value.kind is ProviderProblem.RETRY
            assert other.seen == []

    async def test_odd_credentials_and_texts_are_sent_for_twilio_to_refuse(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        provider.answers({"code": 20003}, status=401)
        message = OutboundMessage(to="\ud83d", sender=ACME, body="\udcff\x00")

        with pytest.raises(ProviderError) as refusal:
            await gateway.send(message, Credentials("AC:1/../\ud83d", "\ud83d\n"))

        assert refusal.value.kind is ProviderProblem.CREDENTIALS
        assert provider.seen[0].path.endswith("/Messages.json")

    async def test_no_secret_and_no_text_gets_into_errors_and_logs(
        self, provider: Provider, gateway: TwilioGateway, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        provider.answers({"code": 21211, "message": f"The 'To' number {ANA} is not valid"}, status=400)

        with pytest.raises(ProviderError) as refusal:
            await gateway.send(MESSAGE, CREDENTIALS)

        told = caplog.text + repr(refusal.value) + str(refusal.value.facts) + repr(CREDENTIALS)
        assert not any(secret in told for secret in (TOKEN, BASIC, ANA, ANA[1:], "Olá"))

    async def test_after_closing_it_opens_again(self, provider: Provider) -> None:
        provider.answers(resource(), status=201)
        async with gateway_to(provider.url) as gateway:
            await gateway.send(MESSAGE, CREDENTIALS)
            await gateway.aclose()
            await gateway.aclose()

            assert (await gateway.send(MESSAGE, CREDENTIALS)).provider_sid


class TestLookingUp:
    async def test_sent_messages_are_asked_for_by_customer_and_day(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        provider.answers({"messages": [], "next_page_uri": None})

        assert await gateway.list_sent(to=f"whatsapp:{ANA}", since=NOON, credentials=CREDENTIALS) == []

        queries = [dict(seen.query) for seen in provider.seen]
        assert queries == [
            {"To": f"whatsapp:{ANA}", "PageSize": "100"},
            {"To": f"whatsapp:{ANA}", "DateSent>": "2026-11-23", "PageSize": "100"},
        ]

    async def test_the_day_is_greenwichs(self, provider: Provider, gateway: TwilioGateway) -> None:
        provider.answers({"messages": []})
        late = datetime.fromisoformat("2026-11-23T22:30:00-03:00")

        await gateway.list_sent(to=ANA, since=late, credentials=CREDENTIALS)

        assert dict(provider.seen[1].query)["DateSent>"] == "2026-11-24"

    async def test_older_and_inbound_messages_are_left_out(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        before = format_datetime(NOON - timedelta(seconds=1))
        provider.answers(
            {
                "messages": [
                    resource(1),  # created in the same second: Twilio knows no fractions
                    resource(2, date_created=before),
                    resource(3, direction="inbound"),
                    resource(4, date_created=None, status="sent", num_media="1", error_code=30007),
                    resource(5, sid=None),
                    "nonsense",
                ]
            }
        )

        found = await gateway.list_sent(to=ANA, since=NOON, credentials=CREDENTIALS)

        assert [sent.provider_sid for sent in found] == [resource(1)["sid"], resource(4)["sid"]]
        assert (found[1].status, found[1].num_media, found[1].error_code) == (DeliveryStatus.SENT, 1, 30007)

    @pytest.mark.parametrize("hours", [0, 1, -1])
    async def test_the_provider_tells_by_how_much_our_clock_is_wrong(
        self, provider: Provider, hours: int
    ) -> None:
        class WrongClock:
            def now(self) -> datetime:
                return datetime.now(UTC) + timedelta(hours=hours)

        gateway = TwilioGateway(provider.url, clock=WrongClock())
        provider.answers({"messages": []})

        await gateway.list_sent(to=ANA, since=NOON, credentials=CREDENTIALS)
        told = gateway.provider_time(NOON)
        await gateway.aclose()

        assert abs(told - (NOON - timedelta(hours=hours))) < timedelta(minutes=1)

    async def test_a_message_that_waits_for_its_day_of_sending_is_found(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.json_response({"messages": [] if "DateSent>" in request.query else [resource(1)]})

        provider.answer = answer

        found = await gateway.list_sent(to=ANA, since=NOON, credentials=CREDENTIALS)

        assert [sent.provider_sid for sent in found] == [resource(1)["sid"]]

    async def test_pages_are_followed_but_not_for_ever(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            page = int(request.query.get("Page", "0"))
            following = f"{API}/Messages.json?To=%2B55&DateSent%3E=2026-11-23&Page={page + 1}"
            return web.json_response({"messages": [resource(page)], "next_page_uri": following})

        provider.answer = answer

        found = await gateway.list_sent(to=ANA, since=NOON, credentials=CREDENTIALS)

        assert len(found) == PAGES
        assert len(provider.seen) == PAGES + NEWEST_PAGE
        assert dict(provider.seen[-1].query)["DateSent>"] == "2026-11-23"

    @pytest.mark.parametrize(
        "following", ["https://evil.example/", "//evil.example/", "@evil.example/", ".evil.example", 7]
    )
    async def test_the_next_page_is_at_the_same_host(
        self, provider: Provider, gateway: TwilioGateway, following: Any
    ) -> None:
        provider.answers({"messages": [resource(1)], "next_page_uri": following})

        assert len(await gateway.list_sent(to=ANA, since=NOON, credentials=CREDENTIALS)) == 1
        assert len(provider.seen) == 1 + NEWEST_PAGE

    @pytest.mark.parametrize("body", [None, {}, {"messages": None}])
    async def test_a_broken_list_is_not_an_empty_one(
        self, provider: Provider, gateway: TwilioGateway, body: Any
    ) -> None:
        provider.answers(body)

        with pytest.raises(OutcomeUnknown):
            await gateway.list_sent(to=ANA, since=NOON, credentials=CREDENTIALS)

    async def test_all_pages_together_have_one_time_out(self, provider: Provider) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(0.15)
            return web.json_response({"messages": [], "next_page_uri": f"{API}/Messages.json?Page=1"})

        provider.answer = answer

        async with gateway_to(provider.url, timeout=0.4) as gateway:
            with pytest.raises(OutcomeUnknown):
                await gateway.list_sent(to=ANA, since=NOON, credentials=CREDENTIALS)

    async def test_credentials_that_open_the_account_pass(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        provider.answers({"sid": ACCOUNT, "status": "active"})

        await gateway.check(CREDENTIALS)

        assert provider.seen == [Seen("GET", f"{API}.json", [], [], BASIC)]

    @pytest.mark.parametrize(
        ("status", "body", "code"),
        [
            (401, {"code": 20003}, 20003),
            (200, {"sid": ACCOUNT, "status": "suspended"}, 30002),
            (200, {"sid": ACCOUNT, "status": "closed"}, 30002),
        ],
    )
    async def test_credentials_that_do_not_are_refused(
        self, provider: Provider, gateway: TwilioGateway, status: int, body: Any, code: int
    ) -> None:
        provider.answers(body, status=status)

        with pytest.raises(ProviderError) as refusal:
            await gateway.check(CREDENTIALS)

        assert (refusal.value.kind, refusal.value.provider_code) == (ProviderProblem.CREDENTIALS, code)


class TestFiles:
    async def test_a_file_comes_with_the_type_of_its_bytes(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        provider.answers_file(PNG, "text/html")

        fetched = await gateway.fetch_media(f"{provider.url}/file", CREDENTIALS, max_bytes=len(PNG))

        assert (fetched.content, fetched.content_type) == (PNG, "image/png")
        assert provider.seen[0].authorization == BASIC

    async def test_a_page_that_calls_itself_a_picture_is_neither(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        provider.answers_file(b"<html><script>alert(1)</script>", "image/png")

        fetched = await gateway.fetch_media(f"{provider.url}/file", CREDENTIALS, max_bytes=1_000)

        assert fetched.content_type == "application/octet-stream"

    async def test_a_file_that_is_too_large_is_not_read(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        written = 0

        async def endless(request: web.Request) -> web.StreamResponse:
            nonlocal written
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(10_000):
                await response.write(bytes(10_000))
                written += 10_000
            return response

        for answer in (None, endless):
            provider.answers_file(PNG)
            provider.answer = answer or provider.answer
            with pytest.raises(ProviderError) as refusal:
                await gateway.fetch_media(f"{provider.url}/file", CREDENTIALS, max_bytes=len(PNG) - 1)
            assert refusal.value.kind is ProviderProblem.PERMANENT

        assert written < 50_000_000

    async def test_a_packed_file_is_measured_unpacked(self) -> None:
        packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: %d\r\n\r\n%b"
        bomb = zlib.compress(bytes(5_000_000))
        async with answering_bytes(packed % (len(bomb), bomb)) as url, gateway_to(url) as gateway:
            with pytest.raises(ProviderError) as refusal:
                await gateway.fetch_media(f"{url}/file", CREDENTIALS, max_bytes=1_000_000)

        assert refusal.value.kind is ProviderProblem.PERMANENT

    async def test_a_host_that_never_comes_to_its_answer_is_hung_up_on(self) -> None:
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        async with answering_bytes(10_000 * hints) as url, gateway_to("http://127.0.0.1:1") as gateway:
            with pytest.raises(OutcomeUnknown):
                await gateway.fetch_media(f"{url}/file", CREDENTIALS, max_bytes=1_000_000)

    async def test_a_file_that_breaks_off_is_not_held_by_what_is_told_of_it(self) -> None:
        half = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + bytes(8_000_000)
        async with answering_bytes(half) as url, gateway_to(url) as gateway:
            tracemalloc.start()
            with pytest.raises(OutcomeUnknown) as told:
                await gateway.fetch_media(f"{url}/file", CREDENTIALS, max_bytes=10_000_000)
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()

        assert told.tb is not None
        assert held < 4_000_000

    async def test_a_silent_name_server_takes_no_thread_that_others_need(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        is_over, all_ask, loop = threading.Event(), asyncio.Event(), asyncio.get_running_loop()

        def silent(host: str, *_: object, **__: object) -> None:
            asked.append(host)
            if len(asked) == 40:
                loop.call_soon_threadsafe(all_ask.set)
            is_over.wait(30)
            raise socket.gaierror

        monkeypatch.setattr(socket, "getaddrinfo", silent)
        async with gateway_to("https://api.twilio.com") as gateway:
            fetches = [
                asyncio.create_task(gateway.fetch_media(f"http://n{n}.example/", CREDENTIALS, max_bytes=1))
                for n in range(40)
            ]
            async with asyncio.timeout(20):
                await all_ask.wait()
                turn = await asyncio.to_thread(lambda: "ours")
            is_over.set()
            missed = await asyncio.gather(*fetches, return_exceptions=True)

        assert turn == "ours"
        assert all(isinstance(problem, ProviderError) for problem in missed)

    async def test_another_port_of_the_apis_host_is_as_strange_as_any_host(self) -> None:
        async with gateway_to("http://10.0.0.7:8001") as gateway:
            with pytest.raises(ProviderError) as refusal:
                await gateway.fetch_media("http://10.0.0.7:5432/", CREDENTIALS, max_bytes=10_000)

        assert refusal.value.kind is ProviderProblem.PERMANENT

    async def test_credentials_stay_behind_when_a_redirect_leads_elsewhere(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        async with serving() as storage:
            signed = f"{storage.url}/file?X-Signature=a%2Fb%20c+d&e=%7E"
            provider.redirects("/1", signed)
            storage.answers_file(PNG)

            fetched = await gateway.fetch_media(f"{provider.url}/0", CREDENTIALS, max_bytes=10_000)

            assert fetched.content == PNG
            assert [seen.authorization for seen in provider.seen] == [BASIC, BASIC]
            assert storage.raw_paths == ["/file?X-Signature=a%2Fb%20c+d&e=%7E"]
            assert storage.seen[0].authorization is None

    async def test_credentials_come_back_with_the_redirect(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        async with serving() as storage:
            storage.redirects(f"{provider.url}/7", status=302)
            provider.redirects()

            await gateway.fetch_media(f"{storage.url}/0", CREDENTIALS, max_bytes=10_000)

            assert storage.seen[0].authorization is None
            assert provider.seen[0].authorization == BASIC

    async def test_five_redirects_are_followed_and_a_sixth_is_not(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        provider.redirects("/1", "/2", "/3", "/4", "/5", "/6")

        fetched = await gateway.fetch_media(f"{provider.url}/1", CREDENTIALS, max_bytes=10_000)
        assert fetched.content == PNG

        with pytest.raises(ProviderError) as refusal:
            await gateway.fetch_media(f"{provider.url}/0", CREDENTIALS, max_bytes=10_000)
        assert refusal.value.kind is ProviderProblem.PERMANENT

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "file:///etc/passwd",
            "ftp://a.example/x",
            "data:text/plain,x",
            "https://",
            "https://a.example:port/",
            "https://[::1",
            "javascript:alert(1)",
        ],
    )
    async def test_what_is_no_web_address_is_not_fetched(
        self, provider: Provider, gateway: TwilioGateway, url: str
    ) -> None:
        provider.redirects(url)

        for start in (url, f"{provider.url}/0"):
            with pytest.raises(ProviderError) as refusal:
                await gateway.fetch_media(start, CREDENTIALS, max_bytes=10)
            assert refusal.value.kind is ProviderProblem.PERMANENT

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1:{port}/",
            "http://localhost:{port}/",
            "http://[::1]:{port}/",
            "http://[::ffff:127.0.0.1]:{port}/",
            "http://2130706433:{port}/",
            "http://127.1:{port}/",
            "http://0.0.0.0:{port}/",
            "http://169.254.169.254/latest/meta-data/",
            "http://10.0.0.1/",
            "https://user:pass@127.0.0.1:{port}/",
        ],
    )
    async def test_an_address_inside_our_network_is_not_fetched(self, provider: Provider, url: str) -> None:
        provider.answers_file(PNG)
        port = provider.url.rpartition(":")[2]

        async with gateway_to("https://api.twilio.com") as gateway:
            with pytest.raises(ProviderError) as refusal:
                await gateway.fetch_media(url.format(port=port), CREDENTIALS, max_bytes=10_000)

        assert refusal.value.kind is ProviderProblem.PERMANENT
        assert provider.seen == []

    async def test_a_redirect_does_not_lead_inside_either(
        self, provider: Provider, gateway: TwilioGateway
    ) -> None:
        provider.redirects("http://169.254.169.254/latest/meta-data/")

        with pytest.raises(ProviderError) as refusal:
            await gateway.fetch_media(f"{provider.url}/0", CREDENTIALS, max_bytes=10_000)

        assert refusal.value.kind is ProviderProblem.PERMANENT

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (404, ProviderProblem.RETRY),  # a new file may still be spreading inside Twilio
            (410, ProviderProblem.PERMANENT),
            (401, ProviderProblem.CREDENTIALS),
            (429, ProviderProblem.RETRY),
        ],
    )
    async def test_a_file_that_is_refused_says_what_helps(
        self, provider: Provider, gateway: TwilioGateway, status: int, kind: ProviderProblem
    ) -> None:
        provider.answers({}, status=status)

        with pytest.raises(ProviderError) as refusal:
            await gateway.fetch_media(f"{provider.url}/file", CREDENTIALS, max_bytes=10_000)

        assert refusal.value.kind is kind

    @pytest.mark.parametrize("answer", [None, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nGIF89a"])
    async def test_a_file_that_breaks_off_is_worth_another_try(self, answer: bytes | None) -> None:
        async with answering_bytes(answer) as url, gateway_to(url) as gateway:
            with pytest.raises(OutcomeUnknown):
                await gateway.fetch_media(f"{url}/file", CREDENTIALS, max_bytes=10_000)

    async def test_a_host_that_is_away_is_worth_another_try(self) -> None:
        url = f"http://127.0.0.1:{unused_port()}"

        async with gateway_to(url) as gateway:
            with pytest.raises(ProviderError) as refusal:
                await gateway.fetch_media(f"{url}/file", CREDENTIALS, max_bytes=10_000)

        assert refusal.value.kind is ProviderProblem.RETRY
