"""What waits to be sent in a conversation, as a worker takes it in hand."""

from dataclasses import dataclass
from typing import Final

from owner.db.database import Connection
from owner.models.addresses import Address
from owner.models.enums import Channel
from owner.models.message import Message
from owner.models.twilio_account import TwilioAccount
from owner.repositories.named_sql import load_sql

_SQL: Final = load_sql("outbox")


@dataclass(frozen=True, slots=True)
class Head:
    """The first message in line, and where it goes."""

    message: Message
    account: TwilioAccount
    to: Address
    sender: Address


class OutboxRepository:
    """Reads the head of a conversation's line."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def claim_head(self, conv_id: int) -> Head | None:
        """The first message that waits, locked; None where nothing does, or somebody else has it locked."""
        row = await self.connection.fetchrow(_SQL["claim_head"], conv_id)
        if row is None:
            return None
        channel = Channel(row["channel"])
        return Head(
            message=Message.model_validate(dict(row["message"])),
            account=TwilioAccount.model_validate(dict(row["account"])),
            to=Address(channel, row["reply_address"] or row["customer_address"]),
            sender=Address(channel, row["our_address"]),
        )
