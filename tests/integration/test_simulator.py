"""The Twilio simulator over real HTTP: what it accepts, refuses, posts and breaks."""

import asyncio
import base64
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import pytest
from multidict import MultiDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from twilio.request_validator import RequestValidator

from owner.integrations.simulator import SimulatorClient, create_simulator
from owner.models.segments import count_segments
from serving import serving

ACCOUNT, TOKEN, OLD_TOKEN = "AC" + 32 * "a", "token-of-acme", "old-token-of-acme"
SERVICE = "MG" + 32 * "b"
OURS, OUR_WHATSAPP = "+15017122661", "whatsapp:+14155238886"
ANA, ANA_WHATSAPP = "+5511987654321", "whatsapp:+5511987654321"
BRUNO = "+17065550146"
API = f"/2010-04-01/Accounts/{ACCOUNT}"


@dataclass
class Post:
    url: str
    headers: dict[str, str]
    pairs: list[tuple[str, str]]

    def __getitem__(self, name: str) -> str:
        return dict(self.pairs)[name]

    def is_signed_with(self, token: str) -> bool:
        signature = self.headers["x-twilio-signature"]
        return bool(RequestValidator(token).validate(self.url, MultiDict(self.pairs), signature))


@dataclass
class Application:
    """Stands for the product: keeps every webhook and answers as told."""

    url: str = ""
    posts: dict[str, list[Post]] = field(default_factory=lambda: defaultdict(list))
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    answers: list[int] = field(default_factory=list)
    before_answering: Callable[[], Awaitable[None]] | None = None

    @property
    def statuses(self) -> list[str]:
        return [post["MessageStatus"] for post in self.posts["status"]]

    async def take(self, request: Request) -> Response:
        pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True)
        self.posts[request.path_params["name"]].append(Post(str(request.url), dict(request.headers), pairs))
        self.arrived.set()
        if self.before_answering:
            await self.before_answering()
        return Response("<Response/>", self.answers.pop(0) if self.answers else 200)

    async def has(self, name: str, count: int) -> list[Post]:
        async with asyncio.timeout(3):
            while len(self.posts[name]) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return self.posts[name]


class Clock:
    ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Twilio:
    """The simulator, its remote control, and an API client with our credentials."""

    url: str
    session: aiohttp.ClientSession
    control: SimulatorClient
    clock: Clock
    application: Application

    async def create(self, to: str = ANA, sender: str = OURS, **fields: str) -> tuple[int, dict[str, Any]]:
        callback = f"{self.application.url}/status?msg=1&b=%20x"
        form = {"To": to, "From": sender, "Body": "Olá", "StatusCallback": callback, **fields}
        form = {name: value for name, value in form.items() if value != "-"}
        async with self.session.post(f"{self.url}{API}/Messages.json", data=form) as response:
            return response.status, await response.json()

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        async with self.session.get(self.url + path, params=query) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    async def register(self, **settings: Any) -> None:
        defaults: dict[str, Any] = {
            "numbers": [OURS, OUR_WHATSAPP],
            "inbound_url": f"{self.application.url}/inbound?key=a%2Fb",
            "secondary_auth_token": OLD_TOKEN,
        }
        await self.control.register_account(ACCOUNT, TOKEN, **{**defaults, **settings})


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[Twilio]:
    application, clock = Application(), Clock()
    receiver = Starlette(routes=[Route("/{name}", application.take, methods=["POST"])])
    simulator = create_simulator(callback_delay=0, clock=clock)
    credentials = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT, TOKEN)}
    async with (
        serving(receiver) as application.url,
        serving(simulator) as url,
        aiohttp.ClientSession() as plain,
        aiohttp.ClientSession(headers=credentials) as session,
    ):
        yield Twilio(url, session, SimulatorClient(url, plain), clock, application)


@pytest.fixture
async def twilio(world: Twilio) -> Twilio:
    await world.control.reset()
    world.application.posts.clear()
    world.application.answers.clear()
    world.application.before_answering = None
    world.clock.ahead = timedelta()
    await world.register()
    return world


@pytest.fixture
def application(twilio: Twilio) -> Application:
    return twilio.application


