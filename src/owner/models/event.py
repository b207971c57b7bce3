"""What happened, to be told later: history, webhooks, streams and reports read these rows only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from owner.models.entity import DTO, Entity, Moment
from owner.models.enums import ActorKind

EVENT_TYPES: Final[Mapping[str, str]] = {
    "api_key.created": "a program got a key",
    "api_key.revoked": "a program's key was ended",
    "api_key.rotated": "a program's key was replaced; `valid_until` says how long the former one goes on",
    "canned_reply.created": "a canned reply was kept",
    "canned_reply.deleted": "a canned reply is gone",
    "canned_reply.updated": "a canned reply changed",
    "channel.connected": "a Twilio account was connected",
    "channel.degraded": "Twilio does not answer for an account any more: its messages wait",
    "channel.disconnected": "a Twilio account was disconnected",
    "channel.drifted": "Twilio delivers messages of some of an account's numbers elsewhere; `subjects` says of how many",
    "channel.paused": "Twilio refused an account's credentials: sending waits",
    "channel.recovered": "Twilio answers for an account again",
    "channel.updated": "a Twilio account changed",
    "closure.cleared": "a suspicion that the customer is done came to nothing",
    "closure.shadowed": "the detector would have acted, but only watches",
    "closure.suspected": "the customer may be done",
    "contact.blocked": "a customer is not listened to any more",
    "contact.created": "a customer is new",
    "contact.erased": "everything that a customer said and is was erased",
    "contact.merge_undone": "two customers are two again",
    "contact.merged": "two customers were found to be one; `contact_id` is the one that stays",
    "contact.opted_in": "a customer wants messages again",
    "contact.opted_out": "a customer wants no more messages",
    "contact.unblocked": "a customer may write again",
    "contact.updated": "what is known of a customer changed; `fields` says what",
    "conversation.assigned": "a person got a conversation; `assignee_from` had it before",
    "conversation.closed": "a conversation ended; `status_to` says how",
    "conversation.extended": "a conversation may live longer",
    "conversation.handed_off": "a bot or a person answers from now on; `handler_to` says which",
    "conversation.labeled": "a label was put on a conversation",
    "conversation.opened": "a conversation began",
    "conversation.reopened": "an automatic end was undone",
    "conversation.status_changed": "a conversation was answered",
    "conversation.unassigned": "nobody has a conversation any more",
    "conversation.updated": "a conversation's priority or context changed; `fields` names what",
    "feature.created": "a feature was configured",
    "feature.deleted": "a feature was forgotten",
    "feature.updated": "a feature was switched on or off, or configured anew",
    "conversation.unlabeled": "a label was taken off a conversation",
    "label.created": "a label was made",
    "label.deleted": "a label is gone from everywhere",
    "label.updated": "a label changed",
    "media.failed": "a customer's file could not be had from Twilio, and is not asked for any more",
    "media.stored": "a customer's file is here: `GET /v1/media/{media_id}` answers",
    "message.accepted": "Twilio took a message",
    "message.canceled": "a scheduled message was called off",
    "message.delivered": "a phone has a message",
    "message.failed": "a message was not sent",
    "message.queued": "a message waits to be sent",
    "message.read": "a customer opened a message",
    "message.received": "a customer wrote",
    "message.sent": "the carrier took a message",
    "message.undelivered": "the carrier gave a message back",
    "note.created": "somebody wrote a note about a conversation",
    "note.deleted": "a note is gone",
    "note.updated": "a note was rewritten",
    "owner.created": "a company was set up",
    "owner.resumed": "the operator let a company in again",
    "owner.suspended": "the operator shut a company's people and programs out",
    "owner.updated": "a company changed its settings; `fields` names them",
    "quarantine.discarded": "a refused webhook was thrown away",
    "quarantine.replayed": "a refused webhook was taken in",
    "webhook.created": "an endpoint of outbound webhooks was added",
    "webhook.deleted": "an endpoint was taken away, with its log",
    "webhook.disabled": "an endpoint gets nothing any more; `reason` says why",
    "webhook.enabled": "an endpoint is told again",
    "webhook.replayed": "deliveries to an endpoint are sent again",
    "webhook.secret_rotated": "an endpoint's deliveries are signed with a new secret",
    "webhook.test": "an endpoint is being tried out",
    "webhook.updated": "an endpoint's URL, types or description changed",
    "session.ended": "a person signed out of a session",
    "session.started": "a person signed in",
    "user.invited": "a person was invited",
    "user.password_set": "a person chose a password; their other sessions ended",
    "user.second_factor_disabled": "a person signs in without a second factor again",
    "user.second_factor_enabled": "a person signs in with a second factor from now on",
    "user.updated": "a person's name, role or access changed",
}
"""Every type of event, for those who choose which to be told of; nothing else is ever recorded."""


def known_type(value: str) -> str:
    """The type, if there is one; raises ValueError otherwise."""
    if value not in EVENT_TYPES:
        raise ValueError(f"there is no event type {value!r}; there are {', '.join(EVENT_TYPES)}")
    return value


class Actor(NamedTuple):
    """Who or what did it; `id` is a user's or an API key's."""

    kind: ActorKind
    id: int | None = None


CUSTOMER = Actor(ActorKind.CUSTOMER)
DETECTOR = Actor(ActorKind.DETECTOR)
TIMER = Actor(ActorKind.TIMER)
PROVIDER = Actor(ActorKind.PROVIDER)
SYSTEM = Actor(ActorKind.SYSTEM)


@dataclass(slots=True, frozen=True)
class NewEvent:
    """An event before it has a row. `data` never holds message text, addresses or secrets."""

    type: str
    actor: Actor
    conv_id: int | None = None
    msg_id: int | None = None
    contact_id: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


class FeedPosition(NamedTuple):
    """A place between events: everything up to (xid, event_id) has been read."""

    xid: int
    event_id: int

    def seen_from(self, end: "FeedPosition") -> "FeedPosition":
        """This place, given where the feed ends now.

        One beyond the end is from before a restore on another server, whose events have been numbered anew.
        """
        if self.xid <= end.xid:
            return self
        return FeedPosition(1, self.event_id) if self.event_id else end


BEGINNING: Final = FeedPosition(0, 0)


class Event(Entity):
    """An event as it was recorded. Readers go by (xid, event_id): identity values commit out of order."""

    owner_id: int
    event_id: int
    xid: int
    type: str
    actor_kind: ActorKind
    actor_id: int | None
    conv_id: int | None
    msg_id: int | None
    contact_id: int | None
    data: dict[str, Any]
    created_at: Moment

    @property
    def position(self) -> FeedPosition:
        return FeedPosition(self.xid, self.event_id)


class EventResponse(DTO):
    """An event as the API shows it."""

    event_id: int
    type: str
    actor_kind: ActorKind
    actor_id: int | None
    conv_id: int | None
    msg_id: int | None
    contact_id: int | None
    data: dict[str, Any]
    created_at: Moment


class HistoryEvent(EventResponse):
    """An event of one conversation, with the name of the person or program behind it."""

    actor_name: str | None


class FeedEventResponse(EventResponse):
    """An event as the list and the stream of all events show it; `cursor` goes on after it."""

    cursor: str
