"""Closing conversations that outlived their limits."""

import asyncio
from datetime import timedelta

import pytest

from conftest import TurnableClock
from factories import Tenant, make_inbound, make_tenant, some_number
from owner.models.enums import ActorKind, ConversationStatus
from owner.models.event import Actor
from owner.models.message import MessageCreate
from owner.repositories.owners import OwnerRepository
from owner.services.catalog import Services
from reading import conversations_of, event_types, events_of, rows

PERSON = Actor(ActorKind.USER)


async def receive(services: Services, tenant: Tenant, customer: str | None = None) -> int:
    receipt = await services.inbound.receive(
        make_inbound(tenant, customer=customer or some_number()),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    assert receipt.conv_id is not None
    return receipt.conv_id


async def answer(services: Services, tenant: Tenant, conv_id: int) -> None:
    await services.messages.send(tenant.owner_id, conv_id, MessageCreate(content="Olá"), by=PERSON)


async def status_of(services: Services, tenant: Tenant, conv_id: int) -> ConversationStatus:
    return (await services.conversations.get(tenant.owner_id, conv_id)).status


@pytest.fixture(autouse=True)
async def _nothing_is_due(services: Services, clock: TurnableClock) -> None:
    """What other tests of this process left open is over."""
    clock.turn(days=400)
    await services.timeouts.sweep()
    clock.turn(days=-400)


async def test_a_conversation_expires_at_its_maximum_age_whoever_waits(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    conv_id = await receive(services, acme)

    clock.turn(hours=23, minutes=59)
    await services.timeouts.sweep()
    before = await status_of(services, acme, conv_id)
    clock.turn(minutes=1)
    closed = await services.timeouts.sweep()

    assert before is ConversationStatus.PENDING
    assert closed == 1
    expired = await services.conversations.get(acme.owner_id, conv_id)
    assert (expired.status, expired.closed_by, expired.closed_reason) == (
        ConversationStatus.EXPIRED,
        ActorKind.TIMER,
        "maximum age reached",
    )
    last = (await events_of(services, acme, conv_id))[-1]
    assert (last.type, last.actor_kind) == ("conversation.closed", ActorKind.TIMER)


async def test_a_conversation_is_idle_when_our_last_word_stays_unanswered(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    conv_id = await receive(services, acme)
    await answer(services, acme, conv_id)

    clock.turn(minutes=59)
    await services.timeouts.sweep()
    before = await status_of(services, acme, conv_id)
    clock.turn(minutes=1)
    await services.timeouts.sweep()

    assert before is ConversationStatus.PROGRESS
    assert await status_of(services, acme, conv_id) is ConversationStatus.IDLE_TIMEOUT


async def test_a_customer_who_waits_for_us_is_never_closed_as_idle(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    unanswered = await receive(services, acme)
    customer = some_number()
    wrote_again = await receive(services, acme, customer)
    await answer(services, acme, wrote_again)
    await receive(services, acme, customer)

    clock.turn(hours=23)
    closed = await services.timeouts.sweep()

    assert closed == 0
    assert await status_of(services, acme, unanswered) is ConversationStatus.PENDING
    assert await status_of(services, acme, wrote_again) is ConversationStatus.PROGRESS


async def test_idleness_is_measured_on_the_last_activity_whoever_wrote_it(
    services: Services, acme: Tenant
) -> None:
    answered, waiting = await receive(services, acme), await receive(services, acme)
    await answer(services, acme, answered)

    await rows(
        services,
        acme,
        "UPDATE conversations SET last_activity_at = last_activity_at - interval '1 hour' RETURNING conv_id",
    )
    await services.timeouts.sweep()

    assert await status_of(services, acme, answered) is ConversationStatus.IDLE_TIMEOUT
    assert await status_of(services, acme, waiting) is ConversationStatus.PENDING


async def test_several_sweeps_at_once_close_each_conversation_once(
    services: Services, acme: Tenant, globex: Tenant, clock: TurnableClock
) -> None:
    for tenant in (acme, globex):
        for _ in range(10):
            await receive(services, tenant)
    clock.turn(hours=24)

    closed = await asyncio.gather(*(services.timeouts.sweep() for _ in range(5)))

    assert sum(closed) == 20
    for tenant in (acme, globex):
        for conversation in await conversations_of(services, tenant):
            assert conversation.status is ConversationStatus.EXPIRED
            types = await event_types(services, tenant, conversation.conv_id)
            assert types.count("conversation.closed") == 1


async def test_limits_are_pinned_when_a_conversation_opens(services: Services, clock: TurnableClock) -> None:
    tenant = await make_tenant(services, expires_after=timedelta(minutes=30), idle_after=timedelta(minutes=5))
    expiring, idling = await receive(services, tenant), await receive(services, tenant)
    await answer(services, tenant, idling)
    async with services.database.owner(tenant.owner_id) as connection:
        changed = tenant.owner.model_copy(
            update={"expires_after": timedelta(days=9), "idle_after": timedelta(days=9)}
        )
        await OwnerRepository(connection).save(changed)

    clock.turn(minutes=5)
    await services.timeouts.sweep()
    idle = await status_of(services, tenant, idling)
    clock.turn(minutes=25)
    await services.timeouts.sweep()

    assert idle is ConversationStatus.IDLE_TIMEOUT
    assert await status_of(services, tenant, expiring) is ConversationStatus.EXPIRED


async def test_sweep_and_answer_at_once_leave_one_of_both(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    customer = some_number()
    conv_id = await receive(services, acme, customer)
    await answer(services, acme, conv_id)
    clock.turn(minutes=60)

    await asyncio.gather(services.timeouts.sweep(), receive(services, acme, customer))

    former, new = await conversations_of(services, acme)
    assert (former.conv_id, former.status) == (conv_id, ConversationStatus.IDLE_TIMEOUT)
    assert (new.previous_conv_id, new.status) == (conv_id, ConversationStatus.PENDING)
    assert (await event_types(services, acme, conv_id)).count("conversation.closed") == 1
