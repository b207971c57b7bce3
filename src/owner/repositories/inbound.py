"""The two statements of inbound messages: what is known, and what has changed; of many owners at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import asyncpg

from owner.db.database import Connection, note_events
from owner.models.consent import NewConsent
from owner.models.contact import Contact, ContactAddress
from owner.models.conversation import Conversation
from owner.models.enums import MessageDirection
from owner.models.event import NewEvent
from owner.models.message import Attachment, InboundMessage, Message
from owner.repositories.events import event_row
from owner.repositories.of_owners import places_by_owner
from owner.repositories.suppressions import Suppression

_HISTORY: Final = 10  # turns that the closure detector reads
_LOAD: Final = "SELECT * FROM load_inbound($1, $2, $3, $4, $5, $6, $7, $8, $9)"
_STORE: Final = "SELECT * FROM store_arrivals($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"


@dataclass(frozen=True, slots=True)
class Sought:
    """A message about which to ask what is known."""

    owner_id: int
    inbound: InboundMessage
    customer_lock: int
    may_say_goodbye: bool = False  # which needs an id too


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
    """What one message changes: whole rows to insert, and addresses and conversations to change."""

    owner_id: int
    contacts: list[Contact] = field(default_factory=list)
    addresses: list[ContactAddress] = field(default_factory=list)
    changed_addresses: list[ContactAddress] = field(default_factory=list)
    changed: list[Conversation] = field(default_factory=list)
    opened: list[Conversation] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)  # of the first message
    events: list[NewEvent] = field(default_factory=list)
    consents: list[NewConsent] = field(default_factory=list)
    words: list[str] = field(default_factory=list)  # of the first contact


class InboundRepository:
    """Reads and writes across the tables of conversations, in a transaction that has no owner.

    The functions that it calls set one owner after the other, whose rows are all that row level security lets them
    see and write; afterwards there is none again. Rows of several owners may go in by one statement: the setting
    follows from row to row.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def load(self, sought: Sequence[Sought], *, now: datetime) -> list[Known | None]:
        """What is known about each message and its sender; None where somebody else is at work on that customer.

        Until the end of the transaction the customers are locked, and so are their conversations.
        """
        order = places_by_owner(sought)
        in_order = [sought[place] for place in order]
        customers = [each.inbound.customer_key for each in in_order]
        rows = await self.connection.fetch(
            _LOAD,
            [each.owner_id for each in in_order],
            [each.customer_lock for each in in_order],
            [customer.value for customer in customers],
            [customer.channel for customer in customers],
            [each.inbound.company.value for each in in_order],
            [each.inbound.provider_sid for each in in_order],
            [each.may_say_goodbye for each in in_order],
            now,
            _HISTORY,
        )
        known: list[Known | None] = [None] * len(sought)
        for place, each, row in zip(order, in_order, rows, strict=True):
            known[place] = None if row["is_busy"] else _read(row, each)
        return known

    async def store(self, changes: Sequence[InboundChanges], *, now: datetime) -> list[tuple[int, int]]:
        """Write what changed. Returns owners and ids of the files that are to be fetched."""
        in_order = [changes[place] for place in places_by_owner(changes)]
        for each in in_order:
            note_events(each.owner_id)
        rows = await self.connection.fetch(
            _STORE,
            [_contact_row(contact, each.words) for each in in_order for contact in each.contacts],
            [_address_row(address) for each in in_order for address in each.addresses],
            [_address_row(address) for each in in_order for address in each.changed_addresses],
            [_changed_row(conversation) for each in in_order for conversation in each.changed],
            [_opened_row(conversation) for each in in_order for conversation in each.opened],
            [_message_row(message) for each in in_order for message in each.messages],
            [row for each in in_order for row in _file_rows(each)],
            [(each.owner_id, *event_row(event)) for each in in_order for event in each.events],
            [_consent_row(each.owner_id, consent) for each in in_order for consent in each.consents],
            now,
        )
        return [(row["owner_id"], row["media_id"]) for row in rows]


