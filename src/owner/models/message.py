"""What was said, by whom, and how far it got."""

from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, HttpUrl, StrictInt, TypeAdapter, field_validator, model_validator

from owner.models import delivery
from owner.models.addresses import Address, canonical
from owner.models.entity import DTO, LARGEST_ID, Entity, Moment
from owner.models.enums import DeliveryStatus, MessageDirection, MessageOwner, MessageType
from owner.models.media import Media, MediaStatus

WRITERS: Final = tuple(writer for writer in MessageOwner if writer is not MessageOwner.USER)
MAXIMUM_LENGTH: Final = 1600  # characters of a body at Twilio
MAXIMUM_MEDIA: Final = 10  # files of one message at Twilio
MAXIMUM_VARIABLES: Final = 100  # of a template at Twilio
TEMPLATE_LOOK: Final = "template"  # key in `metadata`: what a template shows beside its text
_URL: Final = TypeAdapter(HttpUrl)


class Message(Entity):
    """One message of a conversation; `seq` orders them without holes."""

    owner_id: int
    msg_id: int
    conv_id: int
    seq: int
    direction: MessageDirection
    message_owner: MessageOwner
    message_type: MessageType
    content: str
    provider_sid: str | None = None
    delivery_status: DeliveryStatus
    error_code: int | None = None
    error_message: str | None = None
    media_urls: list[str] = Field(default_factory=list)  # outbound: what the provider shall fetch
    content_sid: str | None = None
    content_variables: dict[str, str] | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    is_after_closure: bool = False
    author_id: int | None = None  # the person who wrote it; None for a program and a customer
    attempts: int = 0
    claimed_until: Moment | None = None  # a worker is handing it to the provider
    unconfirmed_at: Moment | None = (
        None  # when, by the provider's clock, an attempt began whose outcome nobody knows
    )
    next_attempt_at: Moment | None = None
    created_at: Moment
    updated_at: Moment

    @property
    def is_conflicted(self) -> bool:
        """Whether the provider said two things that can't both be true."""
        return bool(self.metadata.get("conflicting_status"))

    def advance(
        self,
        to: DeliveryStatus,
        *,
        at: datetime,
        error_code: int | None = None,
        error_message: str | None = None,
    ) -> bool:
        """Move the status forward by rank; say whether anything changed."""
        conflicted = delivery.contradict(self.delivery_status, to)
        forward = delivery.moves_forward(self.delivery_status, to)
        if conflicted:
            loser = self.delivery_status if forward else to
            self.metadata = {**self.metadata, "conflicting_status": loser.value}
        if forward:
            self.delivery_status = to
            self.error_code = error_code
            self.error_message = error_message
        if forward or conflicted:
            self.updated_at = at
        return forward or conflicted

    @property
    def is_unsent(self) -> bool:
        """Whether it waits to be handed to the provider."""
        return self.delivery_status is DeliveryStatus.QUEUED and self.provider_sid is None

    def waits_until(self) -> datetime:
        """When it may be tried next; until then a worker has it in hand, or it rests."""
        moments = (self.created_at, self.claimed_until, self.next_attempt_at)
        return max(moment for moment in moments if moment is not None)

    def begin_attempt(self, *, at: datetime, claim_for: timedelta, provider_time: datetime) -> None:
        """From here until an answer nobody knows whether the provider has it, who dates it by a clock of its own."""
        self.attempts += 1
        self.claimed_until = at + claim_for
        self.unconfirmed_at = self.unconfirmed_at or provider_time
        self.next_attempt_at = None
        self.updated_at = at

    def confirm(self, provider_sid: str, status: DeliveryStatus, *, at: datetime) -> None:
        """The provider has it, under this SID."""
        self.provider_sid = provider_sid
        self.claimed_until = self.unconfirmed_at = self.next_attempt_at = None
        self.advance(status, at=at)
        self.updated_at = at

    def learn_text(self, text: str) -> None:
        """What the provider made of a template whose text was not known when it was queued."""
        if self.content_sid is not None and not self.content:
            self.content = storable(text)[0]

    def fail(self, *, at: datetime, error_code: int | None, error_message: str) -> None:
        """It was not sent and never will be."""
        self.claimed_until = self.unconfirmed_at = self.next_attempt_at = None
        self.advance(DeliveryStatus.FAILED, at=at, error_code=error_code, error_message=error_message)

    def retry(self, *, at: datetime, after: timedelta, is_outcome_known: bool) -> None:
        """Try again later; unless the provider surely did not take it, look it up before."""
        self.claimed_until = None
        self.next_attempt_at = at + after
        if is_outcome_known:
            self.unconfirmed_at = None
        self.updated_at = at


class Attachment(Entity):
    """A file of an inbound message, by the provider's URL."""

    url: str
    content_type: str


