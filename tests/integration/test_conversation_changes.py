"""Ending by role, undoing what a machine ended, priority and context, and writing only on what one has read."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from calling import Api, calling
from conftest import TurnableClock
from factories import Tenant, some_number
from owner.models.bulk import BulkAction
from owner.models.conversation_dtos import (
    ConversationAssign,
    ConversationClose,
    ConversationCreate,
    ConversationUndoClose,
    ConversationUpdate,
)
from owner.models.enums import ActorKind, ConversationStatus, Priority, UserRole
from owner.models.errors import ConversationNotFound, InvalidTransition, PermissionMissing
from owner.models.event import Actor
from owner.models.message import MessageCreate
from owner.models.work_errors import AlreadyAssigned, NewerConversationOpen, NewerMessage
from owner.services.catalog import Services
from reading import conversations_of, event_types, events_of, messages_of
from working import a_customer_writes, a_program, make_person


def nested(levels: int) -> Any:
    """Lists in lists."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


UNDO = ConversationUndoClose(reason="The customer waits for a parcel.")
GOODBYE = "pode encerrar, obrigado"
PERSON = Actor(ActorKind.USER)
ASSIGN_ME = ConversationAssign()


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    async with calling(services, acme.api_key) as program:
        yield program


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (UserRole.ADMIN, ConversationStatus.AGENT_CLOSED),
        (UserRole.SUPPORT, ConversationStatus.SUPPORT_CLOSED),
        (UserRole.AGENT, ConversationStatus.AGENT_CLOSED),
    ],
)
async def test_people_end_a_conversation_as_what_they_are(
    services: Services, acme: Tenant, role: UserRole, status: ConversationStatus
) -> None:
    person, conv_id = await make_person(services, acme, role), await a_customer_writes(services, acme)

    closed = await services.conversations.close_as(person, conv_id, ConversationClose())

    assert closed.status is status


async def test_an_agent_does_not_end_a_conversation_as_a_supervisor(services: Services, acme: Tenant) -> None:
    agent, conv_id = await make_person(services, acme), await a_customer_writes(services, acme)
    as_support = ConversationClose(status=ConversationStatus.SUPPORT_CLOSED)

    with pytest.raises(PermissionMissing):
        await services.conversations.close_as(agent, conv_id, as_support)

    closed = await services.conversations.close_as(a_program(acme), conv_id, as_support)
    assert closed.status is ConversationStatus.SUPPORT_CLOSED


async def test_an_agent_undoes_what_the_detector_closed(services: Services, acme: Tenant) -> None:
    agent, conv_id = await make_person(services, acme), await a_customer_writes(services, acme, GOODBYE)
    before = await services.conversations.get(acme.owner_id, conv_id)

    reopened = await services.conversation_changes.undo_close(agent, conv_id, UNDO)

    last = (await events_of(services, acme, conv_id))[-1]
    assert before.status is ConversationStatus.USER_CLOSED
    assert (reopened.status, reopened.closed_at) == (ConversationStatus.PENDING, None)
    assert reopened.waiting_since is not None
    assert (last.type, last.actor_id, last.data["reason"]) == (
        "conversation.reopened",
        agent.user_id,
        UNDO.reason,
    )


