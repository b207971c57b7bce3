"""Opening, finding, closing and extending conversations."""

import asyncio
from datetime import timedelta

import pytest

from conftest import TurnableClock
from factories import Tenant, make_inbound, some_number
from owner.models.conversation_dtos import ConversationClose, ConversationCreate
from owner.models.conversation_query import ConversationQuery
from owner.models.enums import ActorKind, Channel, ConversationStatus
from owner.models.errors import (
    ConversationClosed,
    ConversationNotFound,
    InvalidAddress,
    InvalidCursor,
    InvalidTransition,
    SenderUnknown,
)
from owner.models.event import Actor
from owner.services.catalog import Services
from reading import conversations_of, event_types, messages_of

PERSON = Actor(ActorKind.USER)
CLOSE = ConversationClose()


async def inbound_conversation(services: Services, tenant: Tenant, customer: str | None = None) -> int:
    receipt = await services.inbound.receive(
        make_inbound(tenant, customer=customer or some_number()),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    assert receipt.conv_id is not None
    return receipt.conv_id


def sms_to(customer: str, **changes: object) -> ConversationCreate:
    return ConversationCreate.model_validate(
        {"channel": Channel.SMS, "customer_address": customer, **changes}
    )


async def test_twenty_who_open_a_conversation_at_once_get_the_same_one(
    services: Services, acme: Tenant
) -> None:
    create = sms_to(some_number())

    found = await asyncio.gather(
        *(services.conversations.create_or_get(acme.owner_id, create, by=PERSON) for _ in range(20))
    )

    assert len({conversation.conv_id for conversation, _ in found}) == 1
    assert sum(is_new for _, is_new in found) == 1
    assert len(await conversations_of(services, acme)) == 1


async def test_a_conversation_that_we_open_is_in_progress_and_one_of_the_customers_is_found(
    services: Services, acme: Tenant
) -> None:
    customer = some_number()
    theirs = await inbound_conversation(services, acme, customer)

    found, is_new = await services.conversations.create_or_get(acme.owner_id, sms_to(customer), by=PERSON)
    ours, _ = await services.conversations.create_or_get(acme.owner_id, sms_to(some_number()), by=PERSON)

    assert (found.conv_id, is_new, found.status) == (theirs, False, ConversationStatus.PENDING)
    assert ours.status is ConversationStatus.PROGRESS


async def test_a_conversation_whose_time_is_over_is_not_found_but_followed(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    create = sms_to(some_number())
    first, _ = await services.conversations.create_or_get(acme.owner_id, create, by=PERSON)
    clock.turn(minutes=61)

    second, is_new = await services.conversations.create_or_get(acme.owner_id, create, by=PERSON)

    assert (is_new, second.previous_conv_id) == (True, first.conv_id)
    former = await services.conversations.get(acme.owner_id, first.conv_id)
    assert former.status is ConversationStatus.IDLE_TIMEOUT


async def test_the_sender_must_be_one_of_ours_and_be_named_where_there_are_several(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    for create in (
        sms_to(some_number(), our_address=globex.sms),
        ConversationCreate(channel=Channel.MESSENGER, customer_address="messenger:1"),
    ):
        with pytest.raises(SenderUnknown):
            await services.conversations.create_or_get(acme.owner_id, create, by=PERSON)

    named, _ = await services.conversations.create_or_get(
        acme.owner_id, sms_to(some_number(), our_address=acme.sms), by=PERSON
    )

    assert named.our_address == acme.sms


async def test_an_address_of_another_channel_is_refused(services: Services, acme: Tenant) -> None:
    with pytest.raises(InvalidAddress):
        await services.conversations.create_or_get(
            acme.owner_id, sms_to("whatsapp:+5511987654321"), by=PERSON
        )


async def test_closing_twice_is_refused_and_names_both_states(services: Services, acme: Tenant) -> None:
    conv_id = await inbound_conversation(services, acme)
    await services.conversations.close(acme.owner_id, conv_id, CLOSE, by=PERSON)
    before = await event_types(services, acme, conv_id)

    with pytest.raises(InvalidTransition) as refusal:
        await services.conversations.close(
            acme.owner_id, conv_id, ConversationClose(status=ConversationStatus.SUPPORT_CLOSED), by=PERSON
        )

    assert "AGENT_CLOSED" in refusal.value.message
    assert "SUPPORT_CLOSED" in refusal.value.message
    assert await event_types(services, acme, conv_id) == before


async def test_ten_who_close_at_once_close_once(services: Services, acme: Tenant) -> None:
    conv_id = await inbound_conversation(services, acme)

    outcomes = await asyncio.gather(
        *(services.conversations.close(acme.owner_id, conv_id, CLOSE, by=PERSON) for _ in range(10)),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, InvalidTransition) for outcome in outcomes) == 9
    assert (await event_types(services, acme, conv_id)).count("conversation.closed") == 1


async def test_closing_what_is_over_already_is_refused_and_the_time_out_stays(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    conv_id = await inbound_conversation(services, acme)
    clock.turn(hours=24)

    with pytest.raises(InvalidTransition):
        await services.conversations.close(acme.owner_id, conv_id, CLOSE, by=PERSON)

    assert (await services.conversations.get(acme.owner_id, conv_id)).status is ConversationStatus.EXPIRED


async def test_an_extended_conversation_lives_longer(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    conv_id = await inbound_conversation(services, acme)
    before = await services.conversations.get(acme.owner_id, conv_id)

    after = await services.conversations.extend(acme.owner_id, conv_id, by_time=timedelta(hours=2), by=PERSON)
    clock.turn(hours=25)
    await services.timeouts.sweep()

    assert after.expires_at == before.expires_at + timedelta(hours=2)
    assert (await services.conversations.get(acme.owner_id, conv_id)).is_open
    assert "conversation.extended" in await event_types(services, acme, conv_id)


async def test_a_closed_conversation_is_not_extended(services: Services, acme: Tenant) -> None:
    conv_id = await inbound_conversation(services, acme)
    await services.conversations.close(acme.owner_id, conv_id, CLOSE, by=PERSON)

    with pytest.raises(ConversationClosed):
        await services.conversations.extend(acme.owner_id, conv_id, by_time=timedelta(hours=1), by=PERSON)


async def test_a_list_read_page_by_page_is_complete_and_without_doubles_while_it_grows(
    services: Services, acme: Tenant
) -> None:
    made = [await inbound_conversation(services, acme) for _ in range(7)]

    seen: list[int] = []
    cursor = None
    while True:
        page = await services.conversations.list_page(
            acme.owner_id, ConversationQuery(limit=2, cursor=cursor)
        )
        seen += [conversation.conv_id for conversation in page.items]
        await inbound_conversation(services, acme)
        cursor = page.next_cursor
        if cursor is None:
            break

    assert seen == sorted(made, reverse=True)


async def test_a_list_can_be_narrowed(services: Services, acme: Tenant) -> None:
    open_one, closed_one = [await inbound_conversation(services, acme) for _ in range(2)]
    await services.conversations.close(acme.owner_id, closed_one, CLOSE, by=PERSON)

    page = await services.conversations.list_page(
        acme.owner_id, ConversationQuery(status=[ConversationStatus.PENDING], channel=Channel.SMS, limit=10)
    )
    none = await services.conversations.list_page(
        acme.owner_id, ConversationQuery(channel=Channel.WHATSAPP, limit=10)
    )

    assert [conversation.conv_id for conversation in page.items] == [open_one]
    assert (list(none.items), none.next_cursor) == ([], None)


async def test_a_changed_cursor_or_one_of_another_list_is_refused(services: Services, acme: Tenant) -> None:
    first, _ = [await inbound_conversation(services, acme) for _ in range(2)]
    page = await services.conversations.list_page(acme.owner_id, ConversationQuery(limit=1))
    assert page.next_cursor is not None
    changed = ("A" if page.next_cursor[0] != "A" else "B") + page.next_cursor[1:]

    for cursor in (changed, page.next_cursor[:-2], ""):
        with pytest.raises(InvalidCursor):
            await services.conversations.list_page(acme.owner_id, ConversationQuery(limit=1, cursor=cursor))
    with pytest.raises(InvalidCursor):
        await services.conversations.history(acme.owner_id, first, limit=1, cursor=page.next_cursor)


async def test_another_owners_conversation_is_not_there(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    conv_id = await inbound_conversation(services, acme)

    with pytest.raises(ConversationNotFound):
        await services.conversations.close(globex.owner_id, conv_id, CLOSE, by=PERSON)


async def test_closing_and_writing_at_once_leave_no_message_in_a_closed_conversation(
    services: Services, acme: Tenant
) -> None:
    for _ in range(5):
        customer = some_number()
        conv_id = await inbound_conversation(services, acme, customer)

        await asyncio.gather(
            services.conversations.close(acme.owner_id, conv_id, CLOSE, by=PERSON),
            *(inbound_conversation(services, acme, customer) for _ in range(6)),
        )

        closed = await services.conversations.get(acme.owner_id, conv_id)
        followed = [
            conversation
            for conversation in await conversations_of(services, acme)
            if conversation.customer_address == customer and conversation.conv_id != conv_id
        ]
        before = await messages_of(services, acme, conv_id)
        after = [await messages_of(services, acme, conversation.conv_id) for conversation in followed]
        types = await event_types(services, acme, conv_id)
        assert closed.status is ConversationStatus.AGENT_CLOSED
        assert types[-1] == "conversation.closed"
        assert types.count("message.received") == len(before)
        assert len(before) + sum(map(len, after)) == 7
        assert [conversation.previous_conv_id for conversation in followed] == [conv_id] * min(
            len(followed), 1
        )