async def test_a_created_message_has_the_shape_of_twilios(twilio: Twilio) -> None:
    status, message = await twilio.create()

    assert status == 201
    assert message["sid"].startswith("SM")
    assert len(message["sid"]) == 34
    created_at = datetime.strptime(message["date_created"], "%a, %d %b %Y %H:%M:%S %z")
    assert abs(datetime.now(UTC) - created_at) < timedelta(minutes=1)
    uri = f"{API}/Messages/{message['sid']}"
    assert message | {"sid": "", "date_created": "", "date_updated": ""} == {
        "account_sid": ACCOUNT,
        "api_version": "2010-04-01",
        "body": "Olá",
        "date_created": "",
        "date_sent": None,
        "date_updated": "",
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": OURS,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "USD",
        "sid": "",
        "status": "queued",
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": ANA,
        "uri": f"{uri}.json",
    }


async def test_a_messaging_service_accepts_first_and_picks_the_sender_later(twilio: Twilio) -> None:
    await twilio.register(messaging_service_sid=SERVICE)

    _, message = await twilio.create(From="-", MessagingServiceSid=SERVICE)

    assert (message["status"], message["from"], message["num_segments"]) == ("accepted", None, "0")
    posts = await twilio.application.has("status", 4)
    assert twilio.application.statuses == ["queued", "sending", "sent", "delivered"]
    assert {(post["From"], post["MessagingServiceSid"]) for post in posts} == {(OURS, SERVICE)}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"To": "-"}, 21604),
        ({"To": "12345"}, 21211),
        ({"To": "whatsapp:abc"}, 21211),
        ({"From": "-"}, 21603),
        ({"From": "+15550000000"}, 21606),
        ({"From": "whatsapp:+15550000000", "To": ANA_WHATSAPP}, 63007),
        ({"From": OUR_WHATSAPP}, 21910),
        ({"To": OURS}, 21266),
        ({"From": "-", "MessagingServiceSid": SERVICE}, 21701),
        ({"Body": "-"}, 21602),
        ({"Body": 1601 * "x"}, 21617),
        ({"StatusCallback": "not a url"}, 21609),
    ],
)
async def test_what_twilio_refuses_is_refused_with_its_code(
    twilio: Twilio, fields: dict[str, str], code: int
) -> None:
    status, body = await twilio.create(**fields)

    assert (status, body["status"], body["code"]) == (400, 400, code)
    assert set(body) == {"code", "message", "more_info", "status"}
    assert body["more_info"] == f"https://www.twilio.com/docs/errors/{code}"
    assert (await twilio.get(f"{API}/Messages.json"))["messages"] == []


async def test_both_live_tokens_open_the_account_and_no_other(twilio: Twilio) -> None:
    answers = {}
    for token in (TOKEN, OLD_TOKEN, "guess", ""):
        header = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT, token)}
        async with twilio.control.session.get(f"{twilio.url}{API}.json", headers=header) as response:
            answers[token] = response.status, (await response.json()).get("code")

    assert answers == {TOKEN: (200, None), OLD_TOKEN: (200, None), "guess": (401, 20003), "": (401, 20003)}


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic ###"}, {"Authorization": "Bearer x"}])
async def test_without_credentials_twilio_asks_for_them(twilio: Twilio, header: dict[str, str]) -> None:
    async with twilio.control.session.get(f"{twilio.url}{API}/Messages.json", headers=header) as response:
        body = await response.json()

    assert (response.status, body["code"], body["message"]) == (401, 20003, "Authenticate")
    assert response.headers["WWW-Authenticate"] == 'Basic realm="Twilio API"'


async def test_unknown_things_are_20404_with_their_path(twilio: Twilio) -> None:
    for path in (f"{API}/Messages/SM00.json", f"{API}/Calls.json", f"{API}/IncomingPhoneNumbers/PN00.json"):
        body = await twilio.get(path)

        assert body["code"] == 20404
        assert body["message"] == f"The requested resource {path} was not found"


