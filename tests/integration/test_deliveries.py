"""Handing messages to the provider: in order, exactly once, whatever breaks in between."""

import asyncio
from datetime import datetime, timedelta

import pytest

from conftest import TurnableClock
from factories import Tenant, some_sid
from fakes import FakeGateway
from outbox import Thread, open_thread
from owner.models.enums import ActorKind, DeliveryStatus
from owner.models.errors import ContactOptedOut, OutcomeUnknown, ProviderError, ProviderProblem
from owner.models.event import SYSTEM
from owner.models.twilio_account import TwilioAccount, TwilioAccountUpdate
from owner.repositories.directory import Directory
from owner.repositories.twilio_accounts import TwilioAccountRepository
from owner.services.catalog import Services
from owner.services.ports import Credentials, OutboundMessage, SentMessage
from reading import address_of, event_types, events_of, rows

BUSY = ProviderError("Too many requests.", kind=ProviderProblem.RETRY, provider_code=20429, http_status=429)


@pytest.fixture
async def thread(services: Services, acme: Tenant) -> Thread:
    return await open_thread(services, acme)


async def test_messages_of_a_conversation_go_in_the_order_in_which_they_were_written(
    thread: Thread, gateway: FakeGateway
) -> None:
    await thread.write("um", "dois", "três")

    again = await thread.deliver()

    assert again is None
    assert gateway.sent_to(thread.customer) == ["um", "dois", "três"]
    sent = await thread.outbound()
    assert all(message.provider_sid and message.attempts == 1 for message in sent)


async def test_the_callback_url_carries_our_own_message_id(thread: Thread, gateway: FakeGateway) -> None:
    [message] = await thread.write("Olá")

    await thread.deliver()

    key = thread.tenant.account.webhook_key
    assert gateway.taken[0][0].status_callback == (
        f"https://owner.example/webhooks/twilio/{key}/status?msg_id={message.msg_id}"
    )


async def test_a_busy_provider_is_tried_later_with_growing_pauses_and_nothing_overtakes(
    thread: Thread, gateway: FakeGateway, clock: TurnableClock
) -> None:
    await thread.write("um", "dois")
    gateway.answers = [BUSY, BUSY]

    first = await thread.deliver()
    too_early = await thread.deliver()
    clock.turn(seconds=3)
    second = await thread.deliver()
    clock.turn(seconds=5)
    done = await thread.deliver()

    assert first is not None
    assert second is not None
    assert timedelta(seconds=1) < first <= timedelta(seconds=2) < second <= timedelta(seconds=4)
    assert too_early is not None
    assert done is None
    assert gateway.sent_to(thread.customer) == ["um", "dois"]
    assert [message.attempts for message in await thread.outbound()] == [3, 1]


async def test_a_provider_that_says_when_is_asked_then(thread: Thread, gateway: FakeGateway) -> None:
    await thread.write("Olá")
    gateway.answers = [ProviderError("Later.", kind=ProviderProblem.RETRY, retry_after=90)]

    again = await thread.deliver()

    assert again is not None
    assert timedelta(seconds=85) < again <= timedelta(seconds=90)


async def test_a_provider_that_stays_busy_for_a_day_is_given_up(
    thread: Thread, gateway: FakeGateway, clock: TurnableClock
) -> None:
    await thread.write("Olá")
    clock.turn(hours=25)
    gateway.answers = [BUSY]

    await thread.deliver()

    [message] = await thread.outbound()
    assert (message.delivery_status, message.error_code) == (DeliveryStatus.FAILED, 20429)


@pytest.mark.parametrize("was_taken", [True, False])
async def test_a_message_whose_outcome_is_unknown_is_looked_up_before_it_is_sent_again(
    thread: Thread, gateway: FakeGateway, clock: TurnableClock, *, was_taken: bool
) -> None:
    await thread.write("Olá")
    (gateway.lost_answers if was_taken else gateway.answers).append(OutcomeUnknown())

    again = await thread.deliver()
    clock.turn(minutes=1)
    done = await thread.deliver()

    assert again is not None
    assert done is None
    assert gateway.sent_to(thread.customer) == ["Olá"]
    [message] = await thread.outbound()
    assert message.provider_sid == gateway.taken[0][1].provider_sid
    assert message.unconfirmed_at is None


