"""Which state may follow which."""

import pytest

from owner.models.enums import ConversationStatus as S
from owner.models.errors import InvalidTransition
from owner.models.lifecycle import FINAL, OPEN, TRANSITIONS, check_transition


def test_every_state_is_in_the_table_and_is_open_or_final() -> None:
    assert TRANSITIONS.keys() == set(S)
    assert set(S) == OPEN | FINAL
    assert not OPEN & FINAL


@pytest.mark.parametrize("status", list(S))
@pytest.mark.parametrize("to", list(S))
def test_a_transition_is_allowed_by_the_table_or_refused_naming_both_states(status: S, to: S) -> None:
    if to in TRANSITIONS[status]:
        check_transition(status, to)
        return

    with pytest.raises(InvalidTransition) as refusal:
        check_transition(status, to)

    assert status in refusal.value.message
    assert to in refusal.value.message


def test_every_transition_says_why() -> None:
    assert all(reason for allowed in TRANSITIONS.values() for reason in allowed.values())


def test_a_customer_who_waits_is_never_closed_as_idle() -> None:
    assert S.IDLE_TIMEOUT not in TRANSITIONS[S.PENDING]


@pytest.mark.parametrize("status", [S.AGENT_CLOSED, S.SUPPORT_CLOSED, S.FAILED])
def test_what_people_decided_is_final(status: S) -> None:
    assert not TRANSITIONS[status]


def test_from_one_end_nothing_leads_to_another() -> None:
    assert not any(to in FINAL for status in FINAL for to in TRANSITIONS[status])
