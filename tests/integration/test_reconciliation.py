"""Accounts compared with Twilio's log over HTTP: what webhooks lost comes in, once, and harms nothing newer."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from conftest import TurnableClock
from factories import Tenant, make_inbound, make_tenant, some_number, some_sid
from owner import bootstrap
from owner.db.database import Database
from owner.integrations.simulator import SimulatorClient, create_simulator
from owner.integrations.twilio.client import TwilioGateway
from owner.models.conversation_dtos import ConversationClose
from owner.models.enums import ActorKind, ConversationStatus, DeliveryStatus
from owner.models.event import SYSTEM, Actor
from owner.models.media import MediaStatus
from owner.models.message import MessageCreate, StatusCallback
from owner.models.owner import OwnerTexts
from owner.models.reconciliation import Reconciliation
from owner.services.catalog import Services
from owner.services.secrets_box import FernetBox, new_secret_key
from owner.settings import Settings
from reading import address_of, conversations_of, event_types, message_by_sid, messages_of, rows
from serving import serving

PERSON = Actor(ActorKind.USER)
PNG = {"content_type": "image/png", "data_base64": "iVBORw0KGgo="}


@dataclass(frozen=True)
class Field:
    """The use cases, a simulated Twilio that posts no webhooks, and a clock to let time pass."""

    services: Services
    simulator: SimulatorClient
    clock: TurnableClock

    async def tenant(self, name: str = "acme", **changes: Any) -> Tenant:
        tenant = await make_tenant(self.services, name, **changes)
        await self.register(tenant)
        return tenant

    async def register(self, tenant: Tenant, **changes: Any) -> None:
        settings = {"numbers": [tenant.sms, tenant.whatsapp], **changes}
        token = settings.pop("auth_token", tenant.auth_token)
        settings.setdefault("inbound_url", None)
        await self.simulator.register_account(tenant.account.account_sid, token, **settings)

    async def lose(self, tenant: Tenant, customer: str, text: str, **content: Any) -> str:
        """The customer writes and nobody is told; the message's SID."""
        to = tenant.whatsapp if customer.startswith("whatsapp:") else tenant.sms
        return (await self.simulator.write(customer, to, text, **content))["message_sid"]

    async def told(self, tenant: Tenant, customer: str, text: str) -> int:
        """The customer writes and the webhook comes; the conversation."""
        receipt = await self.services.inbound.receive(
            make_inbound(tenant, text, customer=customer),
            owner=tenant.owner,
            twilio_account_id=tenant.account.twilio_account_id,
        )
        assert receipt.conv_id is not None
        return receipt.conv_id

    async def answer(self, tenant: Tenant, conv_id: int, text: str = "Pronto!") -> int:
        message = await self.services.messages.send(
            tenant.owner_id, conv_id, MessageCreate(content=text), by=PERSON
        )
        await self.services.deliveries.deliver(tenant.owner_id, conv_id)
        return message.msg_id

    async def reconcile(self, tenant: Tenant, **options: Any) -> Reconciliation:
        """After the time that webhooks are given to come by themselves."""
        self.clock.turn(minutes=5)
        [found] = await self.services.reconciliation.reconcile_all(owner_id=tenant.owner_id, **options)
        return found


@pytest.fixture
async def field(database: Database, clock: TurnableClock, tmp_path: Path) -> AsyncIterator[Field]:
    simulator = create_simulator(callback_delay=0, clock=clock.now)
    async with serving(simulator) as url, aiohttp.ClientSession() as session:
        settings = Settings(home=tmp_path, public_url="https://owner.example", twilio_api_url=url)
        gateway = TwilioGateway(url)
        services = bootstrap.wire(settings, database, gateway, FernetBox([new_secret_key()]), clock)
        yield Field(services, SimulatorClient(url, session), clock)
        await services.reconciliation.message_log.aclose()
        await services.channel_setup.aclose()
        await gateway.aclose()


def counts(found: Reconciliation) -> tuple[int, int, int]:
    assert found.problem is None
    return found.listed, found.brought_in, found.corrected


async def texts_of(field: Field, tenant: Tenant, conv_id: int) -> list[str]:
    return [message.content for message in await messages_of(field.services, tenant, conv_id)]


async def test_what_no_webhook_told_comes_in_by_age_and_a_second_run_finds_nothing(field: Field) -> None:
    acme = await field.tenant()
    ana, bruno = some_number(), f"whatsapp:{some_number()}"
    for text in ("Oi", "Tudo bem?", "Cadê meu pedido?"):
        await field.lose(acme, ana, text)
        field.clock.turn(seconds=2)
    await field.lose(acme, bruno, "Olá")

    first = await field.reconcile(acme)
    before = await rows(field.services, acme, "SELECT max(event_id), count(*) FROM events")
    second = await field.reconcile(acme)

    assert counts(first) == (4, 4, 0)
    assert counts(second) == (4, 0, 0)
    conversations = await conversations_of(field.services, acme)
    assert [await texts_of(field, acme, one.conv_id) for one in conversations] == [
        ["Oi", "Tudo bem?", "Cadê meu pedido?"],
        ["Olá"],
    ]
    assert [one.status for one in conversations] == [ConversationStatus.PENDING] * 2
    assert await rows(field.services, acme, "SELECT max(event_id), count(*) FROM events") == before


