"""Receiving what customers write."""

import asyncio
from datetime import timedelta

import pytest

from conftest import TurnableClock
from factories import Tenant, make_inbound, make_tenant, some_number, some_sid
from fakes import FakeGateway
from owner.models.conversation import PENDING_CLOSURE
from owner.models.conversation_dtos import ConversationClose
from owner.models.conversation_query import ConversationQuery
from owner.models.enums import ActorKind, ConversationStatus, MessageOwner, MessageType
from owner.models.event import Actor
from owner.models.message import Attachment, MessageCreate
from owner.models.owner import ClosureSettings, OwnerTexts
from owner.services.catalog import Services
from owner.services.inbound import Receipt
from reading import address_of, conversations_of, event_types, events_of, messages_of, rows

PERSON = Actor(ActorKind.USER)
MAYBE_DONE = "obrigado"  # between the thresholds, after an answer


async def receive(services: Services, tenant: Tenant, content: str = "Oi", **changes: object) -> Receipt:
    inbound = make_inbound(tenant, content, **changes)  # type: ignore[arg-type]
    return await services.inbound.receive(
        inbound, owner=tenant.owner, twilio_account_id=tenant.account.twilio_account_id
    )


async def answer(services: Services, tenant: Tenant, conv_id: int | None, content: str = "Pronto!") -> None:
    assert conv_id is not None
    create = MessageCreate(content=content)
    await services.messages.send(tenant.owner_id, conv_id, create, by=PERSON)


async def closed_by_customer(services: Services, tenant: Tenant, customer: str) -> int:
    """A conversation that the customer's own words have just closed."""
    receipt = await receive(services, tenant, "Meu pedido chegou?", customer=customer)
    await answer(services, tenant, receipt.conv_id, "Chegou sim.")
    receipt = await receive(services, tenant, "pode encerrar, obrigado", customer=customer)
    assert (receipt.status, receipt.conv_id is not None) == (ConversationStatus.USER_CLOSED, True)
    return receipt.conv_id or 0


async def test_a_first_message_opens_a_pending_conversation(services: Services, acme: Tenant) -> None:
    receipt = await receive(services, acme, customer=some_number())

    assert receipt.status is ConversationStatus.PENDING


async def test_what_happened_is_told_with_who_did_it_in_the_same_transaction(
    services: Services, acme: Tenant
) -> None:
    receipt = await receive(services, acme, customer=some_number())
    await answer(services, acme, receipt.conv_id)

    events = await events_of(services, acme, receipt.conv_id or 0)

    assert [(event.type, event.actor_kind, event.msg_id is not None) for event in events] == [
        ("conversation.opened", ActorKind.CUSTOMER, False),
        ("message.received", ActorKind.CUSTOMER, True),
        ("conversation.status_changed", ActorKind.USER, False),
        ("message.queued", ActorKind.USER, True),
    ]
    found = await rows(
        services,
        acme,
        "SELECT count(DISTINCT events.xid) FROM events JOIN messages ON events.xid::text::bigint % (1::bigint << 32)"
        " = messages.xmin::text::bigint WHERE direction = 'INBOUND'",
    )
    assert found[0]["count"] == 1


async def test_fifty_parallel_deliveries_of_ten_messages_are_ten_messages_in_one_conversation(
    services: Services, acme: Tenant
) -> None:
    customer = some_number()
    messages = [make_inbound(acme, f"número {number}", customer=customer) for number in range(10)] * 5

    receipts = await asyncio.gather(
        *(
            services.inbound.receive(
                message, owner=acme.owner, twilio_account_id=acme.account.twilio_account_id
            )
            for message in messages
        )
    )

    assert len({receipt.msg_id for receipt in receipts}) == 10
    assert sum(not receipt.is_duplicate for receipt in receipts) == 10
    page = await services.conversations.list_page(acme.owner_id, ConversationQuery(limit=100))
    assert len(page.items) == 1
    thread, _ = await services.messages.list_page(acme.owner_id, page.items[0].conv_id, limit=100)
    assert [message.seq for message in thread.items] == list(range(1, 11))