def _read(row: asyncpg.Record, sought: Sought) -> Known:
    return Known(
        duplicate_of=row["duplicate_of"],
        contact_id=row["contact_id"],
        address=_read_address(row, sought) if row["is_this_channel"] else None,
        conversation=_read_conversation(row["conversation"], sought.owner_id),
        history=[
            (MessageDirection(direction), content)
            for direction, content in zip(
                reversed(row["said_by"] or ()), reversed(row["said"] or ()), strict=True
            )
        ],
        new_contact_id=row["new_contact_id"],
        new_conv_id=row["new_conv_id"],
        new_msg_id=row["new_msg_id"],
        goodbye_msg_id=row["goodbye_msg_id"],
        blocked_at=row["blocked_at"],
        may_be_suppressed=row["may_be_suppressed"] or False,
    )


def _read_address(row: asyncpg.Record, sought: Sought) -> ContactAddress:
    customer = sought.inbound.customer_key
    return ContactAddress.model_construct(
        owner_id=sought.owner_id,
        channel=customer.channel,
        address=customer.value,
        reply_address=row["reply_address"],
        contact_id=row["contact_id"],
        opted_out_at=row["opted_out_at"],
        opt_out_evidence=row["opt_out_evidence"],
        created_at=row["known_since"],
    )


def _read_conversation(row: asyncpg.Record | None, owner_id: int) -> Conversation | None:
    # Not built without validation: that takes longer, because it is done in Python.
    return None if row is None else Conversation.model_validate({"owner_id": owner_id, **row})


def _contact_row(contact: Contact, words: list[str]) -> tuple[Any, ...]:
    return (contact.owner_id, contact.contact_id, contact.name, contact.name_key, words)


def _address_row(address: ContactAddress) -> tuple[Any, ...]:
    return (
        address.owner_id,
        address.address,
        address.channel,
        address.reply_address,
        address.contact_id,
        address.opted_out_at,
        address.opt_out_evidence,
        address.created_at,
    )


def _opened_row(conversation: Conversation) -> tuple[Any, ...]:
    return (
        conversation.owner_id,
        conversation.conv_id,
        conversation.status,
        conversation.channel,
        conversation.contact_id,
        conversation.customer_address,
        conversation.our_address,
        conversation.twilio_account_id,
        conversation.context,
        conversation.last_seq,
        conversation.last_inbound_at,
        conversation.expires_at,
        conversation.waiting_since,
        conversation.idle_after,
        conversation.reopen_grace,
        conversation.closed_at,
        conversation.closed_by,
        conversation.closed_reason,
        conversation.status_before_close,
        conversation.previous_conv_id,
    )


def _changed_row(conversation: Conversation) -> tuple[Any, ...]:
    return (
        conversation.owner_id,
        conversation.conv_id,
        conversation.status,
        conversation.context,
        conversation.last_seq,
        conversation.last_activity_at,
        conversation.last_inbound_at,
        conversation.expires_at,
        conversation.waiting_since,
        conversation.idle_at,
        conversation.closed_at,
        conversation.closed_by,
        conversation.closed_by_id,
        conversation.closed_reason,
        conversation.status_before_close,
    )


def _message_row(message: Message) -> tuple[Any, ...]:
    return (
        message.owner_id,
        message.msg_id,
        message.conv_id,
        message.seq,
        message.direction,
        message.message_owner,
        message.message_type,
        message.content,
        message.provider_sid,
        message.delivery_status,
        message.metadata,
        message.is_after_closure,
    )


def _file_rows(changes: InboundChanges) -> Iterable[tuple[Any, ...]]:
    for position, attachment in enumerate(changes.attachments):
        yield changes.owner_id, changes.messages[0].msg_id, position, attachment.url, attachment.content_type


def _consent_row(owner_id: int, consent: NewConsent) -> tuple[Any, ...]:
    return (
        owner_id,
        consent.contact_id,
        consent.address.channel,
        consent.address.value,
        consent.change,
        consent.source,
        consent.evidence,
        consent.actor.kind,
        consent.actor.id,
    )
