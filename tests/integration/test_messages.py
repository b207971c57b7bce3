"""Writing to customers: what is checked before a message is stored, and what moves the timers."""

from datetime import UTC, datetime, timedelta

import pytest

from conftest import TurnableClock
from factories import Tenant, make_inbound, some_number
from fakes import FakeGateway
from owner.models.conversation_dtos import ConversationClose
from owner.models.enums import ActorKind, ConversationStatus, DeliveryStatus, MessageOwner
from owner.models.errors import ContactOptedOut, ConversationClosed, InvalidCursor, ReplyWindowClosed
from owner.models.event import Actor
from owner.models.message import Message, MessageCreate, StatusCallback
from owner.repositories.ai_results import AIResultRepository
from owner.repositories.directory import Directory
from owner.services.catalog import Services
from reading import messages_of, rows

PERSON = Actor(ActorKind.USER)
TEMPLATE = MessageCreate(content_sid="HX" + "0" * 32, content_variables={"1": "Ana"})
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def receive(
    services: Services, tenant: Tenant, content: str = "Oi", *, customer: str, to: str | None = None
) -> int:
    receipt = await services.inbound.receive(
        make_inbound(tenant, content, customer=customer, to=to),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    assert receipt.conv_id is not None
    return receipt.conv_id


async def send(
    services: Services, tenant: Tenant, conv_id: int, create: MessageCreate | str = "Olá!"
) -> Message:
    wanted = MessageCreate(content=create) if isinstance(create, str) else create
    return await services.messages.send(tenant.owner_id, conv_id, wanted, by=PERSON)


async def test_a_message_is_stored_for_workers_to_find_and_the_first_answer_begins_the_work(
    services: Services, acme: Tenant
) -> None:
    conv_id = await receive(services, acme, customer=some_number())

    message = await send(services, acme, conv_id)

    conversation = await services.conversations.get(acme.owner_id, conv_id)
    assert (message.delivery_status, message.seq) == (DeliveryStatus.QUEUED, 2)
    assert conversation.status is ConversationStatus.PROGRESS
    assert conversation.first_response_at is not None
    async with services.database.system() as connection:
        due = await Directory(connection).due_sends(
            now=services.twilio.clock.now(), resting_accounts=[], of_sender=10_000, limit=10_000
        )
    assert (acme.owner_id, conv_id) in due


async def test_nothing_is_written_to_who_opted_out_not_even_a_template(
    services: Services, acme: Tenant
) -> None:
    conv_id = await receive(services, acme, "STOP", customer=some_number())

    for create in (MessageCreate(content="Olá"), TEMPLATE):
        with pytest.raises(ContactOptedOut):
            await send(services, acme, conv_id, create)

    assert len(await messages_of(services, acme, conv_id)) == 1


async def test_nothing_is_written_to_a_closed_conversation(services: Services, acme: Tenant) -> None:
    conv_id = await receive(services, acme, customer=some_number())
    await services.conversations.close(acme.owner_id, conv_id, ConversationClose(), by=PERSON)

    with pytest.raises(ConversationClosed):
        await send(services, acme, conv_id)


async def test_a_conversation_whose_time_is_over_refuses_and_stays_over(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    conv_id = await receive(services, acme, customer=some_number())
    clock.turn(hours=24)

    with pytest.raises(ConversationClosed):
        await send(services, acme, conv_id)

    assert (await services.conversations.get(acme.owner_id, conv_id)).status is ConversationStatus.EXPIRED


async def test_whatsapp_takes_free_text_until_a_day_after_the_customers_last_message(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    clock.frozen_at = NOON
    conv_id = await receive(services, acme, customer=f"whatsapp:{some_number()}", to=acme.whatsapp)
    await services.conversations.extend(acme.owner_id, conv_id, by_time=timedelta(days=1), by=PERSON)

    clock.frozen_at = NOON + timedelta(hours=23, minutes=59, seconds=59)
    in_time = await send(services, acme, conv_id)
    clock.frozen_at = NOON + timedelta(hours=24)
    with pytest.raises(ReplyWindowClosed):
        await send(services, acme, conv_id)
    template = await send(services, acme, conv_id, TEMPLATE)

    assert in_time.delivery_status is DeliveryStatus.QUEUED
    assert (template.message_type, template.content_variables) == ("TEMPLATE", {"1": "Ana"})


async def test_a_new_message_of_the_customer_opens_the_window_again(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    customer = f"whatsapp:{some_number()}"
    clock.frozen_at = NOON
    conv_id = await receive(services, acme, customer=customer, to=acme.whatsapp)
    await services.conversations.extend(acme.owner_id, conv_id, by_time=timedelta(days=3), by=PERSON)

    clock.frozen_at = NOON + timedelta(hours=30)
    await receive(services, acme, customer=customer, to=acme.whatsapp)
    message = await send(services, acme, conv_id)

    assert message.conv_id == conv_id


async def test_sms_knows_no_window(services: Services, acme: Tenant, clock: TurnableClock) -> None:
    clock.frozen_at = NOON
    conv_id = await receive(services, acme, customer=some_number())
    await services.conversations.extend(acme.owner_id, conv_id, by_time=timedelta(days=3), by=PERSON)
    clock.frozen_at = NOON + timedelta(hours=30)

    message = await send(services, acme, conv_id)

    assert message.conv_id == conv_id


async def test_callbacks_and_what_models_find_out_do_not_keep_a_conversation_alive(
    services: Services, acme: Tenant, clock: TurnableClock, gateway: FakeGateway
) -> None:
    conv_id = await receive(services, acme, customer=some_number())
    message = await send(services, acme, conv_id)
    before = await services.conversations.get(acme.owner_id, conv_id)
    clock.turn(minutes=30)

    await services.deliveries.deliver(acme.owner_id, conv_id)
    sid = gateway.taken[0][1].provider_sid
    for status in (DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.READ):
        await services.delivery_statuses.record(
            acme.owner_id, StatusCallback(provider_sid=sid, status=status)
        )
    async with services.database.owner(acme.owner_id) as connection:
        await AIResultRepository(connection).add(
            {"owner_id": acme.owner_id, "msg_id": message.msg_id, "result_json": {"mood": "good"}}
        )

    after = await services.conversations.get(acme.owner_id, conv_id)
    assert (after.idle_at, after.last_activity_at) == (before.idle_at, before.last_activity_at)


async def test_each_word_of_ours_gives_the_customer_the_whole_time_again(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    clock.frozen_at = NOON
    conv_id = await receive(services, acme, customer=some_number())
    await send(services, acme, conv_id)
    clock.frozen_at = NOON + timedelta(minutes=59)

    await send(services, acme, conv_id)

    conversation = await services.conversations.get(acme.owner_id, conv_id)
    assert conversation.idle_at == clock.frozen_at + timedelta(minutes=60)


async def test_the_products_own_words_are_no_answer(services: Services, acme: Tenant) -> None:
    conv_id = await receive(services, acme, customer=some_number())

    await send(services, acme, conv_id, MessageCreate(content="Já vamos!", message_owner=MessageOwner.SYSTEM))

    conversation = await services.conversations.get(acme.owner_id, conv_id)
    assert (conversation.status, conversation.idle_at) == (ConversationStatus.PENDING, None)


async def test_messages_are_read_page_by_page_in_the_order_of_the_conversation(
    services: Services, acme: Tenant
) -> None:
    customer = some_number()
    for number in range(5):
        conv_id = await receive(services, acme, f"número {number}", customer=customer)

    seen: list[int] = []
    cursor = None
    while True:
        page, _ = await services.messages.list_page(acme.owner_id, conv_id, limit=2, cursor=cursor)
        seen += [message.seq for message in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert seen == [1, 2, 3, 4, 5]
    with pytest.raises(InvalidCursor):
        await services.messages.list_page(acme.owner_id, conv_id, limit=2, cursor="AAAAAAA")


async def test_a_refused_message_leaves_no_trace(services: Services, acme: Tenant) -> None:
    conv_id = await receive(services, acme, "STOP", customer=some_number())
    before = await services.conversations.get(acme.owner_id, conv_id)

    with pytest.raises(ContactOptedOut):
        await send(services, acme, conv_id)

    assert await services.conversations.get(acme.owner_id, conv_id) == before
    assert len(await rows(services, acme, "SELECT FROM messages")) == 1