async def test_two_messages_of_one_file_each_are_fetched_once_each(services: Services, acme: Tenant) -> None:
    customer, files = some_number(), [Attachment(url="https://a.example/1", content_type="image/png")]
    inbound = make_inbound(acme, "", customer=customer, attachments=files)

    for _ in range(2):
        await services.inbound.receive(
            inbound, owner=acme.owner, twilio_account_id=acme.account.twilio_account_id
        )

    assert len(await rows(services, acme, "SELECT FROM media")) == 1


@pytest.mark.parametrize("word", ["STOP", "END", "CANCEL", "SAIR", " Parar! ", "baja."])
async def test_a_word_that_opts_out_does_so_and_closes_nothing(
    services: Services, acme: Tenant, word: str
) -> None:
    customer = some_number()
    first = await receive(services, acme, customer=customer)
    await answer(services, acme, first.conv_id)

    receipt = await receive(services, acme, word, customer=customer)

    assert (receipt.conv_id, receipt.status) == (first.conv_id, ConversationStatus.PROGRESS)
    address = await address_of(services, acme)
    assert address.is_opted_out
    assert address.opt_out_evidence is not None
    assert address.opt_out_evidence["msg_id"] == receipt.msg_id
    assert (await event_types(services, acme, first.conv_id or 0)).count("contact.opted_out") == 1


async def test_an_owners_own_word_opts_out(services: Services) -> None:
    tenant = await make_tenant(services, opt_out_words=["descadastrar"])

    await receive(services, tenant, "Descadastrar", customer=some_number())

    assert (await address_of(services, tenant)).is_opted_out


async def test_the_providers_verdict_opts_out_whatever_the_words(services: Services, acme: Tenant) -> None:
    await receive(services, acme, "no more please", customer=some_number(), opt_out_type="STOP")

    address = await address_of(services, acme)
    assert address.is_opted_out
    assert (address.opt_out_evidence or {})["by"] == "provider"


async def test_an_order_to_cancel_neither_opts_out_nor_closes(services: Services, acme: Tenant) -> None:
    customer = some_number()
    first = await receive(services, acme, customer=customer)
    await answer(services, acme, first.conv_id, "Em que posso ajudar?")

    receipt = await receive(services, acme, "cancelar meu pedido", customer=customer)

    assert receipt.status is ConversationStatus.PROGRESS
    assert not (await address_of(services, acme)).is_opted_out


async def test_only_who_is_opted_out_is_opted_in_by_a_yes(services: Services, acme: Tenant) -> None:
    customer = some_number()
    await receive(services, acme, "YES", customer=customer)
    ordinary = await address_of(services, acme)
    await receive(services, acme, "STOP", customer=customer)

    receipt = await receive(services, acme, "YES", customer=customer)

    assert not ordinary.is_opted_out
    address = await address_of(services, acme)
    assert (address.is_opted_out, address.opt_out_evidence) == (False, None)
    types = await event_types(services, acme, receipt.conv_id or 0)
    assert (types.count("contact.opted_out"), types.count("contact.opted_in")) == (1, 1)


async def test_a_customer_who_takes_their_leave_closes_with_evidence(
    services: Services, acme: Tenant
) -> None:
    conv_id = await closed_by_customer(services, acme, some_number())

    conversation = await services.conversations.get(acme.owner_id, conv_id)
    assert (conversation.status, conversation.closed_by) == (
        ConversationStatus.USER_CLOSED,
        ActorKind.DETECTOR,
    )
    closed = (await events_of(services, acme, conv_id))[-1]
    assert (closed.type, closed.actor_kind) == ("conversation.closed", ActorKind.DETECTOR)
    evidence = closed.data["closure"]
    assert evidence["confidence"] >= 0.8
    assert evidence["signals"]
    assert evidence["detector_version"]
    said = await messages_of(services, acme, conv_id)
    assert evidence["msg_id"] == said[-1].msg_id


