"""The two statements of messages that are sent: what waits, and what has changed; of many owners at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from owner.db.database import Connection, note_events
from owner.models.addresses import Address
from owner.models.enums import Channel
from owner.models.event import NewEvent
from owner.models.message import Message
from owner.models.twilio_account import TwilioAccount
from owner.repositories.events import event_row
from owner.repositories.of_owners import changes_by_owner, places_by_owner

_LOAD: Final = "SELECT * FROM load_outbox($1, $2, $3)"
_STORE: Final = "SELECT store_outbox($1)"


@dataclass(frozen=True, slots=True)
class Sought:
    """A conversation, and its message of which an outcome is to be noted."""

    owner_id: int
    conv_id: int
    attempted_id: int | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The first message in line, and where it goes."""

    message: Message
    account: TwilioAccount  # without what sending does not need
    to: Address
    sender: Address


@dataclass(frozen=True, slots=True)
class Line:
    """What was found of a conversation: the message that was tried, and the first of the others that wait."""

    attempted: Message | None
    next: Head | None  # None too where somebody else has it locked


@dataclass(slots=True)
class OutboxChanges:
    """What steps of one owner change."""

    messages: list[Message] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)


class OutboxRepository:
    """Reads and writes in a transaction that has no owner.

    The functions that it calls set one owner after the other, whose rows are all that row level security lets them
    see and write; afterwards there is none again.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def load(self, sought: Sequence[Sought]) -> list[Line | None]:
        """What waits in each conversation, locked; None where somebody else has the message that was tried."""
        order = places_by_owner(sought)
        in_order = [sought[place] for place in order]
        rows = await self.connection.fetch(
            _LOAD,
            [each.owner_id for each in in_order],
            [each.conv_id for each in in_order],
            [each.attempted_id for each in in_order],
        )
        lines: list[Line | None] = [None] * len(sought)
        for place, each, row in zip(order, in_order, rows, strict=True):
            lines[place] = None if row["is_busy"] else _read(row, each.owner_id)
        return lines

    async def store(self, changes: Sequence[tuple[int, OutboxChanges]]) -> None:
        """Write what changed, each with its owner."""
        changed = (change for change in changes if change[1].messages)
        parts = [_part(owner_id, own) for owner_id, own in changes_by_owner(changed)]
        for owner_id, _, events in parts:
            if events:
                note_events(owner_id)
        if parts:
            await self.connection.execute(_STORE, parts)


def _read(row: asyncpg.Record, owner_id: int) -> Line:
    attempted, following = row["attempted"], row["next"]
    return Line(
        attempted=None if attempted is None else _message(attempted, owner_id),
        next=None if following is None else _head(row, owner_id),
    )


def _head(row: asyncpg.Record, owner_id: int) -> Head:
    channel = Channel(row["channel"])
    return Head(
        message=_message(row["next"], owner_id),
        account=TwilioAccount.model_validate({"owner_id": owner_id, **row["account"]}),
        to=Address(channel, row["reply_address"] or row["customer_address"]),
        sender=Address(channel, row["our_address"]),
    )


def _message(row: asyncpg.Record, owner_id: int) -> Message:
    return Message.model_validate({"owner_id": owner_id, **row})


def _part(owner_id: int, changes: Sequence[OutboxChanges]) -> tuple[int, list[Any], list[Any]]:
    """One owner's rows, as the type `outbox_part` has them."""
    return (
        owner_id,
        [_changed_row(message) for change in changes for message in change.messages],
        [event_row(event) for change in changes for event in change.events],
    )


def _changed_row(message: Message) -> tuple[Any, ...]:
    return (
        message.msg_id,
        message.content,
        message.provider_sid,
        message.delivery_status,
        message.error_code,
        message.error_message,
        message.metadata,
        message.attempts,
        message.claimed_until,
        message.unconfirmed_at,
        message.next_attempt_at,
        message.updated_at,
    )