async def test_the_message_log_filters_by_people_and_pages_newest_first(twilio: Twilio) -> None:
    sids = [(await twilio.create(to=to))[1]["sid"] for to in (ANA, BRUNO, ANA, ANA)]

    first = await twilio.get(f"{API}/Messages.json", To=ANA, PageSize="2")
    second = await twilio.get(first["next_page_uri"])
    none = await twilio.get(f"{API}/Messages.json", From="+15550000000")

    assert [message["sid"] for message in first["messages"]] == [sids[3], sids[2]]
    assert [message["sid"] for message in second["messages"]] == [sids[0]]
    assert (second["page"], second["start"], second["next_page_uri"]) == (1, 2, None)
    assert none["messages"] == []


async def test_the_message_log_filters_by_day_and_second(twilio: Twilio) -> None:
    twilio.clock.ahead = timedelta(days=-2)
    _, old = await twilio.create()
    twilio.clock.ahead = timedelta()
    _, new = await twilio.create()
    now, today = datetime.now(UTC), datetime.now(UTC).date()
    old_day = str(today - timedelta(days=2))

    async def found(**query: str) -> list[str]:
        return [message["sid"] for message in (await twilio.get(f"{API}/Messages.json", **query))["messages"]]

    assert await found(DateSent=old_day) == [old["sid"]]
    assert await found(**{"DateSent>": str(today - timedelta(days=1))}) == [new["sid"]]
    assert await found(**{"DateSent<": str(today - timedelta(days=1))}) == [old["sid"]]
    assert await found(**{"DateSent>": f"{now - timedelta(seconds=30):%Y-%m-%dT%H:%M:%SZ}"}) == [new["sid"]]
    assert await found(**{"DateSent>": old_day, "DateSent<": old_day}) == []
    assert (await twilio.get(f"{API}/Messages.json", DateSent="yesterday"))["code"] == 20001


async def test_a_finished_message_can_be_deleted(twilio: Twilio, application: Application) -> None:
    _, message = await twilio.create()
    await application.has("status", 3)

    async with twilio.session.delete(f"{twilio.url}{message['uri']}") as response:
        assert response.status == 204

    assert (await twilio.get(message["uri"]))["code"] == 20404
    assert (await twilio.get(f"{API}/Messages.json"))["messages"] == []


async def test_a_numbers_webhook_url_can_be_read_and_changed(
    twilio: Twilio, application: Application
) -> None:
    listing = await twilio.get(f"{API}/IncomingPhoneNumbers.json", PhoneNumber=OURS)
    (number,) = listing["incoming_phone_numbers"]
    assert number["sms_url"] == f"{application.url}/inbound?key=a%2Fb"

    async with twilio.session.post(
        twilio.url + number["uri"], data={"SmsUrl": f"{application.url}/elsewhere"}
    ) as response:
        assert (await response.json())["sms_url"] == f"{application.url}/elsewhere"
    await twilio.control.write(ANA, OURS, "oi")

    assert len(application.posts["elsewhere"]) == 1
    assert not application.posts["inbound"]


async def test_status_callbacks_of_an_sms_are_signed_and_in_order(
    twilio: Twilio, application: Application
) -> None:
    _, message = await twilio.create()

    posts = await application.has("status", 3)

    assert application.statuses == ["sending", "sent", "delivered"]
    assert all(post.is_signed_with(TOKEN) and not post.is_signed_with(OLD_TOKEN) for post in posts)
    assert posts[0].url.endswith("/status?msg=1&b=%20x")
    names = ("SmsSid", "SmsStatus", "MessageStatus", "To", "MessageSid", "AccountSid", "From", "ApiVersion")
    values = (message["sid"], "sending", "sending", ANA, message["sid"], ACCOUNT, OURS, "2010-04-01")
    assert posts[0].pairs == list(zip(names, values, strict=True))
    stored = await twilio.get(message["uri"])
    assert stored["status"] == "delivered"
    assert stored["date_sent"]


