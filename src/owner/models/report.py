"""Reports: what is asked for, and the figures that come back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from pydantic import ConfigDict, Field

from owner.models.entity import DTO
from owner.models.enums import Channel
from owner.models.errors import InvalidInput
from owner.models.histogram import RELATIVE_ERROR

LONGEST: Final = 366  # days
USUAL: Final = 30  # days


class ReportName(StrEnum):
    """The reports that there are; each member's sentence is shown in their list."""

    FIRST_RESPONSE = "first-response"
    REPLY = "reply"
    RESOLUTION = "resolution"
    CONVERSATIONS = "conversations"
    CLOSURE = "closure"
    DELIVERIES = "deliveries"


class Grouping(StrEnum):
    """What the rows of a report stand for."""

    @property
    def is_by_day(self) -> bool:
        return "day" in self.split(",")

    @property
    def is_by_channel(self) -> bool:
        return "channel" in self.split(",")


class DayOrChannel(Grouping):
    """Of the reports on durations and conversations."""

    DAY = "day"
    CHANNEL = "channel"
    DAY_AND_CHANNEL = "day,channel"


class ClosureGroup(Grouping):
    """Of the closure report."""

    VERSION = "version"
    DAY = "day"
    CHANNEL = "channel"


class DeliveryGroup(Grouping):
    """Of the delivery report."""

    ERROR_CODE = "error_code"
    DAY = "day"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of a time zone, both ends included, perhaps of one channel only."""

    first_day: date
    last_day: date
    time_zone: str
    channel: Channel | None = None

    @classmethod
    def of(
        cls,
        first_day: date | None,
        last_day: date | None,
        *,
        today: date,
        time_zone: str,
        channel: Channel | None,
    ) -> "Period":
        """The last 30 days unless something else is asked for.

        Raises:
            InvalidInput: it ends before it begins, or is longer than a report can be.
        """
        last_day = last_day or today
        before = timedelta(days=USUAL - 1)
        if first_day is None:
            first_day = last_day - before if last_day - date.min > before else date.min
        if first_day > last_day:
            raise InvalidInput("from: it is after the last day.", field="from")
        if last_day - first_day >= timedelta(days=LONGEST):
            raise InvalidInput(f"from: a report holds at most {LONGEST} days.", field="from")
        return cls(first_day, last_day, time_zone, channel)

    def days(self) -> Iterator[date]:
        for after in range((self.last_day - self.first_day).days + 1):
            yield self.first_day + timedelta(days=after)


class _Report(DTO):
    """What every report says about itself."""

    model_config = ConfigDict(populate_by_name=True)

    name: ReportName
    first_day: date = Field(alias="from")
    last_day: date = Field(alias="to")
    time_zone: str = Field(description="Whose days they are.")
    channel: Channel | None = Field(description="The only one that is counted; null: all.")


class DurationFigures(DTO):
    """How long something took, in seconds."""

    count: int
    median_seconds: float | None
    p90_seconds: float | None = Field(description="Nine of ten took no longer.")
    mean_seconds: float | None


class DurationRow(DurationFigures):
    """Durations of a day, of a channel, or of both."""

    day: date | None = None
    channel: Channel | None = None


class DurationReport(_Report):
    """Median and p90 are off by at most `relative_error`, or half a second; counts and means are exact."""

    group_by: DayOrChannel
    relative_error: float = RELATIVE_ERROR
    total: DurationFigures
    items: list[DurationRow]


class ConversationFigures(DTO):
    """How many conversations began, ended (by the final status), and went on after an automatic end."""

    opened: int = 0
    closed: int = 0
    agent_closed: int = 0
    support_closed: int = 0
    user_closed: int = 0
    expired: int = 0
    failed: int = 0
    idle_timeout: int = 0
    reopened: int = 0


class ConversationRow(ConversationFigures):
    """Conversations of a day, of a channel, or of both."""

    day: date | None = None
    channel: Channel | None = None


class ConversationReport(_Report):
    """Each end counts on its day, also one that was undone later; `reopened` says how many those are."""

    group_by: DayOrChannel
    total: ConversationFigures
    items: list[ConversationRow]


class ClosureFigures(DTO):
    """What the detector did. An undo counts on the day on which it happened."""

    closed: int = Field(default=0, description="Conversations that ended, by whatever; 0 in a version's row.")
    by_detector: int = Field(
        default=0, description="Ended by the customer's words, as the detector read them."
    )
    detection_rate: float | None = Field(default=None, description="by_detector / closed")
    suspected: int = Field(default=0, description="Nearly sure: noted, and asked where the owner wants that.")
    asked: int = 0
    confirmed: int = 0
    denied: int = 0
    shadowed: int = Field(default=0, description="Would have acted, but only watches.")
    undone: int = Field(default=0, description="Ends of the detector after which the conversation went on.")
    undo_rate: float | None = Field(default=None, description="undone / by_detector")


class ClosureRow(ClosureFigures):
    """The detector's doings of a version, of a day, or of a channel."""

    version: str | None = Field(default=None, description="Empty where it is not known.")
    day: date | None = None
    channel: Channel | None = None


class ClosureReport(_Report):
    """How well the closure detector does."""

    group_by: ClosureGroup
    total: ClosureFigures
    items: list[ClosureRow]


class DeliveryFigures(DTO):
    """How many messages got how far; who has read one has it, so that each is counted in every step it took."""

    queued: int = 0
    accepted: int = 0
    sent: int = 0
    delivered: int = 0
    read: int = 0
    undelivered: int = 0
    failed: int = 0
    canceled: int = 0


class DeliveryRow(DeliveryFigures):
    """Deliveries of a day or of a channel."""

    day: date | None = None
    channel: Channel | None = None


class DeliveryError(DTO):
    """Messages that did not arrive, for one reason."""

    error_code: int | None = Field(description="Twilio's number; null where it gave none.")
    sentence: str = Field(description="The reason in words.")
    undelivered: int = 0
    failed: int = 0
    count: int = 0


class DeliveryReport(_Report):
    """`items` is empty when grouped by error code; `errors` is there in any case."""

    group_by: DeliveryGroup
    total: DeliveryFigures
    errors: list[DeliveryError]
    items: list[DeliveryRow]


class ReportEntry(DTO):
    """A report that can be asked for."""

    name: ReportName
    path: str
    says: str
    group_by: list[str]


class ReportList(DTO):
    """All reports."""

    items: list[ReportEntry]
