"""What Twilio posts, over real HTTP: who is let in, what is kept, what is answered."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from multidict import CIMultiDictProxy, MultiDict
from twilio.request_validator import RequestValidator
from yarl import URL

from factories import Tenant, make_tenant, some_number, some_sid
from owner import bootstrap
from owner.models.enums import ActorKind, DeliveryStatus
from owner.models.event import Actor
from owner.models.message import MessageCreate
from owner.models.quarantine import QuarantinedRequest, QuarantineReason
from owner.repositories.twilio_accounts import TwilioAccountRepository
from owner.services.catalog import Services
from owner.services.secrets_box import FernetBox, new_secret_key
from owner.settings import Settings
from reading import conversations_of, message_by_sid, messages_of, rows
from serving import serving_api

PUBLIC_URL = "https://owner.example"
EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
FORM = "application/x-www-form-urlencoded"
DATA = Path(__file__).parents[1] / "data" / "twilio"
PERSON = Actor(ActorKind.USER)
SHARED = Path(__file__).parents[3] / "shared" / "twilio" / "payloads.jsonl"

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: CIMultiDictProxy[str]

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        found: dict[str, Any] = json.loads(self.text)
        return found


@dataclass
class Twilio:
    """Posts to the product as Twilio does."""

    url: str
    session: aiohttp.ClientSession

    async def post(
        self,
        path: str,
        pairs: Pairs,
        *,
        token: str,
        signed_url: str | None = None,
        signature: str | None = None,
        **headers: str,
    ) -> Answer:
        """A signed form; `signed_url` is what Twilio has in its settings."""
        made = sign(signed_url or PUBLIC_URL + path, pairs, token)
        signed = {"X-Twilio-Signature": made if signature is None else signature, **headers}
        return await self.send(path, urlencode(pairs).encode(), {"Content-Type": FORM, **signed})

    async def send(self, path: str, body: Any, headers: dict[str, str]) -> Answer:
        target = URL(self.url + path, encoded=True)  # as it is: Twilio signs the raw query
        async with self.session.post(
            target, data=body, headers=headers, skip_auto_headers=["Content-Type"]
        ) as response:
            return Answer(response.status, await response.text(), response.headers)


def sign(url: str, pairs: Pairs, token: str) -> str:
    signature: str = RequestValidator(token).compute_signature(url, MultiDict(pairs))
    return signature


def inbound_pairs(tenant: Tenant, body: str = "Oi", **changes: str) -> list[tuple[str, str]]:
    fields = {
        "MessageSid": some_sid(),
        "AccountSid": tenant.account.account_sid,
        "From": some_number(),
        "To": tenant.sms,
        "Body": body,
        "NumMedia": "0",
    }
    return list({**fields, **changes}.items())


def status_pairs(tenant: Tenant, sid: str, status: str, **changes: str) -> list[tuple[str, str]]:
    fields = {"MessageSid": sid, "MessageStatus": status, "AccountSid": tenant.account.account_sid}
    return list({**fields, **changes}.items())


def own_path(tenant: Tenant, kind: str = "inbound") -> str:
    return f"/webhooks/twilio/{tenant.account.webhook_key}/{kind}"


def recorded(path: Path) -> list[dict[str, Any]]:
    # Not splitlines(): the payloads hold line separators of their own.
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line] if path.exists() else []


def cases(*, kind: str) -> list[Any]:
    """The recorded payloads of a kind, named; those of the shared folder only where it is there."""
    ours = recorded(DATA / ("inbound.jsonl" if kind == "inbound" else "statuses.jsonl"))
    theirs = [payload for payload in recorded(SHARED) if payload["kind"] == kind]
    found = [pytest.param(payload["params"], id=f"ours-{payload['name']}") for payload in ours]
    found += [pytest.param(payload["params"], id=f"shared-{payload['name']}") for payload in theirs]
    if not theirs:
        missing = pytest.mark.skip(reason=f"{SHARED} is not on this machine")
        found.append(pytest.param([], id="shared", marks=missing))
    return found


@pytest.fixture
async def twilio(services: Services) -> AsyncIterator[Twilio]:
    async with serving_api(services) as url, aiohttp.ClientSession() as session:
        yield Twilio(url, session)


async def change_account(
    services: Services, tenant: Tenant, *, auth_token: str | None = None, **changes: str
) -> None:
    """As somebody would who connects an account that another owner has connected too."""
    async with services.database.owner(tenant.owner_id) as connection:
        repository = TwilioAccountRepository(connection)
        account = await repository.get(tenant.account.twilio_account_id)
        if auth_token:
            account.auth_token_encrypted = services.twilio.secrets_box.encrypt(auth_token)
        await repository.save(account.model_copy(update=changes))


async def quarantined(services: Services, account_sid: str) -> list[QuarantinedRequest]:
    """What is in quarantine from an account, latest first."""
    latest = await services.quarantine.list_latest(limit=1_000)
    return [request for request in latest if ["AccountSid", account_sid] in request.params]


@pytest.mark.parametrize("params", cases(kind="inbound"))
async def test_every_recorded_message_is_stored_as_it_came(
    services: Services, twilio: Twilio, acme: Tenant, params: list[list[str]]
) -> None:
    sid = some_sid()
    replaced = {"AccountSid": acme.account.account_sid, "To": _our_side(params, acme), "MessageSid": sid}
    pairs = [(name, replaced.get(name, value)) for name, value in params]

    answer = await twilio.post(own_path(acme), pairs, token=acme.auth_token)

    assert (answer.status, answer.text) == (200, EMPTY_TWIML)
    if dict(pairs)["To"] != acme.sms and dict(pairs)["To"] != acme.whatsapp:
        assert [request.reason for request in await quarantined(services, acme.account.account_sid)] == [
            QuarantineReason.UNKNOWN_NUMBER
        ]
        return
    message = await message_by_sid(services, acme, sid)
    fields = dict(pairs)
    assert message.content == (
        fields.get("Body") or fields.get("ButtonText") or fields.get("ListTitle") or ""
    ).replace("\x00", "\N{REPLACEMENT CHARACTER}")
    kept = message.metadata["twilio"]
    assert {name: value for name, value in fields.items() if name != "Body"}.items() <= kept.items()
    files = await rows(
        services, acme, "SELECT provider_url FROM media WHERE msg_id = $1 ORDER BY position", message.msg_id
    )
    assert [file["provider_url"] for file in files] == [
        fields[f"MediaUrl{number}"] for number in range(20) if f"MediaUrl{number}" in fields
    ]


@pytest.mark.parametrize("params", cases(kind="status"))
async def test_every_recorded_status_is_answered_with_204(
    twilio: Twilio, acme: Tenant, params: list[list[str]]
) -> None:
    pairs = [(name, acme.account.account_sid if name == "AccountSid" else value) for name, value in params]

    answer = await twilio.post(own_path(acme, "status"), pairs, token=acme.auth_token)

    assert (answer.status, answer.text) == (204, "")


@pytest.mark.parametrize("path", ["/webhooks/twilio/inbound", "own"])
@pytest.mark.parametrize("query", ["", "?a=%20b&c=d+e&f=%2f", "?key=a%2Fb&key="])
async def test_a_signature_over_the_raw_url_is_let_in(
    twilio: Twilio, acme: Tenant, path: str, query: str
) -> None:
    target = (own_path(acme) if path == "own" else path) + query

    answer = await twilio.send(
        target,
        urlencode(pairs := inbound_pairs(acme)).encode(),
        {"Content-Type": FORM, "X-Twilio-Signature": sign(PUBLIC_URL + target, pairs, acme.auth_token)},
    )

    assert answer.status == 200


@pytest.mark.parametrize("port", ["", ":443"])
async def test_the_default_port_in_the_signed_url_changes_nothing(
    twilio: Twilio, acme: Tenant, port: str
) -> None:
    signed_url = f"{PUBLIC_URL}{port}{own_path(acme)}"

    answer = await twilio.post(
        own_path(acme), inbound_pairs(acme), token=acme.auth_token, signed_url=signed_url
    )

    assert answer.status == 200


async def test_repeated_and_blank_fields_are_part_of_what_is_signed(twilio: Twilio, acme: Tenant) -> None:
    pairs = [*inbound_pairs(acme), ("FromCity", ""), ("Twice", "b"), ("Twice", "a"), ("Twice", "a")]

    answer = await twilio.post(own_path(acme), pairs, token=acme.auth_token)

    assert answer.status == 200


@pytest.mark.parametrize("kind", ["inbound", "status"])
async def test_a_wrong_signature_is_refused_and_kept(
    services: Services, twilio: Twilio, acme: Tenant, kind: str
) -> None:
    answer = await twilio.post(own_path(acme, kind), inbound_pairs(acme), token="another token")

    assert answer.status == 403
    assert answer.problem["code"] == "signature_rejected"
    [kept] = await quarantined(services, acme.account.account_sid)
    assert (kept.reason, kept.owner_id, kept.path) == (
        QuarantineReason.BAD_SIGNATURE,
        acme.owner_id,
        own_path(acme, kind),
    )
    assert await conversations_of(services, acme) == []


async def test_a_signature_over_another_url_is_refused(twilio: Twilio, acme: Tenant) -> None:
    elsewhere = "https://elsewhere.example" + own_path(acme)

    answer = await twilio.post(
        own_path(acme), inbound_pairs(acme), token=acme.auth_token, signed_url=elsewhere
    )

    assert answer.status == 403


async def test_a_missing_signature_is_refused_and_kept(
    services: Services, twilio: Twilio, acme: Tenant
) -> None:
    body = urlencode(inbound_pairs(acme)).encode()

    answer = await twilio.send(own_path(acme), body, {"Content-Type": FORM})

    assert answer.status == 403
    [kept] = await quarantined(services, acme.account.account_sid)
    assert kept.reason is QuarantineReason.MISSING_SIGNATURE


async def test_an_unknown_account_is_refused_and_kept(
    services: Services, twilio: Twilio, acme: Tenant
) -> None:
    stranger = some_sid("AC")
    pairs = inbound_pairs(acme, AccountSid=stranger)

    answers = [
        await twilio.post(path, pairs, token=acme.auth_token)
        for path in (
            "/webhooks/twilio/inbound",
            own_path(acme),
            "/webhooks/twilio/no-such-key/inbound",
            "/webhooks/twilio/no%00key/inbound",
        )
    ]

    assert [answer.status for answer in answers] == [403] * 4
    kept = await quarantined(services, stranger)
    assert [(request.reason, request.owner_id) for request in kept] == [
        (QuarantineReason.UNKNOWN_ACCOUNT, None)
    ] * 4


async def test_a_body_changed_on_its_way_is_refused(twilio: Twilio, acme: Tenant) -> None:
    pairs = inbound_pairs(acme, "paguem a ana")
    signature = sign(PUBLIC_URL + own_path(acme), pairs, acme.auth_token)
    changed = [(name, "paguem a bruno" if name == "Body" else value) for name, value in pairs]

    answer = await twilio.post(own_path(acme), changed, token="unused", signature=signature)

    assert answer.status == 403


async def test_of_two_owners_with_one_account_the_one_with_the_number_gets_the_message(
    services: Services, twilio: Twilio, acme: Tenant
) -> None:
    globex = await make_tenant(services, "globex")
    await change_account(services, globex, account_sid=acme.account.account_sid, auth_token=acme.auth_token)

    for tenant in (acme, globex):
        pairs = inbound_pairs(tenant, tenant.owner.name, AccountSid=acme.account.account_sid)
        answer = await twilio.post("/webhooks/twilio/inbound", pairs, token=acme.auth_token)
        assert answer.status == 200

    for tenant in (acme, globex):
        [conversation] = await conversations_of(services, tenant)
        said = await messages_of(services, tenant, conversation.conv_id)
        assert [message.content for message in said] == [tenant.owner.name]


async def test_of_two_owners_with_one_account_and_service_the_one_with_the_number_gets_the_message(
    services: Services, twilio: Twilio, acme: Tenant
) -> None:
    globex, service = await make_tenant(services, "globex"), some_sid("MG")
    await change_account(services, globex, account_sid=acme.account.account_sid, auth_token=acme.auth_token)
    for tenant in (acme, globex):
        await change_account(services, tenant, messaging_service_sid=service)

    for tenant in (acme, globex):
        pairs = inbound_pairs(
            tenant, AccountSid=acme.account.account_sid, MessagingServiceSid=service, Body=tenant.owner.name
        )
        await twilio.post("/webhooks/twilio/inbound", pairs, token=acme.auth_token)

    for tenant in (acme, globex):
        [conversation] = await conversations_of(services, tenant)
        said = await messages_of(services, tenant, conversation.conv_id)
        assert [message.content for message in said] == [tenant.owner.name]


@pytest.mark.parametrize("names_its_number", [True, False])
async def test_who_connects_anothers_account_without_its_token_sees_nothing_that_came_for_it(
    services: Services, twilio: Twilio, acme: Tenant, *, names_its_number: bool
) -> None:
    globex = await make_tenant(services, "globex")
    await change_account(services, acme, account_sid=globex.account.account_sid)  # acme's is looked at first
    number = globex.sms if names_its_number else some_number()
    pairs = inbound_pairs(globex, To=number)

    answer = await twilio.post("/webhooks/twilio/inbound", pairs, token="a token that was rotated")

    assert answer.status == 403
    [kept] = await quarantined(services, globex.account.account_sid)
    assert kept.owner_id == (globex.owner_id if names_its_number else None)


async def test_a_rotated_token_is_accepted_at_once_and_the_former_with_it(
    services: Services, twilio: Twilio, acme: Tenant
) -> None:
    before = await twilio.post(own_path(acme), inbound_pairs(acme), token=acme.auth_token)
    async with services.database.owner(acme.owner_id) as connection:
        repository = TwilioAccountRepository(connection)
        account = await repository.get(acme.account.twilio_account_id)
        account.previous_auth_token_encrypted = account.auth_token_encrypted
        account.auth_token_encrypted = services.twilio.secrets_box.encrypt("the new token")
        await repository.save(account)

    new = await twilio.post(own_path(acme), inbound_pairs(acme), token="the new token")
    former = await twilio.post(own_path(acme), inbound_pairs(acme), token=acme.auth_token)

    assert [before.status, new.status, former.status] == [200, 200, 200]


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", ""])
async def test_what_is_no_form_is_refused_with_415(twilio: Twilio, acme: Tenant, content_type: str) -> None:
    answer = await twilio.send(
        own_path(acme), b"{}", {"Content-Type": content_type, "X-Request-Id": "req-415"}
    )

    assert answer.status == 415
    assert answer.problem == {
        "type": "about:blank",
        "title": "Unsupported Media Type",
        "status": 415,
        "code": "unsupported_media_type",
        "detail": answer.problem["detail"],
        "request_id": "req-415",
    }
    assert answer.headers["x-request-id"] == "req-415"


async def test_a_body_over_one_megabyte_that_says_so_is_refused_with_413(
    twilio: Twilio, acme: Tenant
) -> None:
    answer = await twilio.send(own_path(acme), BytesIO(b"Body=" + b"a" * 1024 * 1024), {"Content-Type": FORM})

    assert answer.status == 413
    assert answer.problem["code"] == "payload_too_large"


async def test_a_body_over_one_megabyte_in_chunks_is_refused_with_413(twilio: Twilio, acme: Tenant) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"Body="
        for _ in range(17):
            yield b"a" * 64 * 1024

    answer = await twilio.send(own_path(acme), chunks(), {"Content-Type": FORM})

    assert answer.status == 413
    assert answer.problem["code"] == "payload_too_large"
    assert answer.problem["request_id"]


@pytest.mark.parametrize("kind", ["inbound", "status"])
async def test_another_method_is_refused_with_those_that_there_are(
    twilio: Twilio, acme: Tenant, kind: str
) -> None:
    for path in (own_path(acme, kind), f"/webhooks/twilio/{kind}"):
        async with twilio.session.get(twilio.url + path) as response:
            problem = await response.json(content_type="application/problem+json")

            assert (response.status, response.headers["allow"]) == (405, "POST")
            assert problem["request_id"] == response.headers["x-request-id"]


async def test_each_answer_to_twilio_carries_an_id_of_its_own_or_the_one_that_came(
    twilio: Twilio, acme: Tenant
) -> None:
    first = await twilio.post(own_path(acme), inbound_pairs(acme), token=acme.auth_token)
    second = await twilio.post(own_path(acme), inbound_pairs(acme), token=acme.auth_token)
    named = await twilio.post(
        own_path(acme), inbound_pairs(acme), token=acme.auth_token, **{"X-Request-Id": "gateway-7"}
    )

    assert first.status == second.status == named.status == 200
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert named.headers["x-request-id"] == "gateway-7"


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        pytest.param(b"ol\xe1 %E1 %zz", "ol\ufffd \ufffd %zz", id="broken UTF-8"),
        pytest.param(b"a%00b", "a\ufffdb", id="NUL"),
        pytest.param("é".encode() * 1600, "é" * 1600, id="1,600 accents"),
        pytest.param(b"%ED%A0%80", "\ufffd\ufffd\ufffd", id="lone surrogate"),
    ],
)
async def test_an_odd_body_is_stored_as_well_as_can_be(
    services: Services, twilio: Twilio, acme: Tenant, raw: bytes, stored: str
) -> None:
    pairs = inbound_pairs(acme, "")
    signed = [
        (name, stored.replace("a\ufffdb", "a\x00b") if name == "Body" else value) for name, value in pairs
    ]
    body = urlencode([pair for pair in pairs if pair[0] != "Body"]).encode() + b"&Body=" + raw
    signature = sign(PUBLIC_URL + own_path(acme), signed, acme.auth_token)

    answer = await twilio.send(own_path(acme), body, {"Content-Type": FORM, "X-Twilio-Signature": signature})

    assert (answer.status, answer.text) == (200, EMPTY_TWIML)
    assert (await message_by_sid(services, acme, dict(pairs)["MessageSid"])).content == stored


async def test_a_message_without_a_sid_is_a_clear_refusal(twilio: Twilio, acme: Tenant) -> None:
    answer = await twilio.post(own_path(acme), inbound_pairs(acme, MessageSid=""), token=acme.auth_token)

    assert answer.status == 422
    assert answer.problem["field"] == "MessageSid"


async def test_a_message_to_a_number_that_nobody_owns_is_answered_and_kept(
    services: Services, twilio: Twilio, acme: Tenant
) -> None:
    pairs = inbound_pairs(acme, To=some_number())

    answer = await twilio.post(own_path(acme), pairs, token=acme.auth_token)

    assert (answer.status, answer.text) == (200, EMPTY_TWIML)
    [kept] = await quarantined(services, acme.account.account_sid)
    assert kept.reason is QuarantineReason.UNKNOWN_NUMBER
    assert [tuple(pair) for pair in kept.params] == pairs


async def test_quarantine_is_capped_so_that_nobody_can_fill_the_disk(
    services: Services, tmp_path: Path, acme: Tenant
) -> None:
    latest = await services.quarantine.list_latest(limit=100_000)
    kept_so_far = sum(request.reason is QuarantineReason.UNKNOWN_ACCOUNT for request in latest)
    settings = Settings(home=tmp_path, public_url=PUBLIC_URL, quarantine_per_hour=kept_so_far + 2)
    box, gateway, clock = FernetBox([new_secret_key()]), services.deliveries.gateway, services.inbound.clock
    capped = bootstrap.wire(settings, services.database, gateway, box, clock)
    stranger = some_sid("AC")

    async with serving_api(capped) as url, aiohttp.ClientSession() as session:
        twilio = Twilio(url, session)
        pairs = inbound_pairs(acme, AccountSid=stranger)
        answers = [await twilio.post("/webhooks/twilio/inbound", pairs, token="any") for _ in range(4)]

    assert [answer.status for answer in answers] == [403] * 4
    assert len(await quarantined(services, stranger)) == 2


async def test_fifty_parallel_posts_of_ten_messages_are_ten_messages_in_one_conversation(
    services: Services, twilio: Twilio, acme: Tenant
) -> None:
    customer = some_number()
    messages = [inbound_pairs(acme, f"número {number}", From=customer) for number in range(10)]

    answers = await asyncio.gather(
        *(twilio.post(own_path(acme), pairs, token=acme.auth_token) for pairs in messages * 5)
    )

    assert {(answer.status, answer.text) for answer in answers} == {(200, EMPTY_TWIML)}
    [conversation] = await conversations_of(services, acme)
    said = await messages_of(services, acme, conversation.conv_id)
    assert sorted(message.content for message in said) == sorted(f"número {number}" for number in range(10))


async def test_what_is_acknowledged_is_committed(services: Services, twilio: Twilio, acme: Tenant) -> None:
    async with services.database.owner(acme.owner_id) as connection:
        await connection.execute("LOCK TABLE messages IN SHARE MODE")
        posted = asyncio.create_task(twilio.post(own_path(acme), inbound_pairs(acme), token=acme.auth_token))
        waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'messages'::regclass AND NOT granted"
        while not await connection.fetchval(waiting):
            await connection.execute("SELECT pg_sleep(0.01)")
        async with twilio.session.get(f"{twilio.url}/health/live"):
            pass  # an answer that was given before the message could be stored would be here by now
        is_answered_early = posted.done()

    answer = await posted

    assert (is_answered_early, answer.status) == (False, 200)
    [conversation] = await conversations_of(services, acme)
    assert len(await messages_of(services, acme, conversation.conv_id)) == 1


async def test_a_status_moves_our_message_and_an_unknown_word_does_not(
    services: Services, twilio: Twilio, acme: Tenant
) -> None:
    sid, msg_id = await _sent(services, twilio, acme)

    for word in ("delivered", "huh", "sent"):
        path = f"{own_path(acme, 'status')}?msg_id={msg_id}"
        answer = await twilio.post(path, status_pairs(acme, sid, word), token=acme.auth_token)
        assert (answer.status, answer.text) == (204, "")

    assert (await message_by_sid(services, acme, sid)).delivery_status is DeliveryStatus.DELIVERED


@pytest.mark.parametrize("msg_id", ["", "0", "-1", "9" * 30, "abc", "²"])
async def test_a_status_of_an_unknown_message_is_answered_with_204(
    twilio: Twilio, acme: Tenant, msg_id: str
) -> None:
    path = f"{own_path(acme, 'status')}?{urlencode({'msg_id': msg_id})}"

    answer = await twilio.post(path, status_pairs(acme, some_sid(), "sent"), token=acme.auth_token)

    assert (answer.status, answer.text) == (204, "")


async def test_a_status_that_claims_another_owners_message_changes_nothing(
    services: Services, twilio: Twilio, acme: Tenant, globex: Tenant
) -> None:
    sid, msg_id = await _sent(services, twilio, acme)

    path = f"{own_path(globex, 'status')}?msg_id={msg_id}"
    answer = await twilio.post(path, status_pairs(globex, sid, "read"), token=globex.auth_token)

    assert answer.status == 204
    assert (await message_by_sid(services, acme, sid)).delivery_status is DeliveryStatus.QUEUED


async def test_webhook_health_names_the_url_that_twilio_has_to_sign(twilio: Twilio) -> None:
    async with twilio.session.get(f"{twilio.url}/webhooks/twilio/health") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok", "public_url": PUBLIC_URL})


async def test_each_account_has_the_three_webhook_addresses_below_its_key(
    twilio: Twilio, acme: Tenant
) -> None:
    async with twilio.session.get(twilio.url + own_path(acme, "health")) as response:
        assert (response.status, await response.json()) == (200, {"status": "ok", "public_url": PUBLIC_URL})
    async with twilio.session.get(f"{twilio.url}/webhooks/twilio/nobodys/health") as response:
        assert response.status == 404
    message = await twilio.post(own_path(acme), inbound_pairs(acme), token=acme.auth_token)
    status = await twilio.post(
        own_path(acme, "status"), status_pairs(acme, "SM" + "0" * 32, "sent"), token=acme.auth_token
    )
    assert (message.status, status.status) == (200, 204)


async def _sent(services: Services, twilio: Twilio, tenant: Tenant) -> tuple[str, int]:
    """SID and id of an answer to a customer."""
    answer = await twilio.post(own_path(tenant), inbound_pairs(tenant), token=tenant.auth_token)
    assert answer.status == 200
    [conversation] = await conversations_of(services, tenant)
    create = MessageCreate(content="Olá!")
    message = await services.messages.send(tenant.owner_id, conversation.conv_id, create, by=PERSON)
    await services.deliveries.deliver(tenant.owner_id, conversation.conv_id)
    [row] = await rows(
        services, tenant, "SELECT provider_sid FROM messages WHERE msg_id = $1", message.msg_id
    )
    return row["provider_sid"], message.msg_id


def _our_side(params: list[list[str]], tenant: Tenant) -> str:
    """Our own address of the same channel; a channel that we have no address of stays."""
    to = next(value for name, value in params if name == "To")
    if to.startswith("whatsapp:"):
        return tenant.whatsapp
    return to if ":" in to else tenant.sms