async def test_whatsapp_tells_when_it_was_read(twilio: Twilio, application: Application) -> None:
    await twilio.control.write(ANA_WHATSAPP, OUR_WHATSAPP, "oi")
    await twilio.create(ANA_WHATSAPP, OUR_WHATSAPP)

    posts = await application.has("status", 3)

    assert application.statuses == ["sent", "delivered", "read"]
    assert [dict(post.pairs).get("EventType") for post in posts] == [None, "DELIVERED", "READ"]
    assert posts[2]["ChannelToAddress"] == "+551198765XXXX"
    assert all(post.is_signed_with(TOKEN) for post in posts)
    (shown,) = await twilio.control.received(ANA_WHATSAPP)
    assert (shown["body"], shown["ticks"]) == ("Olá", "✓✓ read")


async def test_free_text_outside_the_whatsapp_window_fails_by_callback(
    twilio: Twilio, application: Application
) -> None:
    await twilio.control.write(ANA_WHATSAPP, OUR_WHATSAPP, "oi")
    twilio.clock.ahead = timedelta(hours=24, seconds=1)

    status, message = await twilio.create(ANA_WHATSAPP, OUR_WHATSAPP)

    assert (status, message["status"], message["error_code"]) == (201, "queued", None)
    (post,) = await application.has("status", 1)
    assert (post["MessageStatus"], post["ErrorCode"], post["EventType"]) == (
        "undelivered",
        "63016",
        "UNDELIVERED",
    )
    stored = await twilio.get(message["uri"])
    assert (stored["status"], stored["error_code"]) == ("undelivered", 63016)
    assert await twilio.control.received(ANA_WHATSAPP) == []


async def test_a_template_needs_no_whatsapp_window(twilio: Twilio, application: Application) -> None:
    template = "HX" + 32 * "c"
    await twilio.register(templates={template: "Olá {{1}}, pedido {{2}}"})

    _, message = await twilio.create(
        ANA_WHATSAPP,
        OUR_WHATSAPP,
        Body="-",
        ContentSid=template,
        ContentVariables='{"1": "Ana"}',
    )

    assert message["body"] == "Olá Ana, pedido {{2}}"
    await application.has("status", 3)
    assert application.statuses[-1] == "read"
    assert application.posts["status"][0]["StructuredMessage"] == "true"


SMS_NAMES = [
    "ToCountry",
    "ToState",
    "SmsMessageSid",
    "NumMedia",
    "ToCity",
    "FromZip",
    "SmsSid",
    "FromState",
    "SmsStatus",
    "FromCity",
    "Body",
    "FromCountry",
    "To",
    "ToZip",
    "NumSegments",
    "MessageSid",
    "AccountSid",
    "From",
    "ApiVersion",
]
WHATSAPP_NAMES = [
    "SmsMessageSid",
    "NumMedia",
    "ProfileName",
    "MessageType",
    "SmsSid",
    "WaId",
    "SmsStatus",
    "Body",
    "To",
    "NumSegments",
    "ReferralNumMedia",
    "MessageSid",
    "AccountSid",
    "ChannelMetadata",
    "From",
    "ApiVersion",
]


async def test_an_inbound_sms_has_twilios_parameters_and_signature(
    twilio: Twilio, application: Application
) -> None:
    answer = await twilio.control.write(ANA, OURS, "1+1=2 & 100% 🙏\u0000")

    (post,) = application.posts["inbound"]
    assert answer == {
        "message_sid": post["MessageSid"],
        "status_code": 200,
        "body": "<Response/>",
        "attempts": 1,
        "error_code": None,
    }
    assert post.url == f"{application.url}/inbound?key=a%2Fb"
    assert post.is_signed_with(TOKEN)
    assert [name for name, _ in post.pairs] == SMS_NAMES
    assert (post["Body"], post["From"], post["To"]) == ("1+1=2 & 100% 🙏\u0000", ANA, OURS)
    assert (post["FromCountry"], post["FromCity"], post["ToCity"]) == ("BR", "", "SAN FRANCISCO")
    assert post.headers["content-type"] == "application/x-www-form-urlencoded; charset=UTF-8"
    assert post.headers["i-twilio-idempotency-token"]
    logged = await twilio.get(f"{API}/Messages/{answer['message_sid']}.json")
    assert (logged["direction"], logged["status"]) == ("inbound", "received")


