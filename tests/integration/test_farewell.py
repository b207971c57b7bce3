"""What customers are told in the owner's words: goodbye when a conversation ends, and the question before."""

from datetime import timedelta

import pytest

from conftest import TurnableClock
from factories import Tenant, make_inbound, make_tenant, some_number
from fakes import FakeGateway
from owner.models.conversation import Conversation
from owner.models.conversation_dtos import ConversationClose, ConversationCreate
from owner.models.enums import ActorKind, Channel, ConversationStatus, DeliveryStatus, MessageOwner
from owner.models.errors import ConversationClosed, InvalidTransition
from owner.models.event import Actor
from owner.models.message import Message, MessageCreate
from owner.models.owner import ClosureSettings, OwnerTexts
from owner.services.catalog import Services
from owner.services.inbound import Receipt
from reading import conversations_of, event_types, messages_of, rows

PERSON = Actor(ActorKind.USER)
GOODBYE = "Obrigado pelo contato!"


@pytest.fixture
async def polite(services: Services) -> Tenant:
    """A company that says goodbye."""
    return await make_tenant(services, texts=OwnerTexts(closing=GOODBYE))


async def receive(
    services: Services, tenant: Tenant, content: str = "Oi", *, customer: str, to: str | None = None
) -> Receipt:
    return await services.inbound.receive(
        make_inbound(tenant, content, customer=customer, to=to),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )


async def in_progress(
    services: Services, tenant: Tenant, *, customer: str | None = None, to: str | None = None
) -> int:
    receipt = await receive(services, tenant, "Meu pedido chegou?", customer=customer or some_number(), to=to)
    assert receipt.conv_id is not None
    create = MessageCreate(content="Chegou sim.")
    await services.messages.send(tenant.owner_id, receipt.conv_id, create, by=PERSON)
    return receipt.conv_id


async def goodbyes(services: Services, tenant: Tenant, conv_id: int) -> list[Message]:
    return [
        message
        for message in await messages_of(services, tenant, conv_id)
        if message.message_owner is MessageOwner.SYSTEM
    ]


async def conversation_of(services: Services, tenant: Tenant, conv_id: int) -> Conversation:
    return await services.conversations.get(tenant.owner_id, conv_id)


async def close(
    services: Services,
    tenant: Tenant,
    conv_id: int,
    status: ConversationStatus = ConversationStatus.AGENT_CLOSED,
) -> None:
    await services.conversations.close(tenant.owner_id, conv_id, ConversationClose(status=status), by=PERSON)


@pytest.mark.parametrize(
    "status",
    [
        ConversationStatus.AGENT_CLOSED,
        ConversationStatus.SUPPORT_CLOSED,
        ConversationStatus.USER_CLOSED,
    ],
)
async def test_whoever_closes_the_customer_is_told_goodbye(
    services: Services, polite: Tenant, gateway: FakeGateway, status: ConversationStatus
) -> None:
    customer = some_number()
    conv_id = await in_progress(services, polite, customer=customer)
    before = await conversation_of(services, polite, conv_id)

    await close(services, polite, conv_id, status)
    await services.deliveries.deliver(polite.owner_id, conv_id)

    after = await conversation_of(services, polite, conv_id)
    [goodbye] = await goodbyes(services, polite, conv_id)
    assert (goodbye.content, goodbye.seq) == (GOODBYE, before.last_seq + 1)
    assert (after.status, after.last_seq) == (status, goodbye.seq)
    assert after.last_activity_at == before.last_activity_at
    assert gateway.sent_to(customer) == ["Chegou sim.", GOODBYE]
    types = await event_types(services, polite, conv_id)
    assert types.index("conversation.closed") == len(types) - 3  # before it: queued; after: both accepted
    assert types[-4] == "message.queued"


async def test_when_the_customer_is_done_goodbye_is_said_in_the_same_transaction(
    services: Services, polite: Tenant, gateway: FakeGateway
) -> None:
    customer = some_number()
    conv_id = await in_progress(services, polite, customer=customer)

    receipt = await receive(services, polite, "pode encerrar, obrigado", customer=customer)
    [row] = await rows(
        services,
        polite,
        "SELECT count(DISTINCT xmin::text) AS transactions FROM messages WHERE conv_id = $1 AND seq IN (3, 4)",
        conv_id,
    )
    await services.deliveries.deliver(polite.owner_id, conv_id)

    assert receipt.status is ConversationStatus.USER_CLOSED
    assert row["transactions"] == 1
    assert gateway.sent_to(customer) == ["Chegou sim.", GOODBYE]
    assert (await event_types(services, polite, conv_id))[-5:-2] == [
        "message.received",
        "message.queued",
        "conversation.closed",
    ]


async def test_goodbye_opens_nothing_and_the_customer_can_still_go_on(
    services: Services, polite: Tenant
) -> None:
    customer = some_number()
    conv_id = await in_progress(services, polite, customer=customer)
    await receive(services, polite, "pode encerrar, obrigado", customer=customer)

    thanks = await receive(services, polite, "obrigada!", customer=customer)
    more = await receive(services, polite, "esqueci: qual é o prazo da troca?", customer=customer)

    assert (thanks.conv_id, thanks.status) == (conv_id, ConversationStatus.USER_CLOSED)
    assert (more.conv_id, more.status) == (conv_id, ConversationStatus.PROGRESS)
    assert len(await conversations_of(services, polite)) == 1