async def test_only_the_one_that_is_missing_comes_in(field: Field) -> None:
    acme = await field.tenant()
    ana = some_number()
    sid = await field.lose(acme, ana, "Lost")
    kept = await field.lose(acme, ana, "Told")
    inbound = make_inbound(acme, "Told", customer=ana, provider_sid=kept)
    await field.services.inbound.receive(
        inbound, owner=acme.owner, twilio_account_id=acme.account.twilio_account_id
    )

    assert counts(await field.reconcile(acme)) == (2, 1, 0)
    assert (await message_by_sid(field.services, acme, sid)).content == "Lost"


async def test_a_file_comes_along(field: Field) -> None:
    acme = await field.tenant()
    sid = await field.lose(acme, some_number(), "", media=[PNG, PNG])

    await field.reconcile(acme)

    message = await message_by_sid(field.services, acme, sid)
    files = await rows(
        field.services, acme, "SELECT media_id FROM media WHERE msg_id = $1 ORDER BY position", message.msg_id
    )
    assert len(files) == 2
    await field.services.media.fetch(acme.owner_id, files[0]["media_id"])
    [stored] = await rows(
        field.services, acme, "SELECT status FROM media WHERE media_id = $1", files[0]["media_id"]
    )
    assert stored["status"] == MediaStatus.STORED


async def test_a_message_is_left_to_its_webhook_for_the_first_minutes(field: Field) -> None:
    acme = await field.tenant()
    field.clock.turn(hours=1)
    await field.lose(acme, some_number(), "Oi")

    [early] = await field.services.reconciliation.reconcile_all(owner_id=acme.owner_id)
    later = await field.reconcile(acme)

    assert (counts(early), counts(later)) == ((0, 0, 0), (1, 1, 0))


async def test_statuses_that_no_callback_told_are_corrected_once(field: Field) -> None:
    acme = await field.tenant()
    ana, bruno = some_number(), some_number()
    await field.simulator.fault("callbacks_lost", count=None)
    await field.simulator.fault("error", error_code=30005, to=bruno)
    msg_ids = []
    for customer in (ana, bruno):
        conv_id = await field.told(acme, customer, "Oi")
        msg_ids.append(await field.answer(acme, conv_id))

    first, second = await field.reconcile(acme), await field.reconcile(acme)

    assert (counts(first), counts(second)) == ((2, 0, 2), (2, 0, 0))
    found = await rows(
        field.services,
        acme,
        "SELECT delivery_status, error_code FROM messages WHERE msg_id = ANY ($1) ORDER BY msg_id",
        msg_ids,
    )
    assert [(row["delivery_status"], row["error_code"]) for row in found] == [
        (DeliveryStatus.DELIVERED, None),
        (DeliveryStatus.UNDELIVERED, 30005),
    ]


async def test_a_status_that_is_further_than_the_log_stays(field: Field) -> None:
    acme = await field.tenant()
    conv_id = await field.told(acme, some_number(), "Oi")
    await field.answer(acme, conv_id)
    sid = (await messages_of(field.services, acme, conv_id))[-1].provider_sid or ""
    read = StatusCallback(provider_sid=sid, status=DeliveryStatus.READ)
    await field.services.delivery_statuses.record(acme.owner_id, read)

    assert counts(await field.reconcile(acme)) == (1, 0, 0)
    assert (await message_by_sid(field.services, acme, sid)).delivery_status is DeliveryStatus.READ


async def test_a_late_message_joins_the_open_conversation_and_ends_nothing(field: Field) -> None:
    acme = await field.tenant(texts=OwnerTexts(closing="Até logo!"))
    ana = some_number()
    conv_id = await field.told(acme, ana, "Meu pedido chegou?")
    await field.answer(acme, conv_id, "Chegou. Posso ajudar em mais alguma coisa?")
    field.clock.turn(seconds=2)
    await field.lose(acme, ana, "pode encerrar, obrigado")
    field.clock.turn(seconds=2)
    await field.answer(acme, conv_id, "Mais uma coisa: qual é o seu CPF?")

    await field.reconcile(acme)

    [conversation] = await conversations_of(field.services, acme)
    assert conversation.status is ConversationStatus.PROGRESS
    assert conversation.waiting_since is not None
    assert (await texts_of(field, acme, conv_id))[-1] == "pode encerrar, obrigado"
    assert "closure.suspected" not in await event_types(field.services, acme, conv_id)