async def test_an_inbound_whatsapp_has_twilios_parameters(twilio: Twilio, application: Application) -> None:
    await twilio.control.write(ANA_WHATSAPP, OUR_WHATSAPP, "Oi", profile_name="Ana 💖")

    (post,) = application.posts["inbound"]
    assert [name for name, _ in post.pairs] == WHATSAPP_NAMES
    assert (post["ProfileName"], post["WaId"], post["MessageType"]) == ("Ana 💖", "5511987654321", "text")
    context = '{"ProfileName":"Ana 💖","WaId":"5511987654321"}'
    assert post["ChannelMetadata"] == f'{{"type":"whatsapp","data":{{"context":{context}}}}}'
    assert post.is_signed_with(TOKEN)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {"button": {"payload": "yes", "text": "Sim"}, "reply_to_sid": "SM1"},
            {
                "MessageType": "interactive",
                "Body": "Sim",
                "ButtonText": "Sim",
                "ButtonPayload": "yes",
                "OriginalRepliedMessageSid": "SM1",
                "OriginalRepliedMessageSender": OUR_WHATSAPP,
            },
        ),
        (
            {"button": {"payload": "p", "text": "Yes", "type": "REPLY"}},
            {"MessageType": "button", "ButtonType": "REPLY"},
        ),
        (
            {"list": {"id": "2", "title": "Pedidos"}},
            {"MessageType": "interactive", "Body": "Pedidos", "ListId": "2", "ListTitle": "Pedidos"},
        ),
        (
            {"location": {"latitude": -23.5, "longitude": -46.6, "label": "Casa"}},
            {
                "MessageType": "location",
                "Body": "",
                "Latitude": "-23.5",
                "Longitude": "-46.6",
                "Label": "Casa",
            },
        ),
        (
            {"referral": {"source_id": "ad1", "media_url": "https://x.test/a.jpg", "ctwa_clid": "c"}},
            {"ReferralSourceId": "ad1", "ReferralCtwaClid": "c", "ReferralNumMedia": "1"},
        ),
        ({"params": {"MessageType": "order", "New": "x"}}, {"MessageType": "order", "New": "x"}),
    ],
    ids=["button", "template button", "list", "location", "referral", "params"],
)
async def test_rich_whatsapp_messages_keep_twilios_names(
    twilio: Twilio, content: dict[str, Any], expected: dict[str, str]
) -> None:
    await twilio.control.write(ANA_WHATSAPP, OUR_WHATSAPP, **content)

    (post,) = twilio.application.posts["inbound"]
    assert expected.items() <= dict(post.pairs).items()
    assert post.is_signed_with(TOKEN)


async def test_repeated_parameters_are_all_posted_and_signed(
    twilio: Twilio, application: Application
) -> None:
    await twilio.control.write(
        ANA, OURS, "oi", params=[("Tag", "b"), ("Tag", "a"), ("Tag", "b"), ("Blank", "")]
    )

    (post,) = application.posts["inbound"]
    assert post.pairs[-4:] == [("Tag", "b"), ("Tag", "a"), ("Tag", "b"), ("Blank", "")]
    assert post.is_signed_with(TOKEN)


async def test_media_wait_behind_basic_auth_and_a_redirect(twilio: Twilio, application: Application) -> None:
    picture = {"content_type": "image/png", "data_base64": base64.b64encode(b"\x89PNG").decode()}
    elsewhere = {"content_type": "text/vcard", "url": f"{twilio.url}/cdn/elsewhere"}
    await twilio.control.write(ANA, OURS, "veja", media=[picture, elsewhere])

    (post,) = application.posts["inbound"]
    assert post["MessageSid"].startswith("MM")
    assert (post["NumMedia"], post["MediaContentType0"], post["MediaContentType1"]) == (
        "2",
        "image/png",
        "text/vcard",
    )
    anybody = twilio.control.session
    async with anybody.get(post["MediaUrl0"]) as response:
        assert response.status == 401
    async with twilio.session.get(post["MediaUrl0"], allow_redirects=False) as response:
        assert response.status == 307
        location = response.headers["Location"]
    async with anybody.get(location) as response:
        assert (await response.read(), response.headers["Content-Type"]) == (b"\x89PNG", "image/png")
    async with twilio.session.get(post["MediaUrl1"], allow_redirects=False) as response:
        assert response.headers["Location"] == f"{twilio.url}/cdn/elsewhere"
    listed = await twilio.get(f"{API}/Messages/{post['MessageSid']}/Media.json")
    assert [media["content_type"] for media in listed["media_list"]] == ["image/png", "text/vcard"]