class InboundMessage(Entity):
    """What came in, in our words; the provider's own fields are in `metadata`."""

    provider_sid: str
    customer: Address
    company: Address
    content: str
    message_type: MessageType
    attachments: list[Attachment] = Field(default_factory=list)
    profile_name: str | None = None
    button: str | None = None  # payload of a pressed button or chosen list item
    opt_out_type: str | None = None
    messaging_service_sid: str | None = None
    written_at: Moment | None = (
        None  # where nobody told when it was written, and the provider's log was asked
    )
    metadata: dict[str, Any] = Field(default_factory=dict)

    @cached_property
    def customer_key(self) -> Address:
        """The address under which the customer is found again."""
        return canonical(self.customer)


class MessageCreate(DTO):
    """A message to send: text, files or an approved template."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"content": "Olá, Ana! Seu pedido sai hoje às 15h."},
                {"content": "Segue o comprovante.", "media_urls": ["https://example.com/comprovante.pdf"]},
                {"content_sid": "HX0123456789abcdef0123456789abcdef", "content_variables": {"1": "Ana"}},
            ]
        }
    )

    content: str | None = Field(default=None, max_length=MAXIMUM_LENGTH, examples=["Olá! Como posso ajudar?"])
    media_urls: list[Annotated[str, Field(json_schema_extra={"format": "uri"})]] = Field(
        default_factory=list, max_length=MAXIMUM_MEDIA
    )
    content_sid: str | None = Field(default=None, pattern=r"^HX[0-9a-fA-F]{32}$")
    content_variables: dict[str, str] | None = Field(default=None, max_length=MAXIMUM_VARIABLES)
    canned_reply_id: StrictInt | None = Field(
        default=None, ge=1, le=LARGEST_ID, description="A canned reply in the place of `content`."
    )
    message_owner: MessageOwner | None = Field(
        default=None,
        description="Who writes; by default SUPPORT for who signed in as SUPPORT, AGENT for everybody else. "
        "An AI may write while the conversation's handler is BOT.",
        json_schema_extra={"enum": [*WRITERS, None]},
    )
    expected_last_msg_id: StrictInt | None = Field(
        default=None,
        ge=1,
        le=LARGEST_ID,
        description="The newest message that you know: if there is a newer one, nothing is sent.",
    )

    @field_validator("media_urls")
    @classmethod
    def _fetchable(cls, value: list[str]) -> list[str]:
        return [str(_URL.validate_python(url)) for url in value]

    @field_validator("message_owner")
    @classmethod
    def _not_the_customer(cls, value: MessageOwner | None) -> MessageOwner | None:
        if value is MessageOwner.USER:
            raise ValueError("only the customer writes as USER")
        return value

    @model_validator(mode="after")
    def _says_something(self) -> "MessageCreate":
        if self.content_sid and (self.content or self.media_urls):
            raise ValueError("a template (content_sid) goes without content and media_urls")
        if self.content_variables and not self.content_sid:
            raise ValueError("content_variables belong to a template (content_sid)")
        if self.canned_reply_id and (self.content or self.content_sid):
            raise ValueError("a canned reply goes without content and content_sid")
        is_text = bool(self.content and self.content.strip())
        if not (self.content_sid or self.media_urls or self.canned_reply_id or is_text):
            raise ValueError("send content, media_urls, content_sid or canned_reply_id")
        return self

    @property
    def written_by(self) -> MessageOwner:
        return self.message_owner or MessageOwner.AGENT

    @property
    def message_type(self) -> MessageType:
        if self.content_sid:
            return MessageType.TEMPLATE
        return MessageType.DOCUMENT if self.media_urls and not self.content else MessageType.TEXT


class MessageUpdate(DTO):
    """What may change about a message: only how far it got."""

    delivery_status: DeliveryStatus


class MediaResponse(DTO):
    """A file of a message; `url` is served by this API once `is_available`, which the event `media.stored` tells."""

    media_id: int
    content_type: str
    size: int | None
    is_available: bool
    url: str

    @classmethod
    def of(cls, file: Media) -> "MediaResponse":
        return cls(
            media_id=file.media_id,
            content_type=file.content_type,
            size=file.size,
            is_available=file.status is MediaStatus.STORED,
            url=f"/v1/media/{file.media_id}",
        )


class MessageResponse(DTO):
    """A message as the API shows it."""

    msg_id: int
    conv_id: int
    seq: int
    direction: MessageDirection
    message_owner: MessageOwner
    message_type: MessageType
    content: str
    media: list[MediaResponse] = Field(default_factory=list)
    media_urls: list[str]
    content_sid: str | None
    content_variables: dict[str, str] | None
    provider_sid: str | None
    delivery_status: DeliveryStatus
    error_code: int | None
    error_message: str | None
    is_conflicted: bool
    is_after_closure: bool
    metadata: dict[str, Any]
    created_at: Moment
    updated_at: Moment


class StatusCallback(Entity):
    """What the provider says about an outbound message; `msg_id` is ours, from the callback's URL."""

    provider_sid: str
    status: DeliveryStatus | None  # None: a word that we don't know
    msg_id: int | None = None
    error_code: int | None = None
    error_message: str | None = None


def storable(text: str) -> tuple[str, bool]:
    """Text as Postgres can keep it, and whether a NUL had to be replaced."""
    if "\x00" not in text:
        return text, False
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}"), True
