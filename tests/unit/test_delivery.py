"""How far a message got, in whatever order the provider tells it."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from owner.models.delivery import ENDS, FAILURES, RANK, contradict, moves_forward
from owner.models.enums import DeliveryStatus as D
from owner.models.enums import MessageDirection, MessageOwner, MessageType
from owner.models.message import Message

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def make_message() -> Message:
    return Message(
        owner_id=1,
        msg_id=2,
        conv_id=3,
        seq=4,
        direction=MessageDirection.OUTBOUND,
        message_owner=MessageOwner.AGENT,
        message_type=MessageType.TEXT,
        content="Olá",
        delivery_status=D.QUEUED,
        created_at=NOON,
        updated_at=NOON,
    )


def told(*statuses: D) -> tuple[D, bool]:
    message = make_message()
    for status in statuses:
        message.advance(status, at=NOON)
    return message.delivery_status, message.is_conflicted


def test_every_status_has_a_rank() -> None:
    assert RANK.keys() == set(D)


@pytest.mark.parametrize(
    ("statuses", "end"),
    [
        ((D.QUEUED, D.SENDING, D.SENT, D.DELIVERED, D.READ), D.READ),
        ((D.ACCEPTED, D.SENDING, D.SENT, D.UNDELIVERED), D.UNDELIVERED),
        ((D.SCHEDULED, D.CANCELED), D.CANCELED),
        ((D.SENT, D.SENT, D.DELIVERED, D.DELIVERED), D.DELIVERED),
    ],
)
def test_callbacks_in_every_order_lead_to_the_same_end(statuses: tuple[D, ...], end: D) -> None:
    outcomes = {told(*order) for order in permutations(statuses)}

    assert outcomes == {(end, False)}


@pytest.mark.parametrize("failure", sorted(FAILURES))
@pytest.mark.parametrize("success", [D.DELIVERED, D.READ])
def test_contradicting_ends_are_flagged_and_the_better_evidence_wins_in_every_order(
    failure: D, success: D
) -> None:
    outcomes = {told(*order) for order in permutations((D.SENT, failure, success))}

    assert outcomes == {(success, True)}


def test_read_after_delivered_is_no_contradiction() -> None:
    assert not contradict(D.DELIVERED, D.READ)
    assert not any(contradict(end, end) for end in ENDS)


@pytest.mark.parametrize("status", list(D))
def test_a_status_told_twice_changes_nothing(status: D) -> None:
    assert not moves_forward(status, status)


def test_a_failure_that_loses_takes_no_error_with_it() -> None:
    message = make_message()
    message.advance(D.FAILED, at=NOON, error_code=30008, error_message="Unknown.")

    message.advance(D.DELIVERED, at=NOON)

    assert (message.error_code, message.error_message, message.is_conflicted) == (None, None, True)


def test_an_attempt_without_an_answer_stays_unconfirmed_through_later_attempts() -> None:
    message, claim = make_message(), timedelta(seconds=20)
    message.begin_attempt(at=NOON, claim_for=claim, provider_time=NOON)
    message.retry(at=NOON, after=claim, is_outcome_known=False)

    message.begin_attempt(
        at=NOON + timedelta(minutes=1), claim_for=claim, provider_time=NOON + timedelta(minutes=1)
    )

    assert (message.attempts, message.unconfirmed_at) == (2, NOON)


def test_a_refusal_that_is_known_leaves_nothing_to_look_up() -> None:
    message = make_message()
    message.begin_attempt(at=NOON, claim_for=timedelta(seconds=20), provider_time=NOON)

    message.retry(at=NOON, after=timedelta(seconds=2), is_outcome_known=True)

    assert (message.unconfirmed_at, message.claimed_until) == (None, None)
    assert message.next_attempt_at == NOON + timedelta(seconds=2)