async def test_the_same_message_can_be_delivered_twice(twilio: Twilio, application: Application) -> None:
    first = await twilio.control.write(ANA, OURS, "oi")
    await twilio.control.write(ANA, OURS, message_sid=first["message_sid"])

    once, again = application.posts["inbound"]
    assert once.pairs == again.pairs
    assert len(await twilio.control.messages()) == 1


async def test_after_stop_sends_are_refused_until_start(twilio: Twilio, application: Application) -> None:
    await twilio.control.write(ANA, OURS, " stop ")
    refused = await twilio.create()
    other_pair, _ = await twilio.create(to=BRUNO)
    await twilio.control.write(ANA, OURS, "START")
    allowed, _ = await twilio.create()

    assert (refused[0], refused[1]["code"]) == (400, 21610)
    assert (other_pair, allowed) == (201, 201)
    assert "OptOutType" not in dict(application.posts["inbound"][0].pairs)
    confirmations = [shown["direction"] for shown in await twilio.control.received(ANA)]
    assert confirmations[:2] == ["outbound-reply", "outbound-reply"]


async def test_advanced_opt_out_names_the_keyword(twilio: Twilio, application: Application) -> None:
    await twilio.register(advanced_opt_out=True, messaging_service_sid=SERVICE)

    for word in ("PARE", "STOP", "HELP", "UNSTOP"):
        await twilio.control.write(ANA, OURS, word)

    posts = application.posts["inbound"]
    assert [dict(post.pairs).get("OptOutType") for post in posts] == [None, "STOP", "HELP", "START"]
    assert all(post["MessagingServiceSid"] == SERVICE for post in posts)


async def test_stop_on_whatsapp_is_a_word_like_any_other(twilio: Twilio) -> None:
    await twilio.control.write(ANA_WHATSAPP, OUR_WHATSAPP, "STOP")

    assert (await twilio.create(ANA_WHATSAPP, OUR_WHATSAPP))[0] == 201


async def test_connection_overrides_retry_with_one_token(twilio: Twilio, application: Application) -> None:
    await twilio.register(inbound_url=f"{application.url}/inbound#rc=5&rp=all")
    application.answers = [500, 404, 200]

    answer = await twilio.control.write(ANA, OURS, "oi")

    posts = application.posts["inbound"]
    assert (answer["status_code"], answer["attempts"], len(posts)) == (200, 3, 3)
    assert len({post.headers["i-twilio-idempotency-token"] for post in posts}) == 1
    assert all(post.is_signed_with(TOKEN) for post in posts)


@pytest.mark.parametrize(("fragment", "attempts"), [("", 1), ("#rc=2&rp=4xx", 1), ("#rc=2&rp=5xx,ct", 3)])
async def test_a_failed_webhook_is_retried_only_as_the_overrides_say(
    twilio: Twilio, application: Application, fragment: str, attempts: int
) -> None:
    await twilio.register(inbound_url=f"{application.url}/inbound{fragment}")
    application.answers = [503, 503, 503]

    answer = await twilio.control.write(ANA, OURS, "oi")

    assert (answer["status_code"], answer["attempts"], answer["error_code"]) == (503, attempts, 11200)


async def test_a_webhook_that_hangs_is_given_up_in_time(twilio: Twilio, application: Application) -> None:
    await twilio.register(inbound_url=f"{application.url}/inbound#tt=300&rt=200&rc=5&rp=rt")
    application.before_answering = lambda: asyncio.sleep(0.6)
    started = time.monotonic()

    answer = await twilio.control.write(ANA, OURS, "oi")

    assert time.monotonic() - started < 0.55
    assert (answer["status_code"], answer["attempts"], answer["error_code"]) == (None, 2, 11200)


