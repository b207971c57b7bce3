"""Twilio accounts over REST: connected, changed, their tokens rotated, looked after at Twilio, disconnected."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from calling import Answer, Api, calling
from conftest import TurnableClock
from factories import Tenant, make_inbound, some_number, some_sid
from fakes import FakeGateway
from owner.integrations.simulator import create_simulator
from owner.integrations.twilio.client import TwilioGateway
from owner.integrations.twilio.hosts import product_url
from owner.integrations.twilio.setup import TwilioChannelSetup
from owner.integrations.twilio.transport import authorization
from owner.models.conversation_dtos import ConversationClose
from owner.models.enums import ActorKind, DeliveryStatus
from owner.models.errors import OutcomeUnknown, ProviderError, ProviderProblem
from owner.models.event import Actor
from owner.models.message import Attachment, MessageCreate
from owner.models.twilio_account import TwilioAccountCreate
from owner.services.catalog import Services
from owner.services.channel_setup import ChannelSetupService
from owner.services.ports import Credentials
from owner.services.twilio_accounts import TwilioService
from owner.services.twilio_settings import TwilioSettingsService
from reading import messages_of, rows
from serving import serving

PATH = "/v1/twilio-accounts"
PERSON = Actor(ActorKind.USER)


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    async with calling(services, acme.api_key) as api:
        yield api


def account(**changes: Any) -> dict[str, Any]:
    return {
        "account_sid": some_sid("AC"),
        "auth_token": "first-token",
        "phone_numbers": [some_number("+5511")],
        **changes,
    }


async def connect(api: Api, **changes: Any) -> Answer:
    return await api.call("POST", PATH, account(**changes))


def path_of(tenant: Tenant, verb: str = "") -> str:
    return f"{PATH}/{tenant.account.twilio_account_id}{verb}"


async def channel_events(services: Services, tenant: Tenant) -> list[tuple[str, Any]]:
    found = await rows(
        services, tenant, "SELECT type, data FROM events WHERE type LIKE 'channel.%' ORDER BY event_id"
    )
    return [(row["type"], row["data"]) for row in found]


async def tokens_of(services: Services, tenant: Tenant) -> tuple[str, ...]:
    found = await services.twilio.find_by_sid(tenant.account.account_sid, fresh=True)
    return found[0].tokens if found else ()


async def test_a_connected_account_is_shown_without_its_token(
    services: Services, api: Api, acme: Tenant
) -> None:
    number = some_number("+5511")

    made = await connect(api, phone_numbers=[number, f"whatsapp:{number}"])

    assert made.status == 201
    path = f"{PATH}/{made.body['twilio_account_id']}"
    assert made.body["phone_numbers"] == [number, f"whatsapp:{number}"]
    assert made.body["inbound_url"].startswith("https://owner.example/webhooks/twilio/")
    assert made.body["has_former_token"] is False
    shown = await api.call("GET", path)
    listed = await api.call("GET", PATH, limit=1)
    rest = await api.call("GET", PATH, limit=1, cursor=listed.body["next_cursor"])
    assert shown.body == made.body == listed.body["items"][0]
    assert [item["account_sid"] for item in rest.body["items"]] == [acme.account.account_sid]
    for answer in (made, shown, listed):
        assert b"token" not in answer.raw.replace(b"has_former_token", b"")


async def test_an_account_or_a_number_that_is_connected_already_is_a_conflict(
    services: Services, api: Api, acme: Tenant, globex: Tenant
) -> None:
    twice = await connect(api, account_sid=acme.account.account_sid)
    theirs = await connect(api, phone_numbers=[globex.sms])
    moved = await api.call("PATCH", path_of(acme), {"add_phone_numbers": [globex.sms]})

    assert (twice.status, twice.code, twice.body["field"]) == (409, "already_exists", "account_sid")
    assert twice.body["twilio_account_id"] == acme.account.twilio_account_id
    assert (theirs.status, theirs.code) == (moved.status, moved.code) == (409, "already_exists")
    assert len(await rows(services, acme, "SELECT FROM twilio_accounts")) == 1


async def test_credentials_are_tried_before_they_are_stored_if_wanted(
    services: Services, api: Api, acme: Tenant, gateway: FakeGateway
) -> None:
    def refusal(kind: ProviderProblem) -> ProviderError:
        return ProviderError("Twilio does not accept the credentials.", kind=kind, provider_code=20003)

    gateway.answers = [refusal(ProviderProblem.CREDENTIALS), refusal(ProviderProblem.RETRY), OutcomeUnknown()]

    wrong = await connect(api, verify=True)
    away = await connect(api, verify=True)
    silent = await api.call("PATCH", path_of(acme), {"auth_token": "second-token", "verify": True})
    good = await connect(api, verify=True)

    assert (wrong.status, wrong.code, wrong.body["field"]) == (422, "invalid_input", "auth_token")
    assert (away.status, away.code) == (502, "provider_error")
    assert (silent.status, silent.code) == (504, "outcome_unknown")
    assert good.status == 201
    assert len(await rows(services, acme, "SELECT FROM twilio_accounts")) == 2
    assert await tokens_of(services, acme) == (acme.auth_token,)


async def test_numbers_and_the_messaging_service_change(services: Services, api: Api, acme: Tenant) -> None:
    number, service = some_number("+5511"), some_sid("MG")

    changed = await api.call(
        "PATCH",
        path_of(acme),
        {
            "add_phone_numbers": [number, acme.sms],
            "remove_phone_numbers": [acme.sms, acme.whatsapp, some_number("+5511")],
            "messaging_service_sid": service,
        },
    )
    cleared = await api.call("PATCH", path_of(acme), {"messaging_service_sid": None})

    assert changed.status == 200
    assert changed.body["phone_numbers"] == sorted([number, acme.sms])
    assert (changed.body["messaging_service_sid"], cleared.body["messaging_service_sid"]) == (service, None)
    assert (await channel_events(services, acme))[1:] == [
        (
            "channel.updated",
            {
                "twilio_account_id": acme.account.twilio_account_id,
                "fields": ["add_phone_numbers", "messaging_service_sid", "remove_phone_numbers"],
            },
        ),
        (
            "channel.updated",
            {"twilio_account_id": acme.account.twilio_account_id, "fields": ["messaging_service_sid"]},
        ),
    ]


async def test_a_number_with_an_open_conversation_stays(services: Services, api: Api, acme: Tenant) -> None:
    conv_id = await some_conversation(services, acme)
    body = {"remove_phone_numbers": [acme.sms, acme.whatsapp]}

    refused = await api.call("PATCH", path_of(acme), body)
    await close(services, acme, conv_id)
    freed = await api.call("PATCH", path_of(acme), body)

    assert (refused.status, refused.code, refused.body["field"]) == (409, "conflict", "remove_phone_numbers")
    assert (freed.status, freed.body["phone_numbers"]) == (200, [])


async def test_two_tokens_live_until_the_newer_is_promoted(
    services: Services, api: Api, acme: Tenant
) -> None:
    begun = await api.call("PATCH", path_of(acme), {"auth_token": "second-token"})
    during = await tokens_of(services, acme)
    again = await api.call("PATCH", path_of(acme), {"auth_token": "second-token"})
    third = await api.call("PATCH", path_of(acme), {"auth_token": "third-token"})
    promoted = await api.call("POST", path_of(acme, "/promote"))
    after = await tokens_of(services, acme)
    twice = await api.call("POST", path_of(acme, "/promote"))

    assert (begun.body["has_former_token"], again.body["has_former_token"]) == (True, True)
    assert during == ("second-token", acme.auth_token)
    assert (third.status, third.code) == (409, "conflict")
    assert (promoted.body["has_former_token"], after) == (False, ("second-token",))
    assert (twice.status, twice.body) == (200, promoted.body)


async def test_a_new_token_can_be_taken_back(services: Services, api: Api, acme: Tenant) -> None:
    await api.call("PATCH", path_of(acme), {"auth_token": "mistaken"})

    back = await api.call("PATCH", path_of(acme), {"auth_token": acme.auth_token})

    assert back.body["has_former_token"] is False
    assert await tokens_of(services, acme) == (acme.auth_token,)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"auth_token": None}, "auth_token"),
        ({"auth_token": ""}, "auth_token"),
        ({"auth_token": "two words"}, "auth_token"),
        ({"messaging_service_sid": "MG1"}, "messaging_service_sid"),
        ({"add_phone_numbers": ["ana"]}, "add_phone_numbers"),
        ({"remove_phone_numbers": [""]}, "remove_phone_numbers.0"),
        ({"account_sid": "AC" + "0" * 32}, "account_sid"),
        ({"verify": True}, "body"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(
    services: Services, api: Api, acme: Tenant, *, body: dict[str, Any], field: str
) -> None:
    before = await api.call("GET", path_of(acme))

    answer = await api.call("PATCH", path_of(acme), body)

    assert (answer.status, answer.body["field"]) == (422, field)
    assert (await api.call("GET", path_of(acme))).body == before.body


@pytest.mark.parametrize(
    ("method", "verb", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"messaging_service_sid": None}),
        ("POST", "/promote", None),
        ("POST", "/verify", {"repair": True}),
        ("DELETE", "", None),
    ],
)
async def test_another_owners_account_looks_like_one_that_is_not_there(
    services: Services, api: Api, acme: Tenant, globex: Tenant, *, method: str, verb: str, body: Any
) -> None:
    theirs = await api.call(method, path_of(globex, verb), body)
    missing = await api.call(method, f"{PATH}/4611686018427387904{verb}", body)

    assert (theirs.status, theirs.code) == (missing.status, missing.code) == (404, "twilio_account_not_found")
    assert (await api.call("GET", path_of(globex), key=globex.api_key)).status == 200


async def test_an_account_with_an_open_conversation_is_not_disconnected(
    services: Services, api: Api, acme: Tenant
) -> None:
    await some_conversation(services, acme)

    answer = await api.call("DELETE", path_of(acme))

    assert (answer.status, answer.code) == (409, "conflict")
    assert await tokens_of(services, acme) == (acme.auth_token,)


async def test_a_disconnected_account_keeps_its_conversations_and_nothing_that_opens_anything(
    services: Services, api: Api, acme: Tenant, globex: Tenant
) -> None:
    conv_id = await some_conversation(services, acme)
    await close(services, acme, conv_id)

    gone = await api.call("DELETE", path_of(acme))

    assert gone.status == 204
    assert (await api.call("GET", path_of(acme))).status == 404
    assert (await api.call("DELETE", path_of(acme))).status == 404
    assert (await api.call("GET", PATH)).body["items"] == []
    assert (await api.call("GET", f"/v1/conversations/{conv_id}")).status == 200
    [row] = await rows(services, acme, "SELECT * FROM twilio_accounts")
    assert (row["auth_token_encrypted"], row["previous_auth_token_encrypted"]) == (None, None)
    assert await services.twilio.find_by_sid(acme.account.account_sid, fresh=True) == []
    assert await services.twilio.find_by_webhook_key(acme.account.webhook_key, fresh=True) == []
    moved = await api.call("POST", PATH, account(phone_numbers=[acme.sms]), key=globex.api_key)
    assert moved.status == 201
    assert (await channel_events(services, acme))[-1][0] == "channel.disconnected"


async def test_a_disconnected_account_is_connected_again_under_another_url(
    services: Services, api: Api, acme: Tenant
) -> None:
    before = await api.call("GET", path_of(acme))
    await api.call("DELETE", path_of(acme))

    again = await connect(api, account_sid=acme.account.account_sid, phone_numbers=[acme.sms])

    assert (again.status, again.body["twilio_account_id"]) == (201, acme.account.twilio_account_id)
    assert again.body["inbound_url"] != before.body["inbound_url"]
    assert await tokens_of(services, acme) == ("first-token",)


async def test_what_waited_for_a_disconnected_account_fails_with_a_reason(
    services: Services, api: Api, acme: Tenant, gateway: FakeGateway
) -> None:
    file = Attachment(url="https://api.twilio.com/media/1", content_type="image/jpeg")
    conv_id = await some_conversation(services, acme, attachments=[file])
    await services.messages.send(acme.owner_id, conv_id, MessageCreate(content="Oi"), by=PERSON)
    await close(services, acme, conv_id)
    await api.call("DELETE", path_of(acme))

    await services.deliveries.deliver(acme.owner_id, conv_id)
    [media] = await rows(services, acme, "SELECT media_id FROM media")
    await services.media.fetch(acme.owner_id, media["media_id"])

    message = (await messages_of(services, acme, conv_id))[-1]
    assert message.delivery_status is DeliveryStatus.FAILED
    assert "disconnected" in (message.error_message or "")
    assert gateway.taken == []
    assert await rows(services, acme, "SELECT status FROM media") == [{"status": "FAILED"}]


async def test_rotating_the_encryption_passes_over_what_is_disconnected(
    services: Services, api: Api, acme: Tenant
) -> None:
    await connect(api)
    await api.call("DELETE", path_of(acme))

    assert await services.secret_rotation.rotate_of(acme.owner_id) == 1


async def some_conversation(services: Services, tenant: Tenant, **changes: Any) -> int:
    receipt = await services.inbound.receive(
        make_inbound(tenant, customer=some_number(), **changes),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    assert receipt.conv_id is not None
    return receipt.conv_id


async def close(services: Services, tenant: Tenant, conv_id: int) -> None:
    await services.conversations.close(tenant.owner_id, conv_id, ConversationClose(), by=PERSON)


@dataclass(frozen=True)
class Twilio:
    """A simulated Twilio that knows acme's account, and acme's API that talks with it."""

    url: str
    session: aiohttp.ClientSession
    tenant: Tenant
    api: Api

    async def verify(self, *, repair: bool = False) -> dict[str, dict[str, Any]]:
        """The checks of the webhooks, by subject."""
        answer = await self.api.call("POST", path_of(self.tenant, "/verify"), {"repair": repair})
        assert (answer.status, answer.body["credentials"]["result"]) == (200, "OK")
        return {check["subject"]: check for check in answer.body["webhooks"]}

    async def register(self, **changes: Any) -> None:
        wanted = {
            "account_sid": self.tenant.account.account_sid,
            "auth_token": self.tenant.auth_token,
            "numbers": [self.tenant.sms],
            **changes,
        }
        async with self.session.post(f"{self.url}/simulator/accounts", json=wanted) as response:
            assert response.status == 201

    async def call(self, method: str, path: str, **form: str) -> Any:
        """As the account itself."""
        credentials = Credentials(self.tenant.account.account_sid, self.tenant.auth_token)
        headers = {"Authorization": authorization(credentials)}
        async with self.session.request(
            method, self.url + path, data=form or None, headers=headers
        ) as response:
            return await response.json()

    async def number(self) -> dict[str, Any]:
        path = f"/2010-04-01/Accounts/{self.tenant.account.account_sid}/IncomingPhoneNumbers.json"
        [found] = (await self.call("GET", path))["incoming_phone_numbers"]
        assert isinstance(found, dict)
        return found


@pytest.fixture
async def twilio(services: Services, acme: Tenant) -> AsyncIterator[Twilio]:
    async with serving(create_simulator()) as url, aiohttp.ClientSession() as session:
        gateway, setup = TwilioGateway(url), TwilioChannelSetup(url)
        accounts = TwilioService(
            services.database,
            clock=services.twilio.clock,
            secrets_box=services.twilio.secrets_box,
            gateway=gateway,
            public_url=services.public_url,
        )
        wired = replace(
            services,
            twilio=accounts,
            twilio_settings=TwilioSettingsService(
                services.database, clock=services.twilio.clock, twilio=accounts
            ),
            channel_setup=ChannelSetupService(services.database, twilio=accounts, setup=setup),
        )
        async with calling(wired, acme.api_key) as api:
            twilio = Twilio(url, session, acme, api)
            await twilio.register()
            yield twilio
        await gateway.aclose()
        await setup.aclose()


def inbound_url(twilio: Twilio) -> str:
    return f"https://owner.example/webhooks/twilio/{twilio.tenant.account.webhook_key}/inbound"


async def test_a_number_without_our_url_differs_and_is_repaired_on_request(
    services: Services, twilio: Twilio
) -> None:
    ours = inbound_url(twilio)

    seen = (await twilio.verify())[twilio.tenant.sms]
    untouched = await twilio.number()
    mended = (await twilio.verify(repair=True))[twilio.tenant.sms]
    after = (await twilio.verify())[twilio.tenant.sms]

    assert (seen["result"], seen["url"], seen["expected_url"]) == ("DIFFERS", None, f"{ours}#rc=5&rp=all")
    assert untouched["sms_url"] == ""
    assert (mended["result"], after["result"], after["detail"]) == ("REPAIRED", "OK", None)
    assert (await twilio.number())["sms_url"] == f"{ours}#rc=5&rp=all"
    facts = {"twilio_account_id": twilio.tenant.account.twilio_account_id, "repaired": 1}
    assert (await channel_events(services, twilio.tenant))[1:] == [("channel.updated", facts)]


async def test_an_application_or_a_wrong_method_in_the_way_is_seen_and_taken_away(twilio: Twilio) -> None:
    uri = (await twilio.number())["uri"]
    await twilio.call("POST", uri, SmsUrl=inbound_url(twilio), SmsMethod="GET")
    wrong_method = (await twilio.verify())[twilio.tenant.sms]
    await twilio.call("POST", uri, SmsMethod="POST", SmsApplicationSid="AP" + "0" * 32)
    shadowed = (await twilio.verify())[twilio.tenant.sms]

    await twilio.verify(repair=True)

    assert (wrong_method["result"], wrong_method["method"]) == ("DIFFERS", "GET")
    assert shadowed["result"] == "DIFFERS"
    assert "application" in shadowed["detail"]
    number = await twilio.number()
    assert (number["sms_application_sid"], number["sms_method"]) == ("", "POST")


async def test_our_url_without_the_fragment_is_right_and_the_fragment_is_recommended(twilio: Twilio) -> None:
    await twilio.call("POST", (await twilio.number())["uri"], SmsUrl=inbound_url(twilio))

    check = (await twilio.verify(repair=True))[twilio.tenant.sms]

    assert check["result"] == "OK"
    assert "#rc=5&rp=all" in check["detail"]


async def test_what_twilios_api_does_not_tell_is_said_to_be_unknown(twilio: Twilio) -> None:
    await twilio.api.call(
        "PATCH", path_of(twilio.tenant), {"add_phone_numbers": ["28844", some_number("+5511")]}
    )

    checks = await twilio.verify(repair=True)

    assert checks[twilio.tenant.whatsapp]["result"] == "NOT_CHECKABLE"
    assert "console" in checks[twilio.tenant.whatsapp]["detail"]
    assert checks["28844"]["result"] == "NOT_CHECKABLE"
    [unknown] = [check for check in checks.values() if check["result"] == "DIFFERS"]
    assert "no such number" in unknown["detail"]


async def test_a_messaging_service_is_looked_after_too(twilio: Twilio) -> None:
    service = some_sid("MG")
    await twilio.api.call("PATCH", path_of(twilio.tenant), {"messaging_service_sid": service})

    missing = (await twilio.verify(repair=True))[service]
    await twilio.register(messaging_service_sid=service)
    empty = (await twilio.verify())[service]
    mended = (await twilio.verify(repair=True))[service]
    right = (await twilio.verify())[service]
    await twilio.call(
        "POST", f"/v1/Services/{service}", InboundRequestUrl="", UseInboundWebhookOnNumber="true"
    )
    deferring = (await twilio.verify())[service]

    assert (missing["result"], empty["result"], mended["result"]) == ("DIFFERS", "DIFFERS", "REPAIRED")
    assert "no such Messaging Service" in missing["detail"]
    assert (right["result"], right["url"]) == ("OK", f"{inbound_url(twilio)}#rc=5&rp=all")
    assert (deferring["result"], deferring["url"]) == ("OK", None)


async def test_a_repaired_url_is_where_messages_arrive(twilio: Twilio) -> None:
    """As far as the simulator goes: it posts there, and nobody answers."""
    await twilio.verify(repair=True)

    async with twilio.session.post(
        f"{twilio.url}/simulator/phones/{some_number()}/messages",
        json={"to": twilio.tenant.sms, "body": "Oi"},
    ) as response:
        written = await response.json()

    assert (response.status, written["status_code"]) == (200, None)
    assert written["attempts"] >= 1


async def test_wrong_credentials_are_found_and_nothing_else_can_be_seen(
    services: Services, twilio: Twilio
) -> None:
    await twilio.register(auth_token="another")

    answer = await twilio.api.call("POST", path_of(twilio.tenant, "/verify"))

    assert answer.status == 200
    assert answer.body["credentials"]["result"] == "DIFFERS"
    assert {check["result"] for check in answer.body["webhooks"]} == {"NOT_CHECKABLE"}


async def test_good_credentials_end_a_pause(services: Services, twilio: Twilio, clock: TurnableClock) -> None:
    await rows(
        services,
        twilio.tenant,
        "UPDATE twilio_accounts SET paused_at = $1, paused_reason = 'refused' RETURNING owner_id",
        clock.now() - timedelta(hours=1),
    )

    await twilio.verify()

    shown = await twilio.api.call("GET", path_of(twilio.tenant))
    assert (shown.body["paused_at"], shown.body["paused_reason"]) == (None, None)


async def test_numbers_on_further_pages_are_found(twilio: Twilio) -> None:
    numbers = [some_number("+5521") for _ in range(1_001)]
    await twilio.register(numbers=[*numbers, twilio.tenant.sms])

    assert (await twilio.verify())[twilio.tenant.sms]["detail"] == "No URL is entered."


async def test_a_twilio_that_is_away_is_a_problem_of_its_own() -> None:
    setup = TwilioChannelSetup("http://127.0.0.1:1")

    with pytest.raises(ProviderError, match="can't be reached"):
        await setup.list_number_webhooks(Credentials("AC" + "0" * 32, "token"))

    await setup.aclose()


@pytest.mark.parametrize(
    ("api_url", "messaging_url"),
    [
        ("https://api.twilio.com", "https://messaging.twilio.com"),
        ("https://api.dublin.ie1.twilio.com", "https://messaging.dublin.ie1.twilio.com"),
        ("http://127.0.0.1:8001", "http://127.0.0.1:8001"),
        ("https://api.example.com", "https://api.example.com"),
    ],
)
def test_messaging_services_have_a_host_of_their_own_at_twilio_only(api_url: str, messaging_url: str) -> None:
    assert product_url(api_url, "messaging") == messaging_url


async def test_the_command_connects_again_and_renews(services: Services, acme: Tenant) -> None:
    wanted = TwilioAccountCreate(
        account_sid=acme.account.account_sid, auth_token="renewed", phone_numbers=[acme.sms]
    )

    await services.twilio.connect(acme.owner_id, wanted)

    assert await tokens_of(services, acme) == ("renewed", acme.auth_token)