async def test_a_late_message_that_the_customer_has_followed_up_makes_nobody_wait(field: Field) -> None:
    acme = await field.tenant()
    ana = some_number()
    sid = await field.lose(acme, ana, "Oi")
    field.clock.turn(seconds=2)
    conv_id = await field.told(acme, ana, "Cadê meu pedido?")
    await field.answer(acme, conv_id)
    before = (await conversations_of(field.services, acme))[0]

    await field.reconcile(acme)

    [after] = await conversations_of(field.services, acme)
    assert (after.waiting_since, after.idle_at, after.last_activity_at, after.last_inbound_at) == (
        None,
        before.idle_at,
        before.last_activity_at,
        before.last_inbound_at,
    )
    assert (await message_by_sid(field.services, acme, sid)).seq == after.last_seq == 3


async def test_a_late_message_from_before_the_end_stays_with_what_has_ended(field: Field) -> None:
    acme = await field.tenant()
    ana = some_number()
    sid = await field.lose(acme, ana, "Oi, meu pedido")
    field.clock.turn(seconds=2)
    conv_id = await field.told(acme, ana, "Cadê meu pedido?")
    await field.services.conversations.close(acme.owner_id, conv_id, ConversationClose(), by=PERSON)

    await field.reconcile(acme)

    [conversation] = await conversations_of(field.services, acme)
    message = await message_by_sid(field.services, acme, sid)
    assert conversation.status is ConversationStatus.AGENT_CLOSED
    assert (message.conv_id, message.is_after_closure) == (conv_id, True)


async def test_the_customers_last_word_is_not_buried_with_what_has_ended(field: Field) -> None:
    acme = await field.tenant()
    ana = some_number()
    conv_id = await field.told(acme, ana, "Cadê meu pedido?")
    field.clock.turn(seconds=2)
    written_at = field.clock.now()
    sid = await field.lose(acme, ana, "Alguém aí?")
    field.clock.turn(hours=1)
    await field.services.conversations.close(acme.owner_id, conv_id, ConversationClose(), by=PERSON)

    await field.reconcile(acme)

    closed, opened = await conversations_of(field.services, acme)
    assert (closed.status, opened.status) == (ConversationStatus.AGENT_CLOSED, ConversationStatus.PENDING)
    assert opened.previous_conv_id == conv_id
    assert (await message_by_sid(field.services, acme, sid)).conv_id == opened.conv_id
    assert opened.last_inbound_at == opened.waiting_since == written_at.replace(microsecond=0)
    assert opened.expires_at > field.clock.now() + timedelta(hours=23)


async def test_a_word_within_the_grace_period_undoes_a_closing_however_late_we_learn_of_it(
    field: Field,
) -> None:
    acme = await field.tenant()
    ana, bruno = some_number(), some_number()
    conversations = []
    for customer, silence in ((ana, 1), (bruno, 60)):
        conv_id = await field.told(acme, customer, "Meu pedido chegou?")
        await field.answer(acme, conv_id, "Chegou sim.")
        await field.told(acme, customer, "pode encerrar, obrigado")
        field.clock.turn(minutes=silence)
        await field.lose(acme, customer, "Esperem, falta um item!")
        conversations.append(conv_id)
    field.clock.turn(hours=3)

    await field.reconcile(acme)

    found = await conversations_of(field.services, acme)
    assert [(one.status, one.previous_conv_id) for one in found] == [
        (ConversationStatus.PROGRESS, None),
        (ConversationStatus.USER_CLOSED, None),
        (ConversationStatus.PENDING, conversations[1]),
    ]


async def test_a_late_stop_counts_and_a_late_start_from_before_an_opt_out_does_not(field: Field) -> None:
    acme = await field.tenant()
    ana = some_number()
    await field.lose(acme, ana, "VOLTAR")
    field.clock.turn(seconds=2)
    await field.told(acme, ana, "SAIR")

    await field.reconcile(acme)
    still_out = await address_of(field.services, acme)
    await field.told(acme, ana, "VOLTAR")
    field.clock.turn(seconds=2)
    await field.lose(acme, ana, "SAIR")
    await field.reconcile(acme)

    assert still_out.is_opted_out
    assert (await address_of(field.services, acme)).is_opted_out


