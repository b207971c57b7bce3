"""What reports count and measure: facts, each taken from one event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from owner.models.enums import Channel
from owner.models.histogram import bucket_of


class FactKind(StrEnum):
    """What a fact is about; the sentence says what its label holds, if it has one."""

    OPENED = "OPENED"  # a conversation began
    CLOSED = "CLOSED"  # a conversation ended; the final status
    REOPENED = "REOPENED"  # an automatic end was undone; the status that was undone
    FIRST_RESPONSE = "FIRST_RESPONSE"  # from the opening to our first answer
    REPLY = "REPLY"  # from the customer's turn to our answer
    RESOLUTION = "RESOLUTION"  # from the opening to the end
    CLOSURE_MADE = "CLOSURE_MADE"  # the detector ended a conversation; its version
    CLOSURE_SUSPECTED = "CLOSURE_SUSPECTED"  # it was nearly sure; its version
    CLOSURE_ASKED = "CLOSURE_ASKED"  # so the customer was asked; its version
    CLOSURE_CONFIRMED = "CLOSURE_CONFIRMED"  # the customer said yes; its version
    CLOSURE_DENIED = "CLOSURE_DENIED"  # the customer said no; its version
    CLOSURE_SHADOWED = "CLOSURE_SHADOWED"  # it would have acted, but only watches; its version
    CLOSURE_UNDONE = "CLOSURE_UNDONE"  # what it ended goes on; its version
    MESSAGE_QUEUED = "MESSAGE_QUEUED"  # we wrote
    MESSAGE_ACCEPTED = "MESSAGE_ACCEPTED"  # Twilio took it
    MESSAGE_SENT = "MESSAGE_SENT"  # the carrier took it
    MESSAGE_DELIVERED = "MESSAGE_DELIVERED"  # the phone has it
    MESSAGE_READ = "MESSAGE_READ"  # the customer opened it
    MESSAGE_UNDELIVERED = "MESSAGE_UNDELIVERED"  # the carrier gave it back; the error code
    MESSAGE_FAILED = "MESSAGE_FAILED"  # it was not sent; the error code
    MESSAGE_CANCELED = "MESSAGE_CANCELED"  # it was called off


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened, as reports see it."""

    kind: FactKind
    event_id: int
    at: datetime
    channel: Channel
    conv_id: int | None = None
    msg_id: int | None = None
    label: str = ""
    seconds: float | None = None

    @property
    def bucket(self) -> int | None:
        return None if self.seconds is None else bucket_of(self.seconds)


@dataclass(frozen=True, slots=True)
class DayFigures:
    """The facts of one kind, summed up; `day` and `channel` are None where they were summed over."""

    kind: FactKind
    day: date | None
    channel: Channel | None
    label: str
    count: int
    seconds: float = 0.0
    histogram: Sequence[int] = ()