async def test_a_webhook_that_nobody_serves_is_tried_twice(twilio: Twilio) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    await twilio.register(inbound_url=f"http://127.0.0.1:{port}/inbound")

    answer = await twilio.control.write(ANA, OURS, "oi")

    assert (answer["status_code"], answer["attempts"], answer["error_code"]) == (None, 2, 11205)


@pytest.mark.parametrize(
    ("kind", "status", "code", "is_accepted"),
    [
        ("http_429", 429, 20429, False),
        ("http_500", 500, 20500, False),
        ("http_503", 503, 20503, False),
        ("http_500_after", 500, 20500, True),
    ],
)
async def test_faults_that_answer(
    twilio: Twilio, kind: str, status: int, code: int, *, is_accepted: bool
) -> None:
    await twilio.control.fault(kind)

    answered, body = await twilio.create()
    next_one, _ = await twilio.create()

    assert (answered, body["code"], next_one) == (status, code, 201)
    assert len(await twilio.control.messages()) == 1 + is_accepted


async def test_a_429_says_when_to_come_back(twilio: Twilio) -> None:
    await twilio.control.fault("http_429", delay=2.5)

    async with twilio.session.post(f"{twilio.url}{API}/Messages.json", data={"To": ANA}) as response:
        assert response.headers["Retry-After"] == "3"


@pytest.mark.parametrize(
    ("kind", "is_accepted"),
    [("timeout_before", False), ("timeout_after", True), ("reset_before", False), ("reset_after", True)],
)
async def test_faults_that_never_answer(
    twilio: Twilio, application: Application, kind: str, *, is_accepted: bool
) -> None:
    await twilio.control.fault(kind, delay=0.1)
    started = time.monotonic()

    with pytest.raises(aiohttp.ClientError):
        await twilio.create()

    assert (time.monotonic() - started >= 0.1) is kind.startswith("timeout")
    assert len(await twilio.control.messages()) == is_accepted
    if is_accepted:
        await application.has("status", 3)


async def test_a_reset_is_a_reset_on_the_wire(twilio: Twilio) -> None:
    await twilio.control.fault("reset_before")
    token = aiohttp.encode_basic_auth(ACCOUNT, TOKEN)
    host, port = twilio.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {API}/Messages.json HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: 0\r\n\r\n"
    )
    writer.write(head.encode())

    with pytest.raises(ConnectionResetError):
        await reader.read()

    writer.close()


async def test_a_reset_is_a_reset_under_uvloop_too() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def send() -> int:
        async with serving(create_simulator()) as url, aiohttp.ClientSession() as session:
            control = SimulatorClient(url, session)
            twilio = Twilio(url, session, control, Clock(), Application())
            await control.register_account(ACCOUNT, TOKEN, numbers=[OURS])
            await control.fault("reset_after")
            session.headers["Authorization"] = aiohttp.encode_basic_auth(ACCOUNT, TOKEN)
            with pytest.raises(aiohttp.ClientOSError):
                await twilio.create(StatusCallback="-")
            return len(await control.messages())

    assert await asyncio.to_thread(uvloop.run, send()) == 1


async def test_a_caller_who_gives_up_frees_the_silent_connection(twilio: Twilio) -> None:
    await twilio.control.fault("timeout_after", delay=60)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await twilio.create()

    assert len(await twilio.control.messages()) == 1


async def test_error_faults_come_at_once_or_by_callback_as_their_code_does(
    twilio: Twilio, application: Application
) -> None:
    await twilio.control.fault("error", error_code=21610)
    refused = await twilio.create()
    await twilio.control.fault("error", error_code=30007)
    accepted = await twilio.create()
    await application.has("status", 3)
    await twilio.control.fault("error", error_code=30001)
    await twilio.create()
    await application.has("status", 4)

    assert (refused[0], refused[1]["code"], accepted[0]) == (400, 21610, 201)
    assert application.statuses == ["sending", "sent", "undelivered", "failed"]
    failures = [dict(post.pairs).get("ErrorCode") for post in application.posts["status"]]
    assert failures == [None, None, "30007", "30001"]


