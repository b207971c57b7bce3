"""A conversation decides about its own life."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from owner.models.conversation import PENDING_CLOSURE, Conversation
from owner.models.conversation_dtos import ConversationClose
from owner.models.enums import ActorKind, Channel, ConversationStatus, MessageOwner
from owner.models.errors import ConversationClosed, InvalidTransition, ReplyWindowClosed
from owner.models.event import CUSTOMER, DETECTOR, SYSTEM, Actor
from owner.models.owner import ConversationLimits

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PERSON = Actor(ActorKind.USER, 7)
EVIDENCE = {"confidence": 0.9}


def make_conversation(
    *, by: Actor = CUSTOMER, channel: Channel = Channel.WHATSAPP, answered: bool = False
) -> Conversation:
    conversation = Conversation.open(
        owner_id=1,
        conv_id=2,
        channel=channel,
        contact_id=3,
        customer_address="+5511987654321",
        our_address="+551140040001",
        twilio_account_id=4,
        limits=ConversationLimits(),
        by=by,
        at=NOON,
    )
    if by is CUSTOMER:
        conversation.note_inbound(at=NOON)
    if answered:
        conversation.note_outbound(written_by=MessageOwner.AGENT, by=PERSON, at=NOON)
    conversation.take_events()
    return conversation


def after(**time: float) -> datetime:
    return NOON + timedelta(**time)


def test_who_writes_first_decides_whose_turn_it_is() -> None:
    theirs, ours = make_conversation(), make_conversation(by=PERSON)

    assert (theirs.status, theirs.idle_at) == (ConversationStatus.PENDING, None)
    assert (ours.status, ours.idle_at) == (ConversationStatus.PROGRESS, after(minutes=60))


@pytest.mark.parametrize(
    ("written_by", "status"),
    [
        (MessageOwner.AGENT, ConversationStatus.PROGRESS),
        (MessageOwner.SUPPORT, ConversationStatus.PROGRESS),
        (MessageOwner.AI, ConversationStatus.PROGRESS),
        (MessageOwner.SYSTEM, ConversationStatus.PENDING),
    ],
)
def test_only_an_answer_begins_the_work(written_by: MessageOwner, status: ConversationStatus) -> None:
    conversation = make_conversation()

    conversation.note_outbound(written_by=written_by, by=SYSTEM, at=after(minutes=1))

    assert conversation.status is status
    assert (conversation.first_response_at is not None) == (status is ConversationStatus.PROGRESS)


def test_the_first_answer_stays_the_first() -> None:
    conversation = make_conversation(answered=True)

    conversation.note_outbound(written_by=MessageOwner.AGENT, by=PERSON, at=after(minutes=5))

    assert conversation.first_response_at == NOON


def test_messages_are_numbered_without_holes() -> None:
    conversation = make_conversation()

    numbers = [
        conversation.note_outbound(written_by=MessageOwner.AGENT, by=PERSON, at=NOON),
        conversation.note_inbound(at=NOON),
    ]

    assert numbers == [2, 3]


@pytest.mark.parametrize(
    ("answered", "minutes", "status"),
    [
        (True, 59, ConversationStatus.PROGRESS),
        (True, 60, ConversationStatus.IDLE_TIMEOUT),
        (True, 3000, ConversationStatus.IDLE_TIMEOUT),
        (False, 1439, ConversationStatus.PENDING),
        (False, 1440, ConversationStatus.EXPIRED),
    ],
)
def test_what_is_due_first_ends_it(*, answered: bool, minutes: int, status: ConversationStatus) -> None:
    conversation = make_conversation(answered=answered)

    ended = conversation.settle(now=after(minutes=minutes))

    assert (conversation.status, ended) == (status, not conversation.is_open)


def test_settling_twice_ends_it_once() -> None:
    conversation = make_conversation()

    outcomes = [conversation.settle(now=after(hours=30)) for _ in range(2)]

    assert outcomes == [True, False]
    assert [event.type for event in conversation.take_events()] == ["conversation.closed"]


def test_closing_notes_who_why_and_from_where() -> None:
    conversation = make_conversation()

    conversation.close(
        as_status=ConversationStatus.AGENT_CLOSED, by=PERSON, reason="spam", at=after(minutes=1)
    )

    assert (conversation.closed_by, conversation.closed_by_id, conversation.closed_reason) == (
        ActorKind.USER,
        7,
        "spam",
    )
    [event] = conversation.take_events()
    assert (event.actor, event.data) == (
        PERSON,
        {
            "status_from": "PENDING",
            "status_to": "AGENT_CLOSED",
            "reason": "spam",
            "channel": "WHATSAPP",
            "resolution_seconds": 60.0,
        },
    )


def test_the_customer_waits_from_their_first_unanswered_message_until_an_answer() -> None:
    conversation = make_conversation()
    conversation.note_inbound(at=after(minutes=3))
    waited_since = conversation.waiting_since

    times = conversation.answer_times(written_by=MessageOwner.AGENT, at=after(minutes=5))
    conversation.note_outbound(written_by=MessageOwner.SYSTEM, by=SYSTEM, at=after(minutes=4))
    still_waits = conversation.waiting_since
    conversation.note_outbound(written_by=MessageOwner.AGENT, by=PERSON, at=after(minutes=5))

    assert waited_since == still_waits == NOON
    assert times == {"reply_seconds": 300.0, "first_response_seconds": 300.0}
    assert conversation.waiting_since is None
    assert conversation.answer_times(written_by=MessageOwner.AGENT, at=after(minutes=6)) == {}


def test_a_later_answer_is_a_reply_and_no_first_response() -> None:
    conversation = make_conversation(answered=True)
    conversation.note_inbound(at=after(minutes=10))

    times = conversation.answer_times(written_by=MessageOwner.AI, at=after(minutes=12))

    assert times == {"reply_seconds": 120.0}


def test_an_undone_closing_tells_who_had_closed_and_by_which_detector() -> None:
    conversation = make_conversation(answered=True)
    conversation.close_by_customer(at=after(minutes=1), evidence={**EVIDENCE, "detector_version": "rules-1"})
    conversation.take_events()

    conversation.reopen(by=PERSON, reason="too soon", at=after(minutes=2))

    [event] = conversation.take_events()
    assert event.data["closed_by"] is ActorKind.DETECTOR
    assert event.data["undone_by"] is ActorKind.USER
    assert event.data["detector_version"] == "rules-1"


def test_a_refused_close_changes_nothing() -> None:
    conversation = make_conversation()
    conversation.close(as_status=ConversationStatus.AGENT_CLOSED, by=PERSON, reason=None, at=NOON)
    conversation.take_events()
    before = conversation.model_copy()

    with pytest.raises(InvalidTransition):
        conversation.close(as_status=ConversationStatus.FAILED, by=PERSON, reason=None, at=after(hours=1))

    assert conversation == before
    assert conversation.take_events() == []


@pytest.mark.parametrize(
    "status",
    [
        ConversationStatus.PENDING,
        ConversationStatus.PROGRESS,
        ConversationStatus.EXPIRED,
        ConversationStatus.IDLE_TIMEOUT,
    ],
)
def test_people_close_into_nothing_open_and_do_not_play_the_timer(status: ConversationStatus) -> None:
    with pytest.raises(ValidationError):
        ConversationClose(status=status)


@pytest.mark.parametrize("answered", [True, False])
def test_what_a_machine_closed_is_reopened_where_it_was(*, answered: bool) -> None:
    conversation = make_conversation()
    if answered:
        conversation.note_outbound(written_by=MessageOwner.AGENT, by=PERSON, at=after(seconds=1))
    before = conversation.status
    conversation.close_by_customer(at=after(minutes=1), evidence=EVIDENCE)

    conversation.reopen(by=CUSTOMER, reason="wrote again", at=after(minutes=2))

    assert conversation.status is before
    assert conversation.closed_at is None
    assert (conversation.idle_at is not None) == answered


def test_a_reopened_conversation_is_not_over_at_once() -> None:
    conversation = make_conversation(answered=True)
    conversation.settle(now=after(hours=30))

    conversation.reopen(by=PERSON, reason="still needed", at=after(hours=30))

    assert conversation.settle(now=after(hours=30, minutes=1)) is False


def test_who_had_the_last_word_when_a_machine_closed_waits_again_after_the_undo() -> None:
    conversation = make_conversation(answered=True)
    conversation.note_inbound(at=after(minutes=5))
    conversation.close_by_customer(at=after(minutes=5), evidence=EVIDENCE)

    conversation.reopen(by=PERSON, reason="that was no goodbye", at=after(minutes=9))

    assert (conversation.status, conversation.waiting_since) == (
        ConversationStatus.PROGRESS,
        after(minutes=5),
    )
    assert conversation.idle_at is None


def test_what_a_person_closed_is_not_reopened() -> None:
    conversation = make_conversation()
    conversation.close(as_status=ConversationStatus.USER_CLOSED, by=PERSON, reason=None, at=NOON)

    with pytest.raises(InvalidTransition):
        conversation.reopen(by=CUSTOMER, reason="wrote again", at=NOON)


def test_the_grace_period_has_an_end() -> None:
    conversation = make_conversation()
    conversation.close_by_customer(at=NOON, evidence=EVIDENCE)

    assert conversation.can_be_reopened_by_customer(now=after(minutes=9, seconds=59))
    assert not conversation.can_be_reopened_by_customer(now=after(minutes=10))


def test_a_time_out_is_not_undone_by_the_customer() -> None:
    conversation = make_conversation(answered=True)
    conversation.time_out(at=NOON)

    assert not conversation.can_be_reopened_by_customer(now=NOON)


def test_nothing_is_written_and_nothing_extended_after_the_end() -> None:
    conversation = make_conversation()
    conversation.fail(reason="the account is gone", by=SYSTEM, at=NOON)

    with pytest.raises(ConversationClosed):
        conversation.note_outbound(written_by=MessageOwner.AGENT, by=PERSON, at=NOON)
    with pytest.raises(ConversationClosed):
        conversation.extend(by_time=timedelta(hours=1), by=PERSON, at=NOON)


@pytest.mark.parametrize("channel", [Channel.WHATSAPP, Channel.MESSENGER])
def test_the_reply_window_ends_a_day_after_the_customers_last_word(channel: Channel) -> None:
    conversation = make_conversation(channel=channel)

    conversation.refuse_outside_window(now=after(hours=23, minutes=59, seconds=59))
    with pytest.raises(ReplyWindowClosed):
        conversation.refuse_outside_window(now=after(hours=24))


def test_who_never_wrote_has_no_window_and_sms_needs_none() -> None:
    with pytest.raises(ReplyWindowClosed):
        make_conversation(by=PERSON).refuse_outside_window(now=NOON)
    make_conversation(by=PERSON, channel=Channel.SMS).refuse_outside_window(now=NOON)


def test_a_thanks_after_the_end_moves_no_timer() -> None:
    conversation = make_conversation()
    conversation.close_by_customer(at=NOON, evidence=EVIDENCE)

    seq = conversation.note_after_closure(at=after(minutes=1))

    assert (seq, conversation.last_activity_at, conversation.is_open) == (2, NOON, False)


def test_a_suspicion_is_remembered_until_it_is_settled() -> None:
    conversation = make_conversation()
    conversation.suspect_closure(EVIDENCE, at=NOON, lapses_at=after(hours=1))
    remembered = conversation.context[PENDING_CLOSURE]

    conversation.clear_suspicion("denied")
    conversation.clear_suspicion("denied")

    assert remembered["confidence"] == 0.9
    assert PENDING_CLOSURE not in conversation.context
    assert [(event.type, event.actor) for event in conversation.take_events()] == [
        ("closure.suspected", DETECTOR),
        ("closure.cleared", CUSTOMER),
    ]