async def test_idleness_and_age_say_goodbye_once(
    services: Services, polite: Tenant, clock: TurnableClock
) -> None:
    idle = await in_progress(services, polite)
    old = (await receive(services, polite, customer=some_number())).conv_id or 0

    for _ in range(2):
        clock.turn(hours=25)
        await services.timeouts.sweep()

    statuses = [(await conversation_of(services, polite, conv_id)).status for conv_id in (idle, old)]
    assert statuses == [ConversationStatus.IDLE_TIMEOUT, ConversationStatus.EXPIRED]
    for conv_id in (idle, old):
        assert [message.content for message in await goodbyes(services, polite, conv_id)] == [GOODBYE]


async def test_one_that_was_due_ends_with_goodbye_when_somebody_is_too_late(
    services: Services, polite: Tenant, clock: TurnableClock
) -> None:
    conv_id = await in_progress(services, polite)
    clock.turn(minutes=61)

    with pytest.raises(ConversationClosed):
        await services.messages.send(polite.owner_id, conv_id, MessageCreate(content="Oi?"), by=PERSON)
    with pytest.raises(InvalidTransition):
        await close(services, polite, conv_id)

    assert len(await goodbyes(services, polite, conv_id)) == 1


async def test_no_goodbye_crosses_what_begins_at_that_moment(
    services: Services, polite: Tenant, clock: TurnableClock
) -> None:
    customer, other = some_number(), some_number()
    theirs = await in_progress(services, polite, customer=customer)
    ours = await in_progress(services, polite, customer=other)
    clock.turn(minutes=61)

    await receive(services, polite, "Oi de novo", customer=customer)
    create = ConversationCreate(channel=Channel.SMS, customer_address=other)
    await services.conversations.create_or_get(polite.owner_id, create, by=PERSON)

    for conv_id in (theirs, ours):
        assert (await conversation_of(services, polite, conv_id)).status is ConversationStatus.IDLE_TIMEOUT
        assert await goodbyes(services, polite, conv_id) == []


async def test_what_failed_and_what_the_owner_has_no_words_for_ends_in_silence(
    services: Services, polite: Tenant, acme: Tenant
) -> None:
    failed = await in_progress(services, polite)
    wordless = await in_progress(services, acme)

    await close(services, polite, failed, ConversationStatus.FAILED)
    await close(services, acme, wordless)

    assert await goodbyes(services, polite, failed) == []
    assert await goodbyes(services, acme, wordless) == []


async def test_closing_twice_says_goodbye_once(services: Services, polite: Tenant) -> None:
    conv_id = await in_progress(services, polite)
    await close(services, polite, conv_id)

    with pytest.raises(InvalidTransition):
        await close(services, polite, conv_id)

    assert len(await goodbyes(services, polite, conv_id)) == 1


async def test_who_opted_out_or_can_not_be_written_to_is_told_nothing_and_the_end_stands(
    services: Services, polite: Tenant, clock: TurnableClock
) -> None:
    customer = some_number()
    opted_out = await in_progress(services, polite, customer=customer)
    await receive(services, polite, "STOP", customer=customer)
    polite.owner.expires_after = timedelta(days=3)
    beyond_window = (
        await receive(services, polite, customer=f"whatsapp:{some_number()}", to=polite.whatsapp)
    ).conv_id or 0

    await close(services, polite, opted_out)
    clock.turn(hours=25)
    await close(services, polite, beyond_window)

    for conv_id in (opted_out, beyond_window):
        assert (await conversation_of(services, polite, conv_id)).status is ConversationStatus.AGENT_CLOSED
        assert await goodbyes(services, polite, conv_id) == []


async def test_goodbye_waits_for_what_was_said_before(services: Services, polite: Tenant) -> None:
    conv_id = await in_progress(services, polite)

    await close(services, polite, conv_id)

    said = await messages_of(services, polite, conv_id)
    assert [(message.content, message.delivery_status) for message in said[1:]] == [
        ("Chegou sim.", DeliveryStatus.QUEUED),
        (GOODBYE, DeliveryStatus.QUEUED),
    ]


async def test_the_owners_question_takes_the_place_of_ours(services: Services) -> None:
    unsure = ClosureSettings(confirm_at=0.01, close_at=0.999, ask=True)
    tenant = await make_tenant(
        services, closure=unsure, texts=OwnerTexts(asking="Fechamos?", closing=GOODBYE)
    )
    customer = some_number()
    conv_id = await in_progress(services, tenant, customer=customer)

    await receive(services, tenant, "obrigado", customer=customer)
    await receive(services, tenant, "sim", customer=customer)

    assert [message.content for message in await goodbyes(services, tenant, conv_id)] == [
        "Fechamos?",
        GOODBYE,
    ]