async def test_messages_to_a_number_before_it_was_connected_are_not_ours(field: Field) -> None:
    acme = await field.tenant()
    number = some_number("+5511")
    await field.register(acme, numbers=[acme.sms, number])
    await field.simulator.write(some_number(), number, "Antes")
    field.clock.turn(minutes=10)
    async with field.services.database.owner(acme.owner_id) as connection:
        await connection.execute(
            "INSERT INTO channel_addresses (owner_id, channel, address, twilio_account_id, created_at)"
            " VALUES ($1, 'SMS', $2, $3, $4)",
            acme.owner_id,
            number,
            acme.account.twilio_account_id,
            field.clock.now(),
        )
    await field.simulator.write(some_number(), number, "Depois")

    found = await field.reconcile(acme)

    assert (found.listed, found.brought_in, found.elsewhere) == (2, 1, 1)


async def test_the_next_run_begins_a_day_before_the_last_one_ended(field: Field) -> None:
    acme = await field.tenant()

    first, second = await field.reconcile(acme), await field.reconcile(acme)
    since = datetime(2026, 1, 1, tzinfo=UTC)
    chosen = await field.reconcile(acme, since=since)

    shown = await field.services.twilio_settings.get(acme.owner_id, acme.account.twilio_account_id)
    assert second.since == first.until - timedelta(hours=24)
    assert chosen.since == since
    assert shown.reconciled_until == chosen.until


async def test_an_account_that_fails_stops_no_other_and_is_compared_from_the_same_place_again(
    field: Field,
) -> None:
    acme, globex = await field.tenant("acme"), await field.tenant("globex")
    await field.reconcile(acme)
    await field.register(acme, auth_token=some_sid("x"))
    await field.lose(acme, some_number(), "Oi")
    await field.lose(globex, some_number(), "Oi")
    field.clock.turn(minutes=5)

    found = {one.owner_id: one for one in await field.services.reconciliation.reconcile_all()}
    await field.register(acme)
    mended = await field.reconcile(acme)

    refused = found[acme.owner_id]
    assert refused.problem is not None
    assert refused.needs_somebody
    assert counts(found[globex.owner_id]) == (1, 1, 0)
    assert (counts(mended), mended.since) == ((1, 1, 0), refused.since)


async def test_suspended_owners_and_disconnected_accounts_are_passed_over(field: Field) -> None:
    acme, globex = await field.tenant("acme"), await field.tenant("globex")
    await field.services.tenants.suspend(acme.owner_id, by=SYSTEM)
    await field.services.twilio_settings.disconnect(
        globex.owner_id, globex.account.twilio_account_id, by=SYSTEM
    )

    assert await field.services.reconciliation.reconcile_all(owner_id=acme.owner_id) == []
    for tenant in (acme, globex):
        account = tenant.account
        assert await field.services.reconciliation.reconcile(*ids(tenant)) is None
        assert account.twilio_account_id not in {
            one.twilio_account_id for one in await field.services.reconciliation.reconcile_all()
        }


async def test_urls_that_lead_elsewhere_are_told_once_and_again_after_they_were_right(field: Field) -> None:
    acme = await field.tenant()
    right = field.services.twilio.inbound_url(acme.account)

    async def look(url: str) -> list[str]:
        await field.register(acme, inbound_url=url)
        return (await field.reconcile(acme)).drifted

    found = [await look(url) for url in (right, "https://old.example", "https://old.example", right)]
    again = await look("https://old.example")

    told = await rows(field.services, acme, "SELECT data FROM events WHERE type = 'channel.drifted'")
    assert found == [[], [acme.sms], [acme.sms], []]
    assert again == [acme.sms]
    assert [row["data"]["subjects"] for row in told] == [1, 1]
    shown = await field.services.twilio_settings.get(*ids(acme))
    assert shown.drifted_at is not None


async def test_each_account_gets_one_job_an_hour_however_many_workers_plan(field: Field) -> None:
    acme = await field.tenant()

    await field.services.reconciliation.plan()
    await field.services.reconciliation.plan()

    jobs = await rows(
        field.services,
        acme,
        "SELECT convert_from(payload, 'UTF8')::jsonb AS ids FROM jobs.pgqueuer WHERE entrypoint = 'account_due'",
    )
    mine = [job["ids"] for job in jobs if job["ids"]["owner_id"] == acme.owner_id]
    assert mine == [{"owner_id": acme.owner_id, "twilio_account_id": acme.account.twilio_account_id}]


async def test_the_simulator_loses_a_webhook_on_request(field: Field) -> None:
    acme = await field.tenant()
    await field.register(acme, inbound_url="http://127.0.0.1:9/nobody")
    await field.simulator.fault("webhook_lost", to=acme.sms)

    lost = await field.simulator.write(some_number(), acme.sms, "Oi")
    tried = await field.simulator.write(some_number(), acme.sms, "Oi")

    assert (lost["attempts"], tried["attempts"] > 0) == (0, True)
    assert lost["status_code"] != HTTPStatus.OK


def ids(tenant: Tenant) -> tuple[int, int]:
    return tenant.owner_id, tenant.account.twilio_account_id