async def test_a_worker_that_stood_still_for_longer_than_its_claim_sends_nothing(
    thread: Thread, gateway: FakeGateway, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one may have taken the message in hand meanwhile, looked it up in vain, and sent it."""
    await thread.write("Olá")
    gateway.answers = [OutcomeUnknown()]
    await thread.deliver()
    clock.turn(minutes=1)

    async def stand_still(**_sought: object) -> list[SentMessage]:
        clock.turn(seconds=20)
        return []

    with monkeypatch.context() as patched:
        patched.setattr(gateway, "list_sent", stand_still)
        again = await thread.deliver()
    sent_meanwhile = gateway.sent_to(thread.customer)
    clock.turn(minutes=1)
    await thread.deliver()

    assert again is not None
    assert sent_meanwhile == []
    assert gateway.sent_to(thread.customer) == ["Olá"]


@pytest.mark.parametrize("kind", [ProviderProblem.PERMANENT, ProviderProblem.RETRY])
async def test_what_the_provider_refuses_too_late_changes_nothing_of_who_has_the_message_by_then(
    services: Services, acme: Tenant, thread: Thread, gateway: FakeGateway, clock: TurnableClock, *, kind: str
) -> None:
    """A worker that was stopped within its call comes back after another one has taken the message over."""
    await thread.write("Olá")
    refusal = ProviderError("No.", kind=ProviderProblem(kind), provider_code=21614)
    slow = Slow(gateway, refusal)
    services.deliveries.gateway = slow  # type: ignore[assignment]  # sending is all that is asked of it
    stopped = asyncio.create_task(thread.deliver())
    await slow.is_asked.wait()
    services.deliveries.gateway = gateway
    clock.turn(minutes=1)
    gateway.answers = [OutcomeUnknown()]
    await thread.deliver()
    [before] = await thread.outbound()

    slow.answers.set()
    await stopped

    assert await thread.outbound() == [before]
    assert "message.failed" not in await event_types(services, acme, thread.conv_id)
    clock.turn(minutes=1)
    await thread.deliver()
    assert gateway.sent_to(thread.customer) == ["Olá"]


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_message_is_found_at_the_provider_though_our_clock_was_wrong_and_was_set_meanwhile(
    thread: Thread, gateway: FakeGateway, clock: TurnableClock, *, hours: int
) -> None:
    clock.turn(hours=hours)
    gateway.clock_ahead = timedelta(hours=hours)
    await thread.write("Olá")
    gateway.lost_answers = [OutcomeUnknown()]
    await thread.deliver()

    clock.turn(hours=-hours)
    gateway.clock_ahead = timedelta(0)
    early = await thread.deliver()
    clock.turn(hours=1, minutes=1)
    done = await thread.deliver()

    assert (early is None) == (hours < 0)  # a clock that was set back lets it wait for as long as that
    assert done is None
    assert gateway.sent_to(thread.customer) == ["Olá"]


async def test_an_earlier_message_with_the_same_words_is_not_taken_for_the_lost_one(
    thread: Thread, gateway: FakeGateway, clock: TurnableClock
) -> None:
    await thread.write("Olá")
    await thread.deliver()
    await thread.write("Olá")
    gateway.answers = [OutcomeUnknown()]

    await thread.deliver()
    clock.turn(minutes=1)
    await thread.deliver()

    assert gateway.sent_to(thread.customer) == ["Olá", "Olá"]
    assert len({message.provider_sid for message in await thread.outbound()}) == 2


async def test_a_crash_after_the_provider_took_it_sends_it_once(
    services: Services, thread: Thread, gateway: FakeGateway, clock: TurnableClock
) -> None:
    await thread.write("Olá", "Tudo bem?")
    gateway.lost_answers = [KeyboardInterrupt()]

    with pytest.raises(KeyboardInterrupt):
        await thread.deliver()
    in_hand = await thread.deliver()
    clock.turn(seconds=30)
    async with services.database.system() as connection:
        due = await Directory(connection).due_sends(
            now=clock.now(), resting_accounts=[], of_sender=10_000, limit=10_000
        )
    done = await thread.deliver()

    assert in_hand is not None
    assert (thread.tenant.owner_id, thread.conv_id) in due
    assert done is None
    assert gateway.sent_to(thread.customer) == ["Olá", "Tudo bem?"]


async def test_two_workers_at_once_send_once(thread: Thread, gateway: FakeGateway) -> None:
    await thread.write("um", "dois")

    await asyncio.gather(*(thread.deliver() for _ in range(4)))

    assert gateway.sent_to(thread.customer) == ["um", "dois"]


async def test_a_message_that_can_never_go_fails_with_a_sentence_and_lets_the_next_pass(
    services: Services, acme: Tenant, thread: Thread, gateway: FakeGateway
) -> None:
    await thread.write("um", "dois")
    sentence = "The number is no mobile number."
    gateway.answers = [ProviderError(sentence, kind=ProviderProblem.PERMANENT, provider_code=21614)]

    done = await thread.deliver()

    assert done is None
    failed, sent = await thread.outbound()
    assert (failed.delivery_status, failed.error_code, failed.error_message) == (
        DeliveryStatus.FAILED,
        21614,
        sentence,
    )
    assert sent.provider_sid is not None
    [event] = [
        event for event in await events_of(services, acme, thread.conv_id) if event.type == "message.failed"
    ]
    assert (event.actor_kind, event.msg_id, event.data) == (
        ActorKind.PROVIDER,
        failed.msg_id,
        {"error_code": 21614},
    )


async def test_a_customer_who_opted_out_at_the_provider_is_opted_out_here(
    services: Services, acme: Tenant, thread: Thread, gateway: FakeGateway
) -> None:
    await thread.write("Olá")
    gateway.answers = [ProviderError("Opted out.", kind=ProviderProblem.OPTED_OUT, provider_code=21610)]

    await thread.deliver()

    assert (await address_of(services, acme)).is_opted_out
    assert "contact.opted_out" in await event_types(services, acme, thread.conv_id)
    with pytest.raises(ContactOptedOut):
        await thread.write("Ainda aí?")


async def test_a_callback_that_says_opted_out_counts_too(
    services: Services, acme: Tenant, thread: Thread, gateway: FakeGateway
) -> None:
    await thread.write("Olá")
    await thread.deliver()
    sid = gateway.taken[0][1].provider_sid

    await thread.callback(sid, DeliveryStatus.FAILED, error_code=21610)

    assert (await address_of(services, acme)).is_opted_out


async def test_wrong_credentials_pause_the_account_and_keep_the_outbox(
    services: Services, acme: Tenant, thread: Thread, gateway: FakeGateway, clock: TurnableClock
) -> None:
    await thread.write("um", "dois")
    refusal = ProviderError("Wrong token.", kind=ProviderProblem.CREDENTIALS, provider_code=20003)
    gateway.answers = [refusal, refusal]

    again = await thread.deliver()
    clock.turn(minutes=6)
    await thread.deliver()
    paused = await _account(services, acme)
    clock.turn(minutes=6)
    done = await thread.deliver()
    resumed = await _account(services, acme)

    assert again is not None
    assert (paused.paused_at is not None, paused.paused_reason) == (True, "Wrong token.")
    assert done is None
    assert gateway.sent_to(thread.customer) == ["um", "dois"]
    assert resumed.paused_at is None
    events = await rows(services, acme, "SELECT data FROM events WHERE type = 'channel.paused'")
    assert len(events) == 1


async def test_what_waited_for_good_credentials_is_tried_as_soon_as_there_is_a_new_token(
    services: Services, acme: Tenant, thread: Thread, gateway: FakeGateway
) -> None:
    await _refuse_credentials(gateway, thread)

    update = TwilioAccountUpdate(auth_token=32 * "e")
    await services.twilio_settings.change(acme.owner_id, acme.account.twilio_account_id, update, by=SYSTEM)

    assert await thread.deliver() is None
    assert gateway.sent_to(thread.customer) == ["Olá"]
    assert (await _account(services, acme)).paused_at is None


async def test_what_waited_for_good_credentials_is_tried_once_another_message_is_taken(
    services: Services, acme: Tenant, thread: Thread, gateway: FakeGateway, clock: TurnableClock
) -> None:
    another = await open_thread(services, acme)
    await _refuse_credentials(gateway, thread)
    clock.turn(minutes=4)
    await _refuse_credentials(gateway, another)
    clock.turn(minutes=2)

    assert await thread.deliver() is None
    assert await another.deliver() is None
    assert gateway.sent_to(another.customer) == ["Olá"]


async def _refuse_credentials(gateway: FakeGateway, thread: Thread) -> None:
    await thread.write("Olá")
    gateway.answers = [ProviderError("Wrong token.", kind=ProviderProblem.CREDENTIALS, provider_code=20003)]
    assert await thread.deliver() is not None
    assert await thread.deliver() is not None


async def test_a_callback_before_our_own_commit_finds_its_message_by_our_id(
    services: Services, acme: Tenant, thread: Thread, gateway: FakeGateway
) -> None:
    [message] = await thread.write("Olá")
    early = Overtaken(gateway, thread, message.msg_id)
    services.deliveries.gateway = early  # type: ignore[assignment]  # sending is all that is asked of it

    await thread.deliver()

    assert early.was_known is True
    [stored] = await thread.outbound()
    assert (stored.provider_sid, stored.delivery_status) == (
        gateway.taken[0][1].provider_sid,
        DeliveryStatus.DELIVERED,
    )
    assert (stored.claimed_until, stored.unconfirmed_at) == (None, None)
    assert (await event_types(services, acme, thread.conv_id))[-1] == "message.delivered"


async def test_a_callback_is_proof_for_a_message_whose_outcome_is_unknown(
    thread: Thread, gateway: FakeGateway, clock: TurnableClock
) -> None:
    [message] = await thread.write("Olá")
    gateway.lost_answers = [OutcomeUnknown()]
    await thread.deliver()

    await thread.callback(gateway.taken[0][1].provider_sid, DeliveryStatus.SENT, message.msg_id)
    clock.turn(minutes=1)
    done = await thread.deliver()

    assert done is None
    assert len(gateway.taken) == 1


async def test_a_callback_that_comes_twice_is_told_once(
    services: Services, acme: Tenant, thread: Thread, gateway: FakeGateway
) -> None:
    await thread.write("Olá")
    await thread.deliver()
    sid = gateway.taken[0][1].provider_sid

    known = await asyncio.gather(*(thread.callback(sid, DeliveryStatus.DELIVERED) for _ in range(5)))

    assert known == [True] * 5
    assert (await event_types(services, acme, thread.conv_id)).count("message.delivered") == 1


async def test_contradicting_ends_are_kept_as_a_conflict(thread: Thread, gateway: FakeGateway) -> None:
    await thread.write("Olá")
    await thread.deliver()
    sid = gateway.taken[0][1].provider_sid

    await thread.callback(sid, DeliveryStatus.DELIVERED)
    await thread.callback(sid, DeliveryStatus.FAILED, error_code=30008)

    [message] = await thread.outbound()
    assert (message.delivery_status, message.is_conflicted) == (DeliveryStatus.DELIVERED, True)


async def test_a_callback_of_an_unknown_message_changes_nothing(thread: Thread, gateway: FakeGateway) -> None:
    [message] = await thread.write("Olá")
    await thread.deliver()

    unknown = await thread.callback(some_sid(), DeliveryStatus.READ)
    with_a_foreign_sid = await thread.callback(some_sid(), DeliveryStatus.READ, message.msg_id)
    without_a_status = await thread.callback(gateway.taken[0][1].provider_sid, None)

    assert (unknown, with_a_foreign_sid, without_a_status) == (False, False, True)
    [stored] = await thread.outbound()
    assert stored.delivery_status is DeliveryStatus.QUEUED


class Slow:
    """A provider that refuses a message when it is told to."""

    def __init__(self, gateway: FakeGateway, refusal: ProviderError) -> None:
        self.refusal, self.provider_time = refusal, gateway.provider_time
        self.is_asked, self.answers = asyncio.Event(), asyncio.Event()

    async def send(self, *_: object) -> SentMessage:
        self.is_asked.set()
        await self.answers.wait()
        raise self.refusal


class Overtaken:
    """A provider whose status callback comes before its answer."""

    def __init__(self, gateway: FakeGateway, thread: Thread, msg_id: int) -> None:
        self.gateway, self.thread, self.msg_id = gateway, thread, msg_id
        self.was_known: bool | None = None

    async def send(self, message: OutboundMessage, credentials: Credentials) -> SentMessage:
        sent = await self.gateway.send(message, credentials)
        self.was_known = await self.thread.callback(sent.provider_sid, DeliveryStatus.DELIVERED, self.msg_id)
        return sent

    def provider_time(self, moment: datetime) -> datetime:
        return moment


async def _account(services: Services, tenant: Tenant) -> TwilioAccount:
    async with services.database.owner(tenant.owner_id) as connection:
        return await TwilioAccountRepository(connection).get(tenant.account.twilio_account_id)