async def test_a_thanks_after_the_end_is_kept_there_and_wakes_nobody(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    customer = some_number()
    conv_id = await closed_by_customer(services, acme, customer)
    clock.turn(minutes=2)

    receipt = await receive(services, acme, "obrigado!", customer=customer)

    assert (receipt.conv_id, receipt.status) == (conv_id, ConversationStatus.USER_CLOSED)
    last = (await messages_of(services, acme, conv_id))[-1]
    assert (last.msg_id, last.is_after_closure) == (receipt.msg_id, True)
    assert len(await conversations_of(services, acme)) == 1


async def test_a_thanks_with_a_file_is_no_goodbye(services: Services, acme: Tenant) -> None:
    customer = some_number()
    conv_id = await closed_by_customer(services, acme, customer)

    receipt = await receive(
        services,
        acme,
        "obrigado",
        customer=customer,
        attachments=[Attachment(url="https://a.example/b", content_type="image/png")],
    )

    assert (receipt.conv_id, (await messages_of(services, acme, conv_id))[-1].is_after_closure) == (
        conv_id,
        False,
    )


async def test_what_the_customer_adds_in_time_undoes_the_end_that_a_machine_read(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    customer = some_number()
    conv_id = await closed_by_customer(services, acme, customer)
    clock.turn(minutes=9)

    receipt = await receive(services, acme, "Espera, e a nota fiscal?", customer=customer)

    assert (receipt.conv_id, receipt.status) == (conv_id, ConversationStatus.PROGRESS)
    assert "conversation.reopened" in await event_types(services, acme, conv_id)
    reopened = await services.conversations.get(acme.owner_id, conv_id)
    assert (reopened.closed_at, reopened.closed_by, reopened.idle_at) == (None, None, None)


async def test_what_the_customer_adds_too_late_opens_a_new_conversation_linked_to_the_former(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    customer = some_number()
    conv_id = await closed_by_customer(services, acme, customer)
    clock.turn(minutes=11)

    receipt = await receive(services, acme, "Espera, e a nota fiscal?", customer=customer)

    former, new = await conversations_of(services, acme)
    assert (former.conv_id, former.status) == (conv_id, ConversationStatus.USER_CLOSED)
    assert (new.conv_id, new.previous_conv_id, new.status) == (
        receipt.conv_id,
        conv_id,
        ConversationStatus.PENDING,
    )


async def test_what_an_agent_closed_stays_closed(services: Services, acme: Tenant) -> None:
    customer = some_number()
    first = await receive(services, acme, customer=customer)
    await services.conversations.close(acme.owner_id, first.conv_id or 0, ConversationClose(), by=PERSON)

    receipt = await receive(services, acme, "Mais uma coisa", customer=customer)

    former, new = await conversations_of(services, acme)
    assert former.status is ConversationStatus.AGENT_CLOSED
    assert (new.conv_id, new.previous_conv_id) == (receipt.conv_id, former.conv_id)


@pytest.mark.parametrize(
    ("away", "ended_as"),
    [
        (timedelta(minutes=61), ConversationStatus.IDLE_TIMEOUT),
        (timedelta(hours=25), ConversationStatus.IDLE_TIMEOUT),
    ],
)
async def test_a_conversation_whose_time_is_over_ends_before_the_next_message_even_without_a_sweep(
    services: Services, acme: Tenant, clock: TurnableClock, away: timedelta, ended_as: ConversationStatus
) -> None:
    customer = some_number()
    first = await receive(services, acme, customer=customer)
    await answer(services, acme, first.conv_id)
    clock.ahead += away

    receipt = await receive(services, acme, "Voltei, e o frete?", customer=customer)

    former, new = await conversations_of(services, acme)
    assert (former.conv_id, former.status, former.closed_by) == (first.conv_id, ended_as, ActorKind.TIMER)
    assert (new.conv_id, new.status) == (receipt.conv_id, ConversationStatus.PENDING)
    assert (await event_types(services, acme, former.conv_id))[-1] == "conversation.closed"


async def test_a_thanks_that_comes_when_the_time_is_just_over_opens_nothing(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    customer = some_number()
    first = await receive(services, acme, customer=customer)
    await answer(services, acme, first.conv_id)
    clock.turn(minutes=61)

    receipt = await receive(services, acme, "obrigado!", customer=customer)

    assert (receipt.conv_id, receipt.status) == (first.conv_id, ConversationStatus.IDLE_TIMEOUT)


async def test_a_customer_who_waits_is_never_idle(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    customer = some_number()
    first = await receive(services, acme, customer=customer)
    clock.turn(hours=23)

    receipt = await receive(services, acme, "Alguém aí?", customer=customer)

    assert (receipt.conv_id, receipt.status) == (first.conv_id, ConversationStatus.PENDING)


async def maybe_done(services: Services, tenant: Tenant, customer: str, **changes: object) -> Receipt:
    """A message after which the detector is neither sure nor unsure."""
    first = await receive(services, tenant, "Meu pedido chegou?", customer=customer, **changes)
    await answer(services, tenant, first.conv_id, "Chegou ontem, às dez horas.")
    receipt = await receive(services, tenant, MAYBE_DONE, customer=customer, **changes)
    assert receipt.score is not None
    assert 0 < receipt.score.confidence < 1
    return receipt


def unsure(**changes: object) -> ClosureSettings:
    """Thresholds between which every hint of an end lies."""
    return ClosureSettings.model_validate({"confirm_at": 0.01, "close_at": 0.999, **changes})


async def test_a_likely_end_is_noted_and_nobody_is_asked_unless_the_owner_wants_it(
    services: Services, gateway: FakeGateway
) -> None:
    tenant = await make_tenant(services, closure=unsure())

    receipt = await maybe_done(services, tenant, some_number())

    conversation = await services.conversations.get(tenant.owner_id, receipt.conv_id or 0)
    assert conversation.status is ConversationStatus.PROGRESS
    assert conversation.context[PENDING_CLOSURE]["asked"] is False
    suspected = (await events_of(services, tenant, conversation.conv_id))[-1]
    assert (suspected.type, suspected.actor_kind) == ("closure.suspected", ActorKind.DETECTOR)
    said = await messages_of(services, tenant, conversation.conv_id)
    assert MessageOwner.SYSTEM not in {message.message_owner for message in said}


@pytest.mark.parametrize(
    ("reply", "status"),
    [("sim", ConversationStatus.USER_CLOSED), ("não, falta a nota", ConversationStatus.PROGRESS)],
)
async def test_the_customer_who_is_asked_decides(
    services: Services, reply: str, status: ConversationStatus
) -> None:
    tenant, customer = await make_tenant(services, closure=unsure(ask=True)), some_number()
    asked = await maybe_done(services, tenant, customer)
    conv_id = asked.conv_id or 0
    question = (await messages_of(services, tenant, conv_id))[-1]

    receipt = await receive(services, tenant, reply, customer=customer)

    assert (question.message_owner, question.content) == (
        MessageOwner.SYSTEM,
        "Posso encerrar o atendimento?",
    )
    assert (receipt.conv_id, receipt.status) == (conv_id, status)
    conversation = await services.conversations.get(tenant.owner_id, conv_id)
    assert PENDING_CLOSURE not in conversation.context
    types = await event_types(services, tenant, conv_id)
    assert ("closure.cleared" in types) == (status is ConversationStatus.PROGRESS)


async def test_the_customer_is_asked_in_the_language_that_they_write(services: Services) -> None:
    tenant, customer = await make_tenant(services, closure=unsure(ask=True)), some_number()
    await receive(services, tenant, "Hello, where is my order?", customer=customer)
    conversation = (await conversations_of(services, tenant))[0]
    await answer(services, tenant, conversation.conv_id, "It arrives today.")

    await receive(services, tenant, "Thank you so much for the help", customer=customer)

    question = (await messages_of(services, tenant, conversation.conv_id))[-1]
    assert question.content == "May I close this conversation?"


async def test_on_whatsapp_the_owner_s_buttons_ask(services: Services) -> None:
    content_sid = "HX" + "0" * 32
    tenant = await make_tenant(
        services, closure=unsure(ask=True), texts=OwnerTexts(asking_content_sid=content_sid)
    )

    asked = await maybe_done(services, tenant, f"whatsapp:{some_number()}", to=tenant.whatsapp)

    question = (await messages_of(services, tenant, asked.conv_id or 0))[-1]
    assert (question.message_type, question.content_sid) == (MessageType.TEMPLATE, content_sid)


async def test_a_question_that_nobody_answered_for_long_is_no_question_any_more(
    services: Services, clock: TurnableClock
) -> None:
    tenant, customer = await make_tenant(services, closure=unsure(ask=True)), some_number()
    tenant.owner.idle_after = timedelta(hours=10)
    asked = await maybe_done(services, tenant, customer)
    clock.turn(minutes=62)

    receipt = await receive(services, tenant, "E o frete, quanto foi?", customer=customer)

    assert (receipt.conv_id, receipt.status) == (asked.conv_id, ConversationStatus.PROGRESS)
    [cleared] = [
        event
        for event in await events_of(services, tenant, asked.conv_id or 0)
        if event.type == "closure.cleared"
    ]
    assert cleared.data == {"outcome": "lapsed"}


async def test_in_shadow_mode_the_detector_tells_and_does_nothing(services: Services) -> None:
    tenant, customer = await make_tenant(services, closure=ClosureSettings(shadow=True)), some_number()
    first = await receive(services, tenant, "Meu pedido chegou?", customer=customer)
    await answer(services, tenant, first.conv_id, "Chegou sim.")

    receipt = await receive(services, tenant, "pode encerrar, obrigado", customer=customer)

    assert receipt.status is ConversationStatus.PROGRESS
    shadowed = (await events_of(services, tenant, receipt.conv_id or 0))[-1]
    assert (shadowed.type, shadowed.msg_id, shadowed.data["decision"]) == (
        "closure.shadowed",
        receipt.msg_id,
        "CLOSE",
    )


async def test_a_person_with_and_without_the_ninth_digit_is_one_and_is_answered_as_they_last_wrote(
    services: Services, acme: Tenant, gateway: FakeGateway
) -> None:
    with_it, without = "whatsapp:+5511987650001", "whatsapp:+551187650001"

    first = await receive(services, acme, customer=with_it, to=acme.whatsapp)
    second = await receive(services, acme, customer=without, to=acme.whatsapp)
    await answer(services, acme, second.conv_id)
    await services.deliveries.deliver(acme.owner_id, second.conv_id or 0)

    assert first.conv_id == second.conv_id
    assert gateway.sent_to(without) == ["Pronto!"]
    assert len(await rows(services, acme, "SELECT FROM contacts")) == 1


async def test_a_person_who_comes_by_sms_and_then_by_whatsapp_is_one_contact_with_two_conversations(
    services: Services, acme: Tenant
) -> None:
    number = some_number()

    sms = await receive(services, acme, customer=number)
    whatsapp = await receive(services, acme, customer=f"whatsapp:{number}", to=acme.whatsapp)

    assert sms.conv_id != whatsapp.conv_id
    assert len({conversation.contact_id for conversation in await conversations_of(services, acme)}) == 1
    assert len(await rows(services, acme, "SELECT FROM contacts")) == 1


async def test_whoever_opts_out_on_one_channel_is_still_reached_on_the_other(
    services: Services, acme: Tenant
) -> None:
    number = some_number()
    await receive(services, acme, "STOP", customer=number)

    whatsapp = await receive(services, acme, customer=f"whatsapp:{number}", to=acme.whatsapp)
    await answer(services, acme, whatsapp.conv_id)

    assert not (await address_of(services, acme, "WHATSAPP")).is_opted_out


async def test_first_messages_over_two_channels_at_once_are_one_contact_s(
    services: Services, acme: Tenant
) -> None:
    number = some_number()

    receipts = await asyncio.gather(
        receive(services, acme, customer=number),
        receive(services, acme, customer=f"whatsapp:{number}", to=acme.whatsapp),
        receive(services, acme, customer=number, provider_sid=some_sid()),
    )

    assert len({receipt.msg_id for receipt in receipts}) == 3
    assert len(await rows(services, acme, "SELECT FROM contacts")) == 1