async def test_faults_strike_the_number_they_are_for_as_often_as_asked(twilio: Twilio) -> None:
    await twilio.control.fault("http_503", count=2, to=ANA)
    await twilio.control.fault("http_500", count=None, to=BRUNO)

    answers = [(await twilio.create(to=to))[0] for to in (BRUNO, ANA, BRUNO, ANA, ANA, BRUNO)]
    (left,) = await twilio.control.faults()
    await twilio.control.clear_faults()

    assert answers == [500, 503, 500, 503, 201, 500]
    assert (left["kind"], left["count"], left["hits"]) == ("http_500", None, 3)
    assert (await twilio.create(to=BRUNO))[0] == 201


async def test_latency_slows_each_create(twilio: Twilio) -> None:
    await twilio.control.fault("latency", delay=0.2)
    started = time.monotonic()

    assert (await twilio.create())[0] == 201

    assert time.monotonic() - started >= 0.2


async def test_late_callbacks_come_after_the_message_was_delivered(
    twilio: Twilio, application: Application
) -> None:
    await twilio.control.fault("callbacks_late", delay=0.2)

    _, message = await twilio.create()
    await asyncio.sleep(0.05)

    assert (await twilio.get(message["uri"]))["status"] == "delivered"
    assert application.statuses == []
    await application.has("status", 3)
    assert application.statuses == ["sending", "sent", "delivered"]


async def test_callbacks_can_come_twice_and_in_the_wrong_order(
    twilio: Twilio, application: Application
) -> None:
    await twilio.control.fault("callbacks_doubled")
    await twilio.control.fault("callbacks_reversed")

    await twilio.create()
    posts = await application.has("status", 6)

    assert application.statuses == ["delivered", "delivered", "sent", "sent", "sending", "sending"]
    assert all(post.is_signed_with(TOKEN) for post in posts)


async def test_callbacks_can_come_before_the_create_is_answered(
    twilio: Twilio, application: Application
) -> None:
    await twilio.control.fault("callbacks_first")
    application.before_answering = lambda: asyncio.sleep(0.05)

    status, message = await twilio.create()

    assert (status, message["status"]) == (201, "queued")
    assert application.statuses == ["sending", "sent", "delivered"]
    (shown,) = await twilio.control.messages()
    assert shown["callbacks"][-1] == {"status": "delivered", "status_code": 200}


async def test_the_phone_shows_both_sides_with_ticks(twilio: Twilio, application: Application) -> None:
    await twilio.control.write(ANA, OURS, "oi")
    await twilio.create(Body="Olá, Ana!")
    await application.has("status", 3)

    shown = await twilio.control.shown_on(ANA)

    assert [(message["body"], message["ticks"]) for message in shown] == [("oi", "✓✓"), ("Olá, Ana!", "✓✓")]


async def test_the_control_api_explains_what_it_does_not_understand(twilio: Twilio) -> None:
    for asked in (
        twilio.control.write(ANA, "+15550000000", "oi"),
        twilio.control.fault("earthquake"),
        twilio.control.fault("error"),
        twilio.control.register_account("XX", "token"),
        twilio.register(inbound_url="nowhere"),
    ):
        with pytest.raises(ValueError, match="the simulator refused"):
            await asked


async def test_it_keeps_up_with_a_busy_sender(twilio: Twilio, application: Application) -> None:
    await twilio.control.fault("latency", count=None, delay=0.1)
    enough = asyncio.Semaphore(200)

    async def send() -> int:
        async with enough:
            return (await twilio.create(StatusCallback="-"))[0]

    started = time.monotonic()
    answers = await asyncio.gather(*(send() for _ in range(600)))

    assert set(answers) == {201}
    # Client, simulator and application share this loop; benchmarks measure the simulator alone.
    assert 600 / (time.monotonic() - started) > 200


@pytest.mark.parametrize(
    ("character", "times", "segments"),
    [
        ("a", 0, 1),
        ("a", 160, 1),
        ("a", 161, 2),
        ("€", 80, 1),
        ("€", 81, 2),
        ("ã", 70, 1),
        ("ã", 71, 2),
        ("👍", 36, 2),
        ("çãoçã", 320, 24),
    ],
)
def test_segments_are_counted_as_carriers_do(character: str, times: int, segments: int) -> None:
    assert count_segments(character * times) == segments