async def test_a_time_out_is_undone_and_idleness_begins_anew(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    agent, conv_id = await make_person(services, acme), await a_customer_writes(services, acme)
    await services.messages.send_as(agent, conv_id, MessageCreate(content="Olá"))
    clock.turn(minutes=61)
    await services.timeouts.sweep()

    reopened = await services.conversation_changes.undo_close(agent, conv_id, UNDO)

    assert reopened.status is ConversationStatus.PROGRESS
    assert reopened.due_at() > clock.now()


async def test_what_a_person_or_program_closed_stays_closed(services: Services, acme: Tenant) -> None:
    agent, conv_id = await make_person(services, acme), await a_customer_writes(services, acme)
    with pytest.raises(InvalidTransition):
        await services.conversation_changes.undo_close(agent, conv_id, UNDO)
    await services.conversations.close_as(agent, conv_id, ConversationClose())

    with pytest.raises(InvalidTransition):
        await services.conversation_changes.undo_close(agent, conv_id, UNDO)

    assert (await event_types(services, acme, conv_id))[-1] == "conversation.closed"


async def test_nothing_is_undone_while_a_newer_conversation_of_the_customer_is_open(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    agent, customer = await make_person(services, acme), some_number()
    closed = await a_customer_writes(services, acme, GOODBYE, customer=customer)
    clock.turn(minutes=11)
    newer = await a_customer_writes(services, acme, "Bom dia", customer=customer)

    with pytest.raises(NewerConversationOpen) as refusal:
        await services.conversation_changes.undo_close(agent, closed, UNDO)
    await services.conversations.close_as(agent, newer, ConversationClose())
    reopened = await services.conversation_changes.undo_close(agent, closed, UNDO)

    assert refusal.value.facts == {"conv_id": newer}
    assert reopened.is_open


async def test_a_newer_conversation_whose_time_is_over_is_no_obstacle(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    agent, customer = await make_person(services, acme), some_number()
    closed = await a_customer_writes(services, acme, GOODBYE, customer=customer)
    clock.turn(minutes=11)
    newer = await a_customer_writes(services, acme, "Bom dia", customer=customer)
    clock.turn(hours=25)

    await services.conversation_changes.undo_close(agent, closed, UNDO)

    assert (await services.conversations.get(acme.owner_id, newer)).status is ConversationStatus.EXPIRED


async def test_an_undo_and_the_customers_next_message_leave_one_open_conversation(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    agent = await make_person(services, acme)
    for _ in range(5):
        customer = some_number()
        conv_id = await a_customer_writes(services, acme, GOODBYE, customer=customer)
        clock.turn(minutes=11)

        outcomes = await asyncio.gather(
            services.conversation_changes.undo_close(agent, conv_id, UNDO),
            services.conversation_changes.undo_close(agent, conv_id, UNDO),
            a_customer_writes(services, acme, "E o meu pacote?", customer=customer),
            return_exceptions=True,
        )

        ours = [one for one in await conversations_of(services, acme) if one.customer_address == customer]
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert len([one for one in ours if one.is_open]) == 1
        assert all(isinstance(failure, NewerConversationOpen | InvalidTransition) for failure in failures)


async def test_priority_and_context_change_key_by_key(services: Services, acme: Tenant) -> None:
    program, conv_id = a_program(acme), await a_customer_writes(services, acme)
    changes = services.conversation_changes
    await changes.change(program, conv_id, ConversationUpdate(context={"order": 41, "plan": "gold"}))

    changed = await changes.change(
        program,
        conv_id,
        ConversationUpdate.model_validate({"priority": "HIGH", "context": {"order": 42, "plan": None}}),
    )
    again = await changes.change(program, conv_id, ConversationUpdate.model_validate({"priority": "HIGH"}))

    updates = [event for event in await events_of(services, acme, conv_id) if event.type.endswith(".updated")]
    assert (changed.priority, changed.context) == (Priority.HIGH, {"order": 42})
    assert again == changed
    assert [event.data["fields"] for event in updates] == [["context"], ["priority", "context"]]
    assert "gold" not in str(updates)


def test_a_context_is_no_larger_when_a_conversation_is_opened_than_later() -> None:
    large = {"context": {"big": 17_000 * "x"}}
    with pytest.raises(ValidationError, match="16 KB"):
        ConversationCreate.model_validate({"customer_address": "+5511987654321", **large})
    with pytest.raises(ValidationError, match="16 KB"):
        ConversationUpdate.model_validate(large)


async def test_a_closed_conversation_keeps_its_evidence_while_its_context_changes(
    services: Services, acme: Tenant
) -> None:
    conv_id = await a_customer_writes(services, acme, GOODBYE)

    changed = await services.conversation_changes.change(
        a_program(acme), conv_id, ConversationUpdate(context={"score": 5})
    )

    assert changed.context["score"] == 5
    assert changed.context["closure"]["decision"] == "CLOSE"


@pytest.mark.parametrize(
    "body",
    [
        {"priority": None},
        {"priority": "SOON"},
        {"context": None},
        {"context": []},
        {"context": {"closure": {}}},
        {"context": {"pending_closure": None}},
        {"context": {"": 1}},
        {"context": {"k" * 101: 1}},
        {"context": {"large": "x" * 17_000}},
        {"context": {str(number): 1 for number in range(101)}},
        {"context": {"nul": "\x00"}},
        {"context": {"number": float("nan")}},
        {"context": {"deep": nested(33)}},
        {"context": {"deep": nested(500)}},
        {"status": "PROGRESS"},
        {"handler": "BOT"},
        [],
        "HIGH",
    ],
)
async def test_a_change_that_means_nothing_is_refused(
    api: Api, services: Services, acme: Tenant, body: Any
) -> None:
    conv_id = await a_customer_writes(services, acme)

    answer = await api.call("PATCH", f"/v1/conversations/{conv_id}", body)

    assert (answer.status, answer.code) == (422, "invalid_input")


async def test_a_context_may_be_deep_and_numbers_large(api: Api, services: Services, acme: Tenant) -> None:
    conv_id = await a_customer_writes(services, acme)
    context = {"deep": nested(28), "large": 10**300, "exact": 0.1, "text": "é\ud83d\ude00"}

    answer = await api.call("PATCH", f"/v1/conversations/{conv_id}", {"context": context})

    assert (answer.status, answer.body["context"]) == (200, {**context, "text": "é😀"})


async def test_an_empty_change_changes_nothing(api: Api, services: Services, acme: Tenant) -> None:
    conv_id = await a_customer_writes(services, acme)
    before = await api.call("GET", f"/v1/conversations/{conv_id}")

    answer = await api.call("PATCH", f"/v1/conversations/{conv_id}", {})

    assert (answer.status, answer.body) == (200, before.body)


async def test_a_message_is_not_sent_when_something_newer_was_said(services: Services, acme: Tenant) -> None:
    program, customer = a_program(acme), some_number()
    conv_id = await a_customer_writes(services, acme, customer=customer)
    [read] = await messages_of(services, acme, conv_id)
    await a_customer_writes(services, acme, "Mudei de ideia", customer=customer)
    _, newest = await messages_of(services, acme, conv_id)

    with pytest.raises(NewerMessage) as refusal:
        await services.messages.send_as(
            program, conv_id, MessageCreate(content="Feito!", expected_last_msg_id=read.msg_id)
        )
    sent = await services.messages.send_as(
        program, conv_id, MessageCreate(content="Certo!", expected_last_msg_id=newest.msg_id)
    )

    assert refusal.value.facts == {"last_msg_id": newest.msg_id, "last_seq": 2}
    assert sent.seq == 3


async def test_of_two_who_answer_the_same_message_at_once_one_does(services: Services, acme: Tenant) -> None:
    conv_id = await a_customer_writes(services, acme)
    [read] = await messages_of(services, acme, conv_id)
    answer = MessageCreate(content="Olá!", expected_last_msg_id=read.msg_id)

    outcomes = await asyncio.gather(
        *(services.messages.send_as(a_program(acme), conv_id, answer) for _ in range(4)),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, NewerMessage) for outcome in outcomes) == 3
    assert len(await messages_of(services, acme, conv_id)) == 2


async def test_messages_are_read_from_either_end_and_one_by_one(
    api: Api, services: Services, acme: Tenant
) -> None:
    customer = some_number()
    for text in "abc":
        conv_id = await a_customer_writes(services, acme, text, customer=customer)
    path = f"/v1/conversations/{conv_id}/messages"

    first = await api.call("GET", path, order="desc", limit=2)
    second = await api.call("GET", path, order="desc", limit=2, cursor=first.body["next_cursor"])
    mixed = await api.call("GET", path, order="asc", cursor=first.body["next_cursor"])
    one = await api.call("GET", f"{path}/{first.body['items'][0]['msg_id']}")

    assert [item["content"] for item in first.body["items"] + second.body["items"]] == ["c", "b", "a"]
    assert (mixed.status, mixed.code) == (400, "invalid_cursor")
    assert one.body == first.body["items"][0]


async def test_a_message_of_another_conversation_or_owner_is_not_there(
    api: Api, services: Services, acme: Tenant, globex: Tenant
) -> None:
    here, there = [await a_customer_writes(services, acme) for _ in range(2)]
    [message] = await messages_of(services, acme, there)

    wrong = await api.call("GET", f"/v1/conversations/{here}/messages/{message.msg_id}")
    foreign = await api.call(
        "GET", f"/v1/conversations/{there}/messages/{message.msg_id}", key=globex.api_key
    )

    assert (wrong.status, wrong.code) == (404, "message_not_found")
    assert (foreign.status, foreign.code) == (404, "conversation_not_found")


async def test_many_conversations_change_at_once_and_each_tells_how_it_went(
    api: Api, services: Services, acme: Tenant, globex: Tenant
) -> None:
    first, second, closed = [await a_customer_writes(services, acme) for _ in range(3)]
    foreign = await a_customer_writes(services, globex)
    await services.conversations.close(acme.owner_id, closed, ConversationClose(), by=PERSON)
    conv_ids = [second, 2**62, closed, foreign, first]

    answer = await api.call(
        "POST", "/v1/conversations/bulk", {"action": "CLOSE", "conv_ids": conv_ids, "reason": "spam"}
    )

    assert answer.status == 200
    results = answer.body["results"]
    assert [result["conv_id"] for result in results] == conv_ids
    assert [(result["problem"] or {}).get("code") for result in results] == [
        None,
        "conversation_not_found",
        "invalid_transition",
        "conversation_not_found",
        None,
    ]
    assert [(result["problem"] or {}).get("status") for result in results] == [None, 404, 409, 404, None]
    assert (await services.conversations.get(acme.owner_id, first)).closed_reason == "spam"
    assert (await services.conversations.get(globex.owner_id, foreign)).is_open


async def test_a_bulk_action_has_the_rules_of_the_single_one(services: Services, acme: Tenant) -> None:
    agent, other = [await make_person(services, acme) for _ in range(2)]
    free, taken = [await a_customer_writes(services, acme) for _ in range(2)]
    await services.assignments.assign(other, taken, ASSIGN_ME)
    action = TypeAdapter[Any](BulkAction).validate_python({"action": "ASSIGN", "conv_ids": [free, taken]})

    problems = await services.bulk.run(agent, action)

    assert problems[free] is None
    assert isinstance(problems[taken], AlreadyAssigned)


async def test_each_bulk_action_does_what_it_says(api: Api, services: Services, acme: Tenant) -> None:
    agent = await make_person(services, acme)
    conv_ids = [await a_customer_writes(services, acme) for _ in range(2)]

    for action in (
        {"action": "ASSIGN", "assignee_id": agent.user_id},
        {"action": "PRIORITY", "priority": "URGENT"},
    ):
        answer = await api.call("POST", "/v1/conversations/bulk", {**action, "conv_ids": conv_ids})
        assert all(result["is_done"] for result in answer.body["results"])

    listed = await api.call("GET", "/v1/conversations", priority="URGENT", assignee_id=agent.user_id)
    assert {item["conv_id"] for item in listed.body["items"]} == set(conv_ids)
    await api.call("POST", "/v1/conversations/bulk", {"action": "UNASSIGN", "conv_ids": conv_ids})
    free = await api.call("GET", "/v1/conversations", unassigned="true")
    assert {item["conv_id"] for item in free.body["items"]} == set(conv_ids)


async def test_a_repeated_bulk_action_is_done_once(api: Api, services: Services, acme: Tenant) -> None:
    conv_ids = [await a_customer_writes(services, acme), 2**62]
    body = {"action": "CLOSE", "conv_ids": conv_ids}

    answers = [
        await api.call("POST", "/v1/conversations/bulk", body, headers={"Idempotency-Key": "bulk-1"})
        for _ in range(2)
    ]

    assert answers[0].body == answers[1].body
    assert [result["is_done"] for result in answers[1].body["results"]] == [True, False]
    assert (await event_types(services, acme, conv_ids[0])).count("conversation.closed") == 1


@pytest.mark.parametrize(
    "body",
    [
        {"action": "CLOSE", "conv_ids": []},
        {"action": "CLOSE", "conv_ids": [1, 1]},
        {"action": "CLOSE", "conv_ids": list(range(1, 102))},
        {"action": "CLOSE", "conv_ids": [0]},
        {"action": "CLOSE", "conv_ids": [1], "priority": "HIGH"},
        {"action": "CLOSE", "conv_ids": [1], "status": "EXPIRED"},
        {"action": "PRIORITY", "conv_ids": [1]},
        {"action": "EXPLODE", "conv_ids": [1]},
        {"conv_ids": [1]},
        {},
        [],
    ],
)
async def test_a_bulk_action_that_means_nothing_is_refused(api: Api, body: Any) -> None:
    answer = await api.call("POST", "/v1/conversations/bulk", body)

    assert (answer.status, answer.code) == (422, "invalid_input")


async def test_another_owners_conversation_is_not_undone_or_changed(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    stranger, conv_id = a_program(globex), await a_customer_writes(services, acme, GOODBYE)

    for attempt in (
        services.conversation_changes.undo_close(stranger, conv_id, UNDO),
        services.conversation_changes.change(stranger, conv_id, ConversationUpdate(context={"a": 1})),
    ):
        with pytest.raises(ConversationNotFound):
            await attempt
