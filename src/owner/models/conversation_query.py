"""Which conversations to list, and in which order."""

from enum import StrEnum
from typing import Final

from pydantic import Field

from owner.models.entity import DTO, LARGEST_ID, GivenMoment
from owner.models.enums import Channel, ConversationStatus, Handler, Priority
from owner.models.label import LabelName
from owner.models.lifecycle import FINAL, OPEN

MAXIMUM_PAGE: Final = 100


class ConversationState(StrEnum):
    """All statuses of a kind."""

    OPEN = "open"
    CLOSED = "closed"


class ConversationSort(StrEnum):
    """The order of a list."""

    NEWEST = "newest"  # by their beginning
    OLDEST = "oldest"
    LAST_ACTIVITY = "last_activity"  # what moved last comes first
    WAITING_LONGEST = "waiting_longest"  # only those whose customer waits, the longest first
    PRIORITY = "priority"  # the most urgent first, and of the same priority the oldest


STATUSES: Final = {ConversationState.OPEN: OPEN, ConversationState.CLOSED: FINAL}


class ConversationQuery(DTO):
    """What narrows the list (all of it must hold), its order, and where the page begins."""

    status: list[ConversationStatus] = Field(
        default_factory=list, max_length=len(ConversationStatus), description="Any of these; may be repeated."
    )
    state: ConversationState | None = Field(
        default=None, description="All open statuses (PENDING and PROGRESS), or all closed ones."
    )
    assignee_id: int | None = Field(default=None, ge=1, le=LARGEST_ID)
    unassigned: bool | None = Field(default=None, description="Whether nobody has taken it.")
    channel: Channel | None = None
    contact_id: int | None = Field(default=None, ge=1, le=LARGEST_ID)
    waiting: bool | None = Field(default=None, description="Whether the customer waits for an answer.")
    handler: Handler | None = None
    priority: Priority | None = None
    opened_after: GivenMoment | None = Field(default=None, description="Opened at this moment or later.")
    opened_before: GivenMoment | None = Field(default=None, description="Opened before this moment.")
    text: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Words that were said, in any form; of the newest 1,000 messages that hold all of them.",
    )
    label: list[LabelName] = Field(
        default_factory=list,
        max_length=10,
        description="Names of labels, all of which are on it; may be repeated.",
    )
    sort: ConversationSort = ConversationSort.NEWEST
    limit: int = Field(default=50, ge=1, le=MAXIMUM_PAGE, description="How many items a page holds at most.")
    cursor: str | None = Field(
        default=None, max_length=500, description="`next_cursor` of the page before, in the same order."
    )

    @property
    def statuses(self) -> list[ConversationStatus]:
        """All that may be in the list, in the order of their declaration."""
        wanted = set(self.status or ConversationStatus)
        if self.state is not None:
            wanted &= STATUSES[self.state]
        if self.waiting or self.sort is ConversationSort.WAITING_LONGEST:
            wanted &= OPEN
        return [status for status in ConversationStatus if status in wanted]
