"""What the API answers, as typed objects; fields that a later version adds come along untyped."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """What every answer has in common."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Conversation(Answer):
    """One exchange with one customer."""

    conv_id: int
    status: str
    channel: str
    contact_id: int
    customer_address: str
    our_address: str
    assignee_id: int | None = None
    priority: str
    context: dict[str, Any]
    started_at: datetime
    last_activity_at: datetime
    expires_at: datetime
    closed_at: datetime | None = None
    closed_by: str | None = None
    closed_reason: str | None = None
    previous_conv_id: int | None = None

    @property
    def is_open(self) -> bool:
        return self.status in {"PENDING", "PROGRESS"}


class Message(Answer):
    """One message, and how far it got."""

    msg_id: int
    conv_id: int
    seq: int
    direction: str
    message_owner: str
    message_type: str
    content: str
    provider_sid: str | None = None
    delivery_status: str
    error_code: int | None = None
    error_message: str | None = None
    created_at: datetime


class Event(Answer):
    """Something that happened."""

    event_id: int
    type: str
    actor_kind: str
    actor_id: int | None = None
    conv_id: int | None = None
    msg_id: int | None = None
    contact_id: int | None = None
    data: dict[str, Any]
    created_at: datetime


class Contact(Answer):
    """A customer."""

    contact_id: int
    name: str | None = None


class Note(Answer):
    """An internal note."""

    note_id: int
    conv_id: int
    content: str
    created_at: datetime


class Label(Answer):
    """A word on conversations."""

    label_id: int
    name: str
    color: str


class CannedReply(Answer):
    """An answer by its shortcut."""

    canned_reply_id: int
    shortcut: str
    content: str


class User(Answer):
    """A person of the company."""

    user_id: int
    email: str
    name: str
    role: str


class ApiKey(Answer):
    """A program's key; `api_key` is the key itself, shown once, when it is made."""

    api_key_id: int
    name: str
    prefix: str
    scopes: list[str]
    api_key: str | None = None


class Owner(Answer):
    """A company and how its conversations behave."""

    owner_id: int
    name: str


class Feature(Answer):
    """A capability and its configuration."""

    feature_id: int
    name: str
    enabled: bool
    config_json: dict[str, Any]


class TwilioAccount(Answer):
    """An account at Twilio; its token is never shown."""

    twilio_account_id: int
    account_sid: str
    phone_numbers: list[str]
    inbound_url: str
    status_url: str


class Template(Answer):
    """A text that WhatsApp has been asked to approve; send it by its `content_sid`."""

    content_sid: str
    name: str
    language: str
    status: str
    body: str
    variables: list[str]
    examples: dict[str, str]
    buttons: list[str]
    footer: str | None = None
    cards: list[dict[str, Any]] = []


class WebhookEndpoint(Answer):
    """Where events are delivered to; `secret` is shown when it is made or rotated."""

    endpoint_id: int
    url: str
    secret: str | None = None


class WebhookDelivery(Answer):
    """One event on its way to one endpoint."""

    delivery_id: int
    endpoint_id: int
    status: str
