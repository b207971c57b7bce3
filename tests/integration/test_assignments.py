"""Who takes, gives and gives up conversations, and when a bot may write."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from calling import Api, calling
from factories import Tenant, some_number
from owner.models.conversation_dtos import (
    ConversationAssign,
    ConversationClose,
    ConversationCreate,
    ConversationHandoff,
)
from owner.models.enums import ActorKind, Channel, Handler, MessageOwner, UserRole
from owner.models.errors import (
    ConversationClosed,
    ConversationNotFound,
    Forbidden,
    InvalidInput,
    PermissionMissing,
)
from owner.models.event import Actor
from owner.models.message import MessageCreate
from owner.models.principal import Principal
from owner.models.user import UserUpdate
from owner.models.work_errors import AlreadyAssigned, HandledByPerson
from owner.services.catalog import Services
from reading import event_types, events_of
from working import a_customer_writes, a_program, make_person, run_jobs

ME = ConversationAssign()
BOT = ConversationHandoff(handler=Handler.BOT)
PERSON = ConversationHandoff(handler=Handler.PERSON, reason="The customer asks for a refund.")
AI_ANSWER = MessageCreate(content="Claro!", message_owner=MessageOwner.AI)


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    async with calling(services, acme.api_key) as program:
        yield program


async def test_an_agent_takes_a_free_conversation_and_gives_it_up(services: Services, acme: Tenant) -> None:
    agent, conv_id = await make_person(services, acme), await a_customer_writes(services, acme)

    taken = await services.assignments.assign(agent, conv_id, ME)
    given_up = await services.assignments.unassign(agent, conv_id)

    assert (taken.assignee_id, given_up.assignee_id) == (agent.user_id, None)
    assert taken.last_activity_at == given_up.last_activity_at
    assert (await event_types(services, acme, conv_id))[-2:] == [
        "conversation.assigned",
        "conversation.unassigned",
    ]


async def test_of_many_who_take_a_conversation_at_once_one_gets_it(services: Services, acme: Tenant) -> None:
    agents = [await make_person(services, acme) for _ in range(6)]
    conv_id = await a_customer_writes(services, acme)

    outcomes = await asyncio.gather(
        *(services.assignments.assign(agent, conv_id, ME) for agent in agents), return_exceptions=True
    )

    conversation = await services.conversations.get(acme.owner_id, conv_id)
    refusals = [outcome for outcome in outcomes if isinstance(outcome, AlreadyAssigned)]
    assert len(refusals) == 5
    assert {refusal.facts["assignee_id"] for refusal in refusals} == {conversation.assignee_id}
    assert (await event_types(services, acme, conv_id)).count("conversation.assigned") == 1


async def test_taking_what_one_has_and_giving_up_what_nobody_has_changes_nothing(
    services: Services, acme: Tenant
) -> None:
    agent, conv_id = await make_person(services, acme), await a_customer_writes(services, acme)
    await services.assignments.unassign(agent, conv_id)
    await services.assignments.assign(agent, conv_id, ME)
    before = await event_types(services, acme, conv_id)

    await services.assignments.assign(agent, conv_id, ME)

    assert await event_types(services, acme, conv_id) == before
    assert "conversation.unassigned" not in before


async def test_an_agent_neither_gives_to_others_nor_takes_from_them(services: Services, acme: Tenant) -> None:
    agent, other = [await make_person(services, acme) for _ in range(2)]
    conv_id = await a_customer_writes(services, acme)
    assert other.user_id is not None

    with pytest.raises(PermissionMissing) as giving:
        await services.assignments.assign(agent, conv_id, ConversationAssign(assignee_id=other.user_id))
    await services.assignments.assign(other, conv_id, ME)
    for taking in (
        services.assignments.unassign(agent, conv_id),
        services.assignments.hand_off(agent, conv_id, BOT),
    ):
        with pytest.raises(PermissionMissing):
            await taking

    assert giving.value.facts["permission"] == "conversations:supervise"
    assert (await services.conversations.get(acme.owner_id, conv_id)).assignee_id == other.user_id


@pytest.mark.parametrize("role", [UserRole.SUPPORT, UserRole.ADMIN, None])
async def test_supervisors_and_programs_give_to_others_and_take_from_them(
    services: Services, acme: Tenant, role: UserRole | None
) -> None:
    first, second = [await make_person(services, acme) for _ in range(2)]
    supervisor = await make_person(services, acme, role) if role else a_program(acme)
    conv_id = await a_customer_writes(services, acme)
    await services.assignments.assign(first, conv_id, ME)
    assert second.user_id is not None

    given = await services.assignments.assign(
        supervisor, conv_id, ConversationAssign(assignee_id=second.user_id)
    )
    taken = await services.assignments.unassign(supervisor, conv_id)

    assert (given.assignee_id, taken.assignee_id) == (second.user_id, None)
    assigned = [
        event for event in await events_of(services, acme, conv_id) if event.type.endswith(".assigned")
    ]
    assert assigned[-1].data == {"assignee_id": second.user_id, "assignee_from": first.user_id}


@pytest.mark.parametrize(
    ("role", "changes"),
    [
        (UserRole.VIEWER, {}),
        (UserRole.AGENT, {"is_active": False}),
        (UserRole.AGENT, {"password_hash": None}),
    ],
    ids=["who only reads", "who is deactivated", "who has not come yet"],
)
async def test_who_can_not_write_to_customers_gets_none(
    services: Services, acme: Tenant, role: UserRole, changes: dict[str, object]
) -> None:
    person = await make_person(services, acme, role, **changes)
    conv_id = await a_customer_writes(services, acme)
    assert person.user_id is not None

    with pytest.raises(InvalidInput) as refusal:
        await services.assignments.assign(
            a_program(acme), conv_id, ConversationAssign(assignee_id=person.user_id)
        )

    assert refusal.value.field == "assignee_id"


@pytest.mark.parametrize(
    "change", [UserUpdate(is_active=False), UserUpdate(role=UserRole.VIEWER)], ids=["shut out", "only reads"]
)
async def test_the_open_conversations_of_who_is_shut_out_go_back_to_nobody(
    services: Services, acme: Tenant, change: UserUpdate
) -> None:
    admin, agent = await make_person(services, acme, UserRole.ADMIN), await make_person(services, acme)
    still_open, closed = [await a_customer_writes(services, acme) for _ in range(2)]
    for conv_id in (still_open, closed):
        await services.assignments.assign(agent, conv_id, ME)
    await services.conversations.close_as(agent, closed, ConversationClose())
    assert agent.user_id is not None

    await services.users.update(admin, agent.user_id, change)
    for _ in range(2):  # a job may run twice
        await run_jobs(services, acme, "person_shut_out")

    [returned] = [
        event
        for event in await events_of(services, acme, still_open)
        if event.type == "conversation.unassigned"
    ]
    assert (returned.actor_kind, returned.actor_id) == (ActorKind.USER, admin.user_id)
    assert (await services.conversations.get(acme.owner_id, still_open)).assignee_id is None
    assert (await services.conversations.get(acme.owner_id, closed)).assignee_id == agent.user_id


async def test_who_was_let_in_again_before_the_job_ran_keeps_their_conversations(
    services: Services, acme: Tenant
) -> None:
    admin, agent = await make_person(services, acme, UserRole.ADMIN), await make_person(services, acme)
    conv_id = await a_customer_writes(services, acme)
    await services.assignments.assign(agent, conv_id, ME)
    assert agent.user_id is not None

    await services.users.update(admin, agent.user_id, UserUpdate(is_active=False))
    await services.users.update(admin, agent.user_id, UserUpdate(is_active=True))
    await run_jobs(services, acme, "person_shut_out")

    assert (await services.conversations.get(acme.owner_id, conv_id)).assignee_id == agent.user_id


async def test_a_conversation_that_is_given_while_the_person_is_shut_out_does_not_stay_theirs(
    services: Services, acme: Tenant
) -> None:
    admin = await make_person(services, acme, UserRole.ADMIN)
    agents = [await make_person(services, acme) for _ in range(8)]
    conversations = [await a_customer_writes(services, acme) for _ in agents]

    async def give(agent: Principal, conv_id: int) -> None:
        with suppress(InvalidInput):
            await services.assignments.assign(
                a_program(acme), conv_id, ConversationAssign(assignee_id=agent.user_id or 0)
            )

    await asyncio.gather(
        *(give(agent, conv_id) for agent, conv_id in zip(agents, conversations, strict=True)),
        *(services.users.update(admin, agent.user_id or 0, UserUpdate(is_active=False)) for agent in agents),
    )
    await run_jobs(services, acme, "person_shut_out")

    found = [await services.conversations.get(acme.owner_id, conv_id) for conv_id in conversations]
    assert [conversation.assignee_id for conversation in found] == [None] * len(found)


async def test_another_owners_person_is_nobody_and_their_conversation_is_not_there(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    stranger = await make_person(services, globex, UserRole.ADMIN)
    conv_id = await a_customer_writes(services, acme)
    assert stranger.user_id is not None

    with pytest.raises(InvalidInput):
        await services.assignments.assign(
            a_program(acme), conv_id, ConversationAssign(assignee_id=stranger.user_id)
        )
    for attempt in (
        services.assignments.assign(stranger, conv_id, ME),
        services.assignments.unassign(stranger, conv_id),
        services.assignments.hand_off(stranger, conv_id, BOT),
    ):
        with pytest.raises(ConversationNotFound):
            await attempt


async def test_nobody_gets_a_closed_conversation(services: Services, acme: Tenant) -> None:
    agent, conv_id = await make_person(services, acme), await a_customer_writes(services, acme)
    await services.conversations.close_as(agent, conv_id, ConversationClose())

    for attempt in (
        services.assignments.assign(agent, conv_id, ME),
        services.assignments.unassign(agent, conv_id),
        services.assignments.hand_off(agent, conv_id, BOT),
    ):
        with pytest.raises(ConversationClosed):
            await attempt


async def test_a_program_is_not_me(services: Services, acme: Tenant) -> None:
    conv_id = await a_customer_writes(services, acme)

    with pytest.raises(PermissionMissing):
        await services.assignments.assign(a_program(acme), conv_id, ME)


async def test_an_ai_writes_only_while_a_bot_handles_the_conversation(
    services: Services, acme: Tenant
) -> None:
    program, conv_id = a_program(acme), await a_customer_writes(services, acme)

    with pytest.raises(HandledByPerson):
        await services.messages.send_as(program, conv_id, AI_ANSWER)
    await services.assignments.hand_off(program, conv_id, BOT)
    sent = await services.messages.send_as(program, conv_id, AI_ANSWER)
    handed = await services.assignments.hand_off(program, conv_id, PERSON)
    with pytest.raises(HandledByPerson):
        await services.messages.send_as(program, conv_id, AI_ANSWER)

    assert sent.message_owner is MessageOwner.AI
    assert handed.handler is Handler.PERSON
    last = (await events_of(services, acme, conv_id))[-1]
    assert (last.type, last.data["handler_from"], last.data["handler_to"], last.data["reason"]) == (
        "conversation.handed_off",
        "BOT",
        "PERSON",
        PERSON.reason,
    )


async def test_what_a_bot_gets_is_nobodys_and_what_a_person_takes_is_no_bots(
    services: Services, acme: Tenant
) -> None:
    agent, conv_id = await make_person(services, acme), await a_customer_writes(services, acme)
    await services.assignments.assign(agent, conv_id, ME)

    given = await services.assignments.hand_off(agent, conv_id, BOT)
    taken = await services.assignments.assign(agent, conv_id, ME)

    assert (given.handler, given.assignee_id) == (Handler.BOT, None)
    assert (taken.handler, taken.assignee_id) == (Handler.PERSON, agent.user_id)


async def test_a_person_who_writes_takes_over_from_the_bot_and_a_program_does_not(
    services: Services, acme: Tenant
) -> None:
    agent, program = await make_person(services, acme), a_program(acme)
    conv_id = await a_customer_writes(services, acme)
    await services.assignments.hand_off(program, conv_id, BOT)

    await services.messages.send_as(program, conv_id, MessageCreate(content="Seu pedido saiu."))
    after_program = await services.conversations.get(acme.owner_id, conv_id)
    await services.messages.send_as(agent, conv_id, MessageCreate(content="Sou o Bruno."))
    after_person = await services.conversations.get(acme.owner_id, conv_id)

    assert (after_program.handler, after_person.handler) == (Handler.BOT, Handler.PERSON)


async def test_a_bot_that_answers_while_a_person_takes_over_comes_before_them_or_not_at_all(
    services: Services, acme: Tenant
) -> None:
    agent, program = await make_person(services, acme), a_program(acme)
    conv_id = await a_customer_writes(services, acme)
    await services.assignments.hand_off(program, conv_id, BOT)

    await asyncio.gather(
        services.assignments.assign(agent, conv_id, ME),
        *(services.messages.send_as(program, conv_id, AI_ANSWER) for _ in range(5)),
        return_exceptions=True,
    )

    types = await event_types(services, acme, conv_id)
    assert "message.queued" not in types[types.index("conversation.assigned") :]


async def test_a_conversation_can_be_opened_for_a_bot(services: Services, acme: Tenant) -> None:
    create = ConversationCreate(channel=Channel.SMS, customer_address=some_number(), handler=Handler.BOT)

    conversation, _ = await services.conversations.create_or_get(
        acme.owner_id, create, by=Actor(ActorKind.API_KEY, 1)
    )

    await services.messages.send_as(a_program(acme), conversation.conv_id, AI_ANSWER)
    assert conversation.handler is Handler.BOT


@pytest.mark.parametrize(
    ("role", "written_by"),
    [
        (UserRole.ADMIN, MessageOwner.AGENT),
        (UserRole.SUPPORT, MessageOwner.SUPPORT),
        (UserRole.AGENT, MessageOwner.AGENT),
    ],
)
async def test_people_write_as_what_they_are(
    services: Services, acme: Tenant, role: UserRole, written_by: MessageOwner
) -> None:
    person, conv_id = await make_person(services, acme, role), await a_customer_writes(services, acme)

    message = await services.messages.send_as(person, conv_id, MessageCreate(content="Olá"))

    assert message.message_owner is written_by


@pytest.mark.parametrize("written_by", [MessageOwner.SUPPORT, MessageOwner.AI, MessageOwner.SYSTEM])
async def test_an_agent_writes_as_nobody_else(
    services: Services, acme: Tenant, written_by: MessageOwner
) -> None:
    agent, conv_id = await make_person(services, acme), await a_customer_writes(services, acme)

    with pytest.raises(Forbidden):
        await services.messages.send_as(
            agent, conv_id, MessageCreate(content="Olá", message_owner=written_by)
        )


async def test_assigning_over_http_tells_who_has_it(api: Api, services: Services, acme: Tenant) -> None:
    agent, conv_id = await make_person(services, acme), await a_customer_writes(services, acme)
    path = f"/v1/conversations/{conv_id}"

    given = await api.call("POST", f"{path}/assign", {"assignee_id": agent.user_id})
    as_me = await api.call("POST", f"{path}/assign")
    handed = await api.call("POST", f"{path}/handoff", {"handler": "BOT", "reason": "night"})
    history = await api.call("GET", f"{path}/events")

    assert (given.status, given.body["assignee_id"]) == (200, agent.user_id)
    assert (as_me.status, as_me.body["permission"]) == (403, "self")
    assert (handed.body["handler"], handed.body["assignee_id"]) == ("BOT", None)
    assert {event["actor_name"] for event in history.body["items"]} == {None, "first key"}


@pytest.mark.parametrize("assignee", [0, -1, 2**63, "you", True, 1.5, None, [1]])
async def test_an_assignee_who_can_not_be_is_refused(
    api: Api, services: Services, acme: Tenant, assignee: object
) -> None:
    conv_id = await a_customer_writes(services, acme)

    answer = await api.call("POST", f"/v1/conversations/{conv_id}/assign", {"assignee_id": assignee})

    assert (answer.status, answer.code) == (422, "invalid_input")
