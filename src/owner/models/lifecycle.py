"""The life of a conversation: which state may follow which, and why."""

from collections.abc import Mapping
from typing import Final

from owner.models.enums import ConversationStatus as S
from owner.models.errors import InvalidTransition

TRANSITIONS: Final[Mapping[S, Mapping[S, str]]] = {
    S.PENDING: {
        S.PROGRESS: "an agent, support or AI answered",
        S.AGENT_CLOSED: "an agent ended it unanswered",
        S.SUPPORT_CLOSED: "a supervisor ended it unanswered",
        S.USER_CLOSED: "the customer took their leave",
        S.EXPIRED: "it reached its maximum age",
        S.FAILED: "a system reason ended it",
        # No IDLE_TIMEOUT: a customer who waits is never closed as idle.
    },
    S.PROGRESS: {
        S.AGENT_CLOSED: "an agent ended it",
        S.SUPPORT_CLOSED: "a supervisor ended it",
        S.USER_CLOSED: "the customer took their leave",
        S.EXPIRED: "it reached its maximum age",
        S.FAILED: "a system reason ended it",
        S.IDLE_TIMEOUT: "the customer left our last word unanswered",
    },
    # Final is final. What a machine decided can be undone; see `Conversation.reopen`.
    S.USER_CLOSED: {S.PENDING: "the closing was undone", S.PROGRESS: "the closing was undone"},
    S.IDLE_TIMEOUT: {S.PROGRESS: "the time-out was undone"},
    S.EXPIRED: {S.PENDING: "the expiry was undone", S.PROGRESS: "the expiry was undone"},
    S.AGENT_CLOSED: {},
    S.SUPPORT_CLOSED: {},
    S.FAILED: {},
}

OPEN: Final = frozenset({S.PENDING, S.PROGRESS})
FINAL: Final = frozenset(S) - OPEN


def check_transition(status: S, to: S) -> None:
    """Raise `InvalidTransition`, naming both states, unless the table allows it."""
    if to not in TRANSITIONS[status]:
        raise InvalidTransition(status, to)
