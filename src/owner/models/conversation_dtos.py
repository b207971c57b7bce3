"""Conversations as they cross the border: what may be asked of them, and how they are shown."""

from typing import Any, Final

from pydantic import ConfigDict, Field, field_validator

from owner.models.entity import DTO, Moment
from owner.models.enums import ActorKind, Channel, ConversationStatus, Handler, Priority

BY_PEOPLE: Final = (  # how a person or a program may end a conversation; the rest is for timers
    ConversationStatus.AGENT_CLOSED,
    ConversationStatus.SUPPORT_CLOSED,
    ConversationStatus.USER_CLOSED,
    ConversationStatus.FAILED,
)


class ConversationCreate(DTO):
    """A conversation to find or to open by writing first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"channel": "WHATSAPP", "customer_address": "+5511987654321", "contact_name": "Ana"},
                {"channel": "SMS", "customer_address": "+5511987654321", "our_address": "+551150284400"},
            ]
        }
    )

    channel: Channel = Channel.WHATSAPP
    customer_address: str = Field(min_length=1, max_length=255, examples=["+5511987654321"])
    our_address: str | None = Field(
        default=None,
        max_length=255,
        description="One of your connected addresses; may be left out if the channel has one.",
    )
    contact_name: str | None = Field(default=None, max_length=200)
    context: dict[str, Any] = Field(default_factory=dict)


class ConversationUpdate(DTO):
    """What may change about a conversation besides its status; null leaves a field as it is."""

    assignee_id: int | None = None
    handler: Handler | None = None
    priority: Priority | None = None
    context: dict[str, Any] | None = None


class ConversationClose(DTO):
    """How to end a conversation."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "delivered"}]})

    status: ConversationStatus = Field(
        default=ConversationStatus.AGENT_CLOSED,
        description="AGENT_CLOSED, SUPPORT_CLOSED, USER_CLOSED or FAILED.",
    )
    reason: str | None = Field(default=None, max_length=500)

    @field_validator("status")
    @classmethod
    def _by_people(cls, value: ConversationStatus) -> ConversationStatus:
        if value not in BY_PEOPLE:
            raise ValueError(f"must be one of {', '.join(BY_PEOPLE)}")
        return value


class ConversationExtend(DTO):
    """How much longer a conversation may live."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"minutes": 120}]})

    minutes: int = Field(default=60, ge=1, le=525_600)


class ConversationResponse(DTO):
    """A conversation as the API shows it."""

    conv_id: int
    status: ConversationStatus
    channel: Channel
    contact_id: int
    customer_address: str
    our_address: str
    handler: Handler
    assignee_id: int | None
    priority: Priority
    context: dict[str, Any]
    started_at: Moment
    last_activity_at: Moment
    last_inbound_at: Moment | None
    first_response_at: Moment | None
    waiting_since: Moment | None = Field(description="The first message of theirs that nobody has answered.")
    expires_at: Moment
    idle_at: Moment | None
    reply_window_closes_at: Moment | None
    closed_at: Moment | None
    closed_by: ActorKind | None
    closed_reason: str | None
    previous_conv_id: int | None
    created_at: Moment
    updated_at: Moment
