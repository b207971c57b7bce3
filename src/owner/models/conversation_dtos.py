"""Conversations as they cross the border: what may be asked of them, and how they are shown."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, StrictInt, StringConstraints, field_validator
from pydantic_core import to_json

from owner.models.conversation import OWN_KEYS
from owner.models.entity import DTO, LARGEST_ID, Moment, Update, absent
from owner.models.enums import ActorKind, Channel, ConversationStatus, Handler, Priority
from owner.models.label import LabelResponse

MAXIMUM_CONTEXT: Final = 16 * 1024  # bytes
MAXIMUM_KEYS: Final = 100
BY_PEOPLE: Final = (  # how a person or a program may end a conversation; the rest is for timers
    ConversationStatus.AGENT_CLOSED,
    ConversationStatus.SUPPORT_CLOSED,
    ConversationStatus.USER_CLOSED,
    ConversationStatus.FAILED,
)


def _not_our_own(key: str) -> str:
    if key in OWN_KEYS:
        raise ValueError(f"the key {key!r} is kept for the product itself")
    return key


def is_too_large(context: dict[str, Any]) -> bool:
    """Whether it is more than a conversation can carry: a context is read, written and listed with it."""
    return len(context) > MAXIMUM_KEYS or len(to_json(context)) > MAXIMUM_CONTEXT


def _not_too_large(context: dict[str, Any]) -> dict[str, Any]:
    if is_too_large(context):
        raise ValueError(f"a context has at most {MAXIMUM_KEYS} keys and {MAXIMUM_CONTEXT // 1024} KB")
    return context


ContextKey = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_not_our_own)]
Context = Annotated[dict[ContextKey, Any], Field(max_length=MAXIMUM_KEYS), AfterValidator(_not_too_large)]


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
    customer_address: str = Field(
        min_length=1, max_length=255, examples=["+5511987654321"], json_schema_extra={"format": "phone"}
    )
    our_address: str | None = Field(
        default=None,
        max_length=255,
        json_schema_extra={"format": "phone"},
        description="One of your connected addresses; may be left out if the channel has one.",
    )
    contact_name: str | None = Field(default=None, max_length=200)
    handler: Handler = Field(
        default=Handler.PERSON, description="BOT lets an AI write in it. Ignored where it is open already."
    )
    context: Context = Field(default_factory=dict)


class ConversationUpdate(Update):
    """What may change about a conversation besides its status, its handler and who has it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"priority": "HIGH"}, {"context": {"order": 42, "former_order": None}}]
        }
    )

    priority: Priority = Field(default_factory=absent)
    context: Context = Field(
        default_factory=absent,
        description="Keys to set; null takes a key away, and those that are not named stay.",
    )


class ConversationAssign(DTO):
    """Whom to give a conversation to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"assignee_id": "me"}, {"assignee_id": 7}]})

    assignee_id: Annotated[StrictInt, Field(ge=1, le=LARGEST_ID)] | Literal["me"] = Field(
        default="me", description="A person's id, or `me` for whoever is signed in."
    )


class ConversationHandoff(DTO):
    """Who answers from now on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"handler": "PERSON", "reason": "The customer asks for a refund."}]}
    )

    handler: Handler
    reason: str | None = Field(default=None, max_length=500)


class ConversationUndoClose(DTO):
    """Why an automatic closing was wrong."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "The customer waits for a parcel."}]}
    )

    reason: str | None = Field(default=None, max_length=500)


class ConversationClose(DTO):
    """How to end a conversation."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "delivered"}]})

    status: ConversationStatus | None = Field(
        default=None,
        description="By default SUPPORT_CLOSED for who signed in as SUPPORT, AGENT_CLOSED for everybody else.",
        json_schema_extra={"enum": [*BY_PEOPLE, None]},
    )
    reason: str | None = Field(default=None, max_length=500)

    @field_validator("status")
    @classmethod
    def _by_people(cls, value: ConversationStatus | None) -> ConversationStatus | None:
        if value is not None and value not in BY_PEOPLE:
            raise ValueError(f"must be one of {', '.join(BY_PEOPLE)}")
        return value


class ConversationExtend(DTO):
    """How much longer a conversation may live."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"minutes": 120}]})

    minutes: StrictInt = Field(default=60, ge=1, le=525_600)


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
    labels: list[LabelResponse] = Field(default_factory=list)
    unread_count: int = Field(default=0, description="What the caller has not read, up to 100.")
    created_at: Moment
    updated_at: Moment
