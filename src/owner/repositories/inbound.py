"""The two statements of an inbound message: what is known, and what has changed."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from owner.db.database import Connection, note_events
from owner.models.consent import NewConsent
from owner.models.contact import Contact, ContactAddress
from owner.models.conversation import Conversation
from owner.models.enums import MessageDirection
from owner.models.event import NewEvent
from owner.models.message import Attachment, InboundMessage, Message
from owner.repositories.named_sql import load_sql
from owner.repositories.suppressions import Suppression

_SQL: Final = load_sql("inbound")
_HISTORY: Final = 10  # turns that the closure detector reads
_COLUMNS: Final = tuple(Conversation.model_fields)


@dataclass(slots=True)
class Known:
    """What the database knows when a message arrives; ids are ready for what may be new."""

    duplicate_of: int | None
    contact_id: int | None
    address: ContactAddress | None
    conversation: Conversation | None
    history: list[tuple[MessageDirection, str]]
    new_contact_id: int | None
    new_conv_id: int | None
    new_msg_id: int
    goodbye_msg_id: int | None = None
    blocked_at: datetime | None = None
    may_be_suppressed: bool = (
        False  # the address is new here, and the owner remembers opt-outs without addresses
    )
    suppression: Suppression | None = None


@dataclass(slots=True)
class InboundChanges:
    """Whole rows to insert or to change, all in one statement."""

    contacts: list[Contact] = field(default_factory=list)
    addresses: list[ContactAddress] = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)  # of the first message
    events: list[NewEvent] = field(default_factory=list)
    consents: list[NewConsent] = field(default_factory=list)
    words: list[str] = field(default_factory=list)  # of the first contact


class InboundRepository:
    """Reads and writes across the tables of one conversation."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def load(
        self, inbound: InboundMessage, *, owner_id: int, now: datetime, may_say_goodbye: bool = False
    ) -> Known:
        """What is known about a message and its sender; their conversation is locked.

        The caller holds the lock of the customer and our address, so that nobody else opens a conversation.
        """
        customer = inbound.customer_key
        row = await self.connection.fetchrow(
            _SQL["load_inbound"],
            customer.value,
            customer.channel,
            inbound.company.value,
            inbound.provider_sid,
            _HISTORY,
            now,
            may_say_goodbye,
        )
        assert row is not None
        known = dict(row)
        return Known(
            duplicate_of=known["duplicate_of"],
            contact_id=known["known_contact_id"],
            address=_read_address(known, inbound, owner_id) if known["is_this_channel"] else None,
            conversation=_read_conversation(known),
            history=[(MessageDirection(direction), content) for direction, content in known["history"] or ()],
            new_contact_id=known["new_contact_id"],
            new_conv_id=known["new_conv_id"],
            new_msg_id=known["new_msg_id"],
            goodbye_msg_id=known["goodbye_msg_id"],
            blocked_at=known["blocked_at"],
            may_be_suppressed=known["may_be_suppressed"] or False,
        )

    async def store(self, owner_id: int, changes: InboundChanges) -> list[int]:
        """Write all changes. Returns the ids of the files that are to be fetched."""
        note_events(owner_id)
        rows = await self.connection.fetch(
            _SQL["store_inbound"],
            changes.contacts,
            changes.addresses,
            changes.conversations,
            changes.messages,
            _media_rows(owner_id, changes),
            [_event_row(owner_id, event) for event in changes.events],
            [_consent_row(owner_id, consent) for consent in changes.consents],
            _word_rows(owner_id, changes),
        )
        return [row["media_id"] for row in rows]


def _read_address(known: dict[str, Any], inbound: InboundMessage, owner_id: int) -> ContactAddress:
    customer = inbound.customer_key
    return ContactAddress.model_construct(
        owner_id=owner_id,
        channel=customer.channel,
        address=customer.value,
        reply_address=known["known_reply_address"],
        contact_id=known["known_contact_id"],
        opted_out_at=known["opted_out_at"],
        opt_out_evidence=known["opt_out_evidence"],
        created_at=known["known_since"],
    )


def _read_conversation(known: dict[str, Any]) -> Conversation | None:
    if known["conv_id"] is None:
        return None
    return Conversation.model_validate({column: known[column] for column in _COLUMNS})


def _media_rows(owner_id: int, changes: InboundChanges) -> list[dict[str, Any]]:
    return [
        {
            "owner_id": owner_id,
            "msg_id": changes.messages[0].msg_id,
            "position": position,
            "provider_url": attachment.url,
            "content_type": attachment.content_type,
        }
        for position, attachment in enumerate(changes.attachments)
    ]


def _event_row(owner_id: int, event: NewEvent) -> dict[str, Any]:
    return {
        "owner_id": owner_id,
        "type": event.type,
        "actor_kind": event.actor.kind,
        "actor_id": event.actor.id,
        "conv_id": event.conv_id,
        "msg_id": event.msg_id,
        "contact_id": event.contact_id,
        "data": event.data,
    }


def _consent_row(owner_id: int, consent: NewConsent) -> dict[str, Any]:
    return {
        "owner_id": owner_id,
        "contact_id": consent.contact_id,
        "channel": consent.address.channel,
        "address": consent.address.value,
        "change": consent.change,
        "source": consent.source,
        "evidence": consent.evidence,
        "actor_kind": consent.actor.kind,
        "actor_id": consent.actor.id,
        "created_at": consent.at,
    }


def _word_rows(owner_id: int, changes: InboundChanges) -> list[dict[str, Any]]:
    return [
        {"owner_id": owner_id, "word": word, "contact_id": changes.contacts[0].contact_id}
        for word in changes.words
    ]
