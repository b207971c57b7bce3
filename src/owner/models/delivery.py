"""How far a message got: a status only ever moves forward."""

from typing import Final

from owner.models.enums import DeliveryStatus as D

RANK: Final[dict[D, int]] = {
    D.ACCEPTED: 0,
    D.SCHEDULED: 0,
    D.QUEUED: 1,
    D.SENDING: 2,
    D.SENT: 3,
    # The four ends contradict each other. The one with the better evidence wins whatever the order
    # in which they arrive: the phone's receipt above the carrier's word, that above ours.
    D.CANCELED: 40,
    D.FAILED: 41,
    D.UNDELIVERED: 42,
    D.DELIVERED: 43,
    D.READ: 50,
    D.RECEIVED: 60,  # inbound: there is nothing further
}

FAILURES: Final = frozenset({D.FAILED, D.UNDELIVERED, D.CANCELED})
ENDS: Final = FAILURES | {D.DELIVERED, D.READ}


def moves_forward(status: D, to: D) -> bool:
    return RANK[to] > RANK[status]


def contradict(one: D, other: D) -> bool:
    """Whether both can't be true of one message, as `delivered` and `failed`."""
    return one != other and {one, other} <= ENDS and bool({one, other} & FAILURES)
