"""People change how the product behaves on its pages, without any script, and only those who may."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pyotp
import pytest

from browsing import Browser, Seen, browsing
from factories import Tenant, some_number, some_sid
from owner.models.enums import UserRole
from owner.models.errors import Unauthenticated
from owner.models.event import SYSTEM
from owner.models.quarantine import QuarantineReason
from owner.models.webhook_endpoint import WebhookEndpointCreate
from owner.services.catalog import Services
from reading import rows
from visiting import PASSWORD, visiting

SETTINGS = "/inbox/settings"


@pytest.fixture
async def browser(services: Services, acme: Tenant) -> AsyncIterator[Browser]:
    async with browsing(services) as opened:
        await opened.sign_in(acme.owner.email, PASSWORD)
        yield opened


@asynccontextmanager
async def signed_in_as(services: Services, tenant: Tenant, role: UserRole) -> AsyncIterator[Browser]:
    email = f"{role.lower()}-{tenant.owner_id}@acme.example"
    async with visiting(services) as visit:
        await visit.person(tenant, email, role)
    async with browsing(services) as opened:
        await opened.sign_in(email, PASSWORD)
        yield opened


def value_of(page: Seen, field: str) -> str:
    """What stands in a field."""
    found = re.search(rf'<input id="{field}"[^>]* value="([^"]*)"', page.html)
    assert found, page.text
    return found[1]


async def test_only_who_may_sees_a_page_or_the_way_to_it(services: Services, acme: Tenant) -> None:
    async with signed_in_as(services, acme, UserRole.AGENT) as agent:
        first = await agent.get(SETTINGS)
        links = set(re.findall(rf'href="{SETTINGS}/([a-z-]+)"', first.html))
        pages = {name: await agent.get(f"{SETTINGS}/{name}") for name in ADMINS_ONLY}
        people = await agent.get(f"{SETTINGS}/people")

    assert first.path == f"{SETTINGS}/account"
    assert {"account", "people"} <= links
    assert not links & ADMINS_ONLY
    assert {name: page.status for name, page in pages.items()} == dict.fromkeys(ADMINS_ONLY, 403)
    assert "Invite" not in people.text


ADMINS_ONLY = {"company", "closure", "features", "twilio", "api-keys", "webhooks", "quarantine"}


async def test_an_invitation_is_shown_once_and_lets_somebody_in(browser: Browser, acme: Tenant) -> None:
    page = await browser.post(f"{SETTINGS}/people", name="Bruno", email="bruno@acme.example", role="SUPPORT")
    token = value_of(page, "link").partition("token=")[2]
    await browser.post("/inbox/sign-out")
    await browser.post("/inbox/password", token=token, password=PASSWORD)

    inside = await browser.sign_in("bruno@acme.example", PASSWORD, owner_id=str(acme.owner_id))

    assert inside.path == "/inbox/conversations"


async def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(browser: Browser) -> None:
    page = await browser.post(f"{SETTINGS}/people", name="Bruno <b>", email="nobody", role="AGENT")

    assert page.status == 422
    assert 'id="email-problem"' in page.html
    assert 'aria-describedby="email-problem"' in page.html
    assert value_of(page, "name") == "Bruno &lt;b&gt;"
    assert value_of(page, "email") == "nobody"


async def test_an_email_that_is_taken_is_said_in_the_readers_language(browser: Browser, acme: Tenant) -> None:
    await browser.post("/inbox/language", language="pt")

    page = await browser.post(f"{SETTINGS}/people", name="Ana", email=acme.owner.email, role="AGENT")

    assert page.status == 409
    assert "Isto já existe." in page.text


async def test_a_role_is_changed_and_said(services: Services, browser: Browser, acme: Tenant) -> None:
    async with visiting(services) as visit:
        user_id, _ = await visit.person(acme, "bruno@acme.example")

    page = await browser.post(f"{SETTINGS}/people/{user_id}", name="Bruno", role="SUPPORT")

    assert page.path == f"{SETTINGS}/people?notice=saved"
    assert "Saved." in page.text
    [user] = await rows(services, acme, "SELECT role FROM users WHERE user_id = $1", user_id)
    assert user["role"] == "SUPPORT"


async def test_who_is_shut_out_is_out_at_once(services: Services, browser: Browser, acme: Tenant) -> None:
    async with signed_in_as(services, acme, UserRole.AGENT) as agent:
        [user] = await rows(services, acme, "SELECT user_id FROM users WHERE role = 'AGENT'")
        await browser.post(f"{SETTINGS}/people/{user['user_id']}/access", then="shut-out")

        assert (await agent.get("/inbox/conversations")).path.startswith("/inbox/sign-in")


async def test_the_last_administrator_stays(services: Services, browser: Browser, acme: Tenant) -> None:
    [admin] = await rows(services, acme, "SELECT user_id FROM users WHERE role = 'ADMIN'")

    page = await browser.post(f"{SETTINGS}/people/{admin['user_id']}", name="Ana", role="AGENT")

    assert page.status == 409
    assert "Nobody would be left who can change the settings." in page.text


async def test_a_person_of_another_company_is_not_there(
    services: Services, browser: Browser, globex: Tenant
) -> None:
    [theirs] = await rows(services, globex, "SELECT user_id FROM users")

    page = await browser.get(f"{SETTINGS}/people/{theirs['user_id']}")

    assert page.status == 404


async def test_a_password_is_changed_by_the_present_one(browser: Browser, acme: Tenant) -> None:
    account = f"{SETTINGS}/account"
    wrong = await browser.post(
        f"{account}/password", current_password="wrong horse", new_password="a better horse"
    )
    changed = await browser.post(
        f"{account}/password", current_password=PASSWORD, new_password="a better horse"
    )
    await browser.post("/inbox/sign-out")

    inside = await browser.sign_in(acme.owner.email, "a better horse")

    assert 'id="current_password-problem"' in wrong.html
    assert "a better horse" not in wrong.html
    assert changed.path == f"{account}?notice=password"
    assert inside.path == "/inbox/conversations"


async def test_a_second_factor_is_set_up_and_switched_off(browser: Browser) -> None:
    factor = f"{SETTINGS}/account/second-factor"
    begun = await browser.post(factor, password=PASSWORD)
    secret = value_of(begun, "secret")

    mistyped = await browser.post(f"{factor}/confirm", secret=secret, code="00000")
    confirmed = await browser.post(f"{factor}/confirm", secret=secret, code=pyotp.TOTP(secret).now())
    codes = re.findall(r"<code>([^<]+)</code>", confirmed.html)
    off = await browser.post(f"{factor}/disable", password=PASSWORD, code=codes[0])

    assert value_of(mistyped, "secret") == secret
    assert 'class="qr-code"' in begun.html
    assert 'id="code-problem"' in mistyped.html
    assert len(codes) == 10
    assert off.path == f"{SETTINGS}/account?notice=saved"


async def test_signing_out_everywhere_else_leaves_this_browser(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    async with browsing(services) as elsewhere:
        await elsewhere.sign_in(acme.owner.email, PASSWORD)

        page = await browser.post(f"{SETTINGS}/account/sessions/end-others")

        assert (await elsewhere.get("/inbox/conversations")).path.startswith("/inbox/sign-in")
    assert page.path == f"{SETTINGS}/account?notice=signed-out"
    ended = await rows(services, acme, "SELECT FROM events WHERE type = 'session.ended'")
    assert len(ended) == 1


CLOSURE: dict[str, Any] = {
    "confirm_at": "0.5",
    "close_at": "0.7",
    "ask": "on",
    "keywords": "é isso aí\r\n\r\nfechou",
    "never": "",
}


async def test_closing_words_and_thresholds_are_saved(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    page = await browser.post(f"{SETTINGS}/closure", **CLOSURE)

    assert page.path == f"{SETTINGS}/closure?notice=saved"
    closure = (await services.tenants.get(acme.owner_id)).closure
    assert (closure.confirm_at, closure.close_at, closure.ask, closure.shadow) == (0.5, 0.7, True, False)
    assert closure.keywords == ["é isso aí", "fechou"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("close_at", "1.5", "Take at most 1."),
        ("close_at", "much", "Write a number."),
        ("confirm_at", "0.9", "This must not be above the one for closing."),
        ("keywords", "fim\nSTOP", '"STOP" means that a customer wants no more messages'),
    ],
)
async def test_closing_settings_that_can_not_be_are_refused_beside_the_field(
    browser: Browser, *, field: str, value: str, words: str
) -> None:
    page = await browser.post(f"{SETTINGS}/closure", **{**CLOSURE, field: value})

    assert page.status == 422
    assert f'id="{field}-problem"' in page.html
    assert words in page.text
    assert value in page.text or value_of(page, field) == value


async def test_a_message_is_tried_with_its_score_and_signals(browser: Browser) -> None:
    await browser.post(f"{SETTINGS}/closure", **CLOSURE)

    closing = await browser.post(f"{SETTINGS}/closure/try", text="fechou")
    going_on = await browser.post(f"{SETTINGS}/closure/try", text="Onde está meu pedido?")

    assert "It would close." in closing.text
    assert "Asks to close" in closing.text
    assert "It would go on." in going_on.text


async def test_who_may_only_read_settings_tries_messages_and_changes_nothing(
    services: Services, acme: Tenant
) -> None:
    async with signed_in_as(services, acme, UserRole.SUPPORT) as support:
        page = await support.get(f"{SETTINGS}/closure")
        tried = await support.post(f"{SETTINGS}/closure/try", text="tchau")
        refused = await support.post(f"{SETTINGS}/closure", **CLOSURE)

    assert "<fieldset disabled>" in page.html
    assert "Certainty" in tried.text
    assert refused.status == 403


COMPANY: dict[str, Any] = {
    "name": "Acme",
    "time_zone": "Europe/Lisbon",
    "language": "es",
    "idle_after": "90",
    "expires_after": "2880",
    "reopen_grace": "0",
    "closing": "Obrigado!\r\nAté logo.",
    "asking": "",
    "asking_content_sid": "",
    "opt_out_words": "CHEGA",
}


async def test_limits_and_texts_are_saved(services: Services, browser: Browser, acme: Tenant) -> None:
    page = await browser.post(f"{SETTINGS}/company", **COMPANY)

    assert page.path == f"{SETTINGS}/company?notice=saved"
    owner = await services.tenants.get(acme.owner_id)
    assert (owner.time_zone, owner.idle_after.total_seconds()) == ("Europe/Lisbon", 5400)
    assert (owner.texts.closing, owner.texts.asking) == ("Obrigado!\nAté logo.", None)
    assert owner.opt_out_words == ["CHEGA"]


async def test_a_text_that_can_not_be_keeps_what_was_typed(browser: Browser) -> None:
    page = await browser.post(f"{SETTINGS}/company", **{**COMPANY, "asking_content_sid": "HX1"})

    assert page.status == 422
    assert 'id="asking_content_sid-problem"' in page.html
    assert "Até logo." in page.text


@pytest.mark.parametrize("minutes", ["", "soon", "0", "1e308", "9" * 4000, "nan", "-inf"])
async def test_minutes_that_are_none_are_refused_beside_their_field(browser: Browser, minutes: str) -> None:
    page = await browser.post(f"{SETTINGS}/company", **{**COMPANY, "idle_after": minutes})

    assert page.status == 422
    assert "Write minutes: at least one." in page.text


async def test_a_canned_reply_is_written_changed_and_deleted(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    replies = f"{SETTINGS}/replies"
    wrong = await browser.post(replies, shortcut="hello", content="Olá, {{contact.surname}}!")
    await browser.post(replies, shortcut="hello", content="Olá, {{contact.name|tudo bem}}!")
    [reply] = await rows(services, acme, "SELECT canned_reply_id FROM canned_replies")
    one = f"{replies}/{reply['canned_reply_id']}"

    changed = await browser.post(one, shortcut="oi", content="Oi!")
    gone = await browser.post(f"{one}/delete")

    assert 'id="content-problem"' in wrong.html
    assert "/oi" in changed.text
    assert gone.path == f"{replies}?notice=gone"
    assert not await rows(services, acme, "SELECT FROM canned_replies")


async def test_a_label_is_made_renamed_and_deleted(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    labels = f"{SETTINGS}/labels"
    await browser.post(labels, name="vip", color="#b45309")
    twice = await browser.post(labels, name="vip", color="#000000")
    [label] = await rows(services, acme, "SELECT label_id FROM labels")
    one = f"{labels}/{label['label_id']}"

    form = await browser.get(one)
    changed = await browser.post(one, name="atacado", color="#0f766e")
    await browser.post(f"{one}/delete")

    assert twice.status == 409
    assert value_of(form, "color") == "#b45309"
    assert "atacado" in changed.text
    assert not await rows(services, acme, "SELECT FROM labels")


async def test_a_feature_is_configured_by_the_form_of_its_schema(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    feature = f"{SETTINGS}/features/ai_chat_assistant"
    wrong = await browser.post(feature, model="gpt-4", temperature="3", max_tokens="", instructions="")
    await browser.post(
        feature, enabled="on", model="gpt-4", temperature="0.7", max_tokens="", instructions=""
    )
    changed = await browser.post(feature, model="gpt-4", temperature="", max_tokens="200", instructions="")

    assert 'id="temperature-problem"' in wrong.html
    assert "Take at most 2." in wrong.text
    assert changed.path == f"{SETTINGS}/features?notice=saved"
    [stored] = (await services.features.list_page(acme.owner_id, limit=10)).items
    assert not stored.enabled
    assert stored.config_json == {"model": "gpt-4", "max_tokens": 200}


async def test_a_feature_that_is_none_is_not_there(browser: Browser) -> None:
    assert (await browser.get(f"{SETTINGS}/features/nonsense")).status == 404


async def test_a_key_is_shown_once_and_works_until_it_is_ended(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    keys = f"{SETTINGS}/api-keys"
    made = await browser.post(keys, name="shop", scopes="conversations:read", expires_in_days="")
    key = value_of(made, "made")
    later = await browser.get(keys)

    caller = await services.access.authenticate(key)
    await browser.post(f"{keys}/{caller.actor.id}/revoke")

    assert key not in later.html
    assert caller.permissions == {"conversations:read"}
    with pytest.raises(Unauthenticated):
        await services.access.authenticate(key)


async def test_a_key_without_any_scope_is_refused_beside_the_boxes(browser: Browser) -> None:
    page = await browser.post(f"{SETTINGS}/api-keys", name="shop", scopes="", expires_in_days="0")

    assert page.status == 422
    assert 'id="scopes-problem"' in page.html
    assert 'id="expires_in_days-problem"' in page.html
    assert value_of(page, "name") == "shop"


ACCOUNT: dict[str, Any] = {
    "account_sid": "AC" + "1" * 32,
    "auth_token": "secret token".replace(" ", "-"),
    "phone_numbers": "+551150284499\r\nwhatsapp:+551150284499",
    "messaging_service_sid": "",
}


async def test_an_account_is_connected_changed_and_disconnected(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    connected = await browser.post(f"{SETTINGS}/twilio", **ACCOUNT)
    place = connected.path.partition("?")[0]

    changed = await browser.post(
        place, phone_numbers="+551150284499\n+551150284498", messaging_service_sid=""
    )
    rotated = await browser.post(f"{place}/token", auth_token="another-token")
    twice = await browser.post(f"{place}/token", auth_token="third-token")
    promoted = await browser.post(f"{place}/promote")
    gone = await browser.post(f"{place}/disconnect")

    assert "The account is connected." in connected.text
    assert ACCOUNT["auth_token"] not in connected.html
    assert "+551150284498" in changed.text
    assert "whatsapp:" not in changed.text.partition("Numbers")[2]
    assert "Two tokens" in rotated.text
    assert twice.status == 409
    assert "promote the newer one first" in twice.text
    assert "Two tokens" not in promoted.text
    assert gone.path == f"{SETTINGS}/twilio?notice=gone"
    left = await services.twilio_settings.list_page(acme.owner_id, limit=10)
    assert ACCOUNT["account_sid"] not in {account.account_sid for account in left.items}


async def test_an_account_that_can_not_be_keeps_all_but_the_token(browser: Browser) -> None:
    page = await browser.post(
        f"{SETTINGS}/twilio", **{**ACCOUNT, "account_sid": "AC1", "phone_numbers": "42"}
    )

    assert page.status == 422
    assert 'id="account_sid-problem"' in page.html
    assert value_of(page, "account_sid") == "AC1"
    assert ACCOUNT["auth_token"] not in page.html


async def some_endpoint(services: Services, tenant: Tenant) -> int:
    endpoint, _ = await services.webhook_endpoints.create(
        tenant.owner_id, WebhookEndpointCreate(url="https://hooks.example.com/owner"), by=SYSTEM
    )
    return endpoint.endpoint_id


async def test_a_webhook_is_added_with_a_secret_that_is_shown_once(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    added = await browser.post(
        f"{SETTINGS}/webhooks",
        url="https://hooks.example.com/owner",
        description="Loja",
        kinds="conversation.*",
        event_types="message.received",
    )
    [endpoint] = (await services.webhook_endpoints.list_page(acme.owner_id, limit=10)).items
    later = await browser.get(f"{SETTINGS}/webhooks/{endpoint.endpoint_id}")

    assert value_of(added, "made").startswith("whsec_")
    assert "whsec_" not in later.html
    assert endpoint.event_types == ["conversation.*", "message.received"]
    assert re.search(r'value="conversation\.\*" checked', later.html)


async def test_a_webhook_that_can_not_be_is_refused_beside_the_field(browser: Browser) -> None:
    nowhere = await browser.post(f"{SETTINGS}/webhooks", url="http://127.0.0.1/", event_types="")
    unknown = await browser.post(
        f"{SETTINGS}/webhooks", url="https://hooks.example.com/", event_types="message.received\nnonsense"
    )

    assert nowhere.status == 403
    assert 'id="url-problem"' in nowhere.html
    assert unknown.status == 422
    assert 'id="event_types-problem"' in unknown.html
    assert 'There is no event "nonsense".' in unknown.text


async def test_a_webhook_is_tested_paused_replaced_and_deleted(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    place = f"{SETTINGS}/webhooks/{await some_endpoint(services, acme)}"

    tested = await browser.post(f"{place}/test")
    log = await browser.get(f"{place}?status=PENDING")
    replaced = await browser.post(f"{place}/secret")
    paused = await browser.post(f"{place}/switch", then="pause")
    refused = await browser.post(f"{place}/test")
    gone = await browser.post(f"{place}/delete")

    assert "webhook.test" in tested.text
    assert "webhook.test" in log.text
    assert value_of(replaced, "made").startswith("whsec_")
    assert "Paused" in paused.text
    assert refused.status == 409
    assert gone.path == f"{SETTINGS}/webhooks?notice=gone"


async def test_deliveries_are_sent_again_one_by_one_and_since_a_moment(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    endpoint_id = await some_endpoint(services, acme)
    delivery = await services.webhook_endpoints.test(acme.owner_id, endpoint_id, by=SYSTEM)
    place = f"{SETTINGS}/webhooks/{endpoint_id}"

    one = await browser.post(f"{SETTINGS}/webhooks/deliveries/{delivery.delivery_id}/replay")
    many = await browser.post(f"{place}/replay", since="2026-01-01T00:00", only_failed="on")
    wrong = await browser.post(f"{place}/replay", since="yesterday")

    assert one.path == f"{SETTINGS}/webhooks/deliveries/{delivery.delivery_id}?notice=sent"
    assert many.path == f"{place}?notice=sent"
    assert wrong.status == 422
    assert "Write a date and a time." in wrong.text


@pytest.mark.parametrize("reason", [QuarantineReason.UNKNOWN_NUMBER, QuarantineReason.BAD_SIGNATURE])
async def test_what_was_refused_is_taken_in_once_somebody_vouches(
    services: Services, browser: Browser, acme: Tenant, reason: QuarantineReason
) -> None:
    refused = await some_refused(services, acme, reason)
    place = f"{SETTINGS}/quarantine/{refused}"

    shown = await browser.get(place)
    if reason is QuarantineReason.BAD_SIGNATURE:
        assert (await browser.post(f"{place}/replay")).status == 409
    taken = await browser.post(f"{place}/replay", trust="on")

    assert "<b>Bom dia</b>" in shown.text
    assert "<b>Bom dia</b>" not in shown.html
    assert taken.path == f"{SETTINGS}/quarantine?notice=taken-in"
    [message] = await rows(services, acme, "SELECT content FROM messages")
    assert message["content"] == "<b>Bom dia</b>"


async def test_what_was_refused_is_thrown_away_by_its_owner_only(
    services: Services, browser: Browser, acme: Tenant, globex: Tenant
) -> None:
    ours = await some_refused(services, acme, QuarantineReason.BAD_SIGNATURE)
    theirs = await some_refused(services, globex, QuarantineReason.BAD_SIGNATURE)

    gone = await browser.post(f"{SETTINGS}/quarantine/{ours}/discard")
    not_there = await browser.post(f"{SETTINGS}/quarantine/{theirs}/discard")

    assert gone.path == f"{SETTINGS}/quarantine?notice=gone"
    assert not_there.status == 404
    assert (await services.quarantine.get(globex.owner_id, theirs)).quarantine_id == theirs


async def some_refused(services: Services, tenant: Tenant, reason: QuarantineReason) -> int:
    pairs = [
        ("MessageSid", some_sid()),
        ("AccountSid", tenant.account.account_sid),
        ("From", some_number()),
        ("To", tenant.sms),
        ("Body", "<b>Bom dia</b>"),
        ("NumMedia", "0"),
    ]
    await services.quarantine.set_aside(
        pairs, reason=reason, path="/webhooks/twilio/inbound", signature="c2ln", owner_id=tenant.owner_id
    )
    [latest] = await services.quarantine.list_latest(limit=1)
    return latest.quarantine_id


async def test_what_is_shown_once_is_gone_with_a_reload_which_makes_no_other(
    services: Services, browser: Browser, acme: Tenant
) -> None:
    keys = f"{SETTINGS}/api-keys"
    before = len(await rows(services, acme, "SELECT FROM api_keys"))
    await browser.get(keys)

    made = await browser.post(keys, name="shop", scopes="conversations:read", expires_in_days="")
    again = await browser.get(keys)
    made_up = await browser.get(keys, headers={"Cookie": "owner_shown_once=gAAAAAmadeup"})

    assert made.path == made_up.path == keys  # where a reload asks, and sends nothing
    assert value_of(made, "made").startswith("ok_")
    assert 'id="made"' not in again.html
    assert 'id="made"' not in made_up.html
    assert len(await rows(services, acme, "SELECT FROM api_keys")) == before + 1
