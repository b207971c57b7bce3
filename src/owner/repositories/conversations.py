"""Conversations of one owner."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from owner.models.addresses import Address
from owner.models.conversation import Conversation
from owner.models.errors import ConversationNotFound, OwnerError
from owner.repositories.base import BaseRepository
from owner.repositories.events import EventRepository


class ConversationRepository(BaseRepository[Conversation]):
    """Conversations of one owner; storing one records what happened to it in the same transaction."""

    entity: ClassVar = Conversation
    table: ClassVar = "conversations"
    key: ClassVar = "conv_id"

    async def next_id(self) -> int:
        conv_id: int = await self.connection.fetchval("SELECT nextval('conversations_conv_id_seq')")
        return conv_id

    async def find_open(self, customer: Address, our_address: str) -> Conversation | None:
        """The one open conversation with a customer, locked until the transaction ends."""
        row = await self.connection.fetchrow(
            """
            SELECT * FROM conversations
            WHERE channel = $1 AND customer_address = $2 AND our_address = $3 AND status IN ('PENDING', 'PROGRESS')
            FOR UPDATE
            """,
            customer.channel,
            customer.value,
            our_address,
        )
        return self.read(row) if row else None

    async def find_latest(self, contact_id: int, customer: Address, our_address: str) -> Conversation | None:
        """The newest conversation with a customer at this address, whatever its state."""
        row = await self.connection.fetchrow(
            """
            SELECT * FROM conversations
            WHERE contact_id = $1 AND channel = $2 AND our_address = $3 AND customer_address = $4
            ORDER BY conv_id DESC LIMIT 1
            """,
            contact_id,
            customer.channel,
            our_address,
            customer.value,
        )
        return self.read(row) if row else None

    async def find_open_id(self, customer: Address) -> int | None:
        """An open conversation with a customer, at whichever of our addresses."""
        conv_id: int | None = await self.connection.fetchval(
            """
            SELECT conv_id FROM conversations
            WHERE channel = $1 AND customer_address = $2 AND status IN ('PENDING', 'PROGRESS') LIMIT 1
            """,
            customer.channel,
            customer.value,
        )
        return conv_id

    async def list_open_by_contact(self, contact_id: int) -> list[Conversation]:
        """A contact's open conversations, locked until the transaction ends."""
        rows = await self.connection.fetch(
            """
            SELECT * FROM conversations WHERE contact_id = $1 AND status IN ('PENDING', 'PROGRESS')
            ORDER BY conv_id FOR UPDATE
            """,
            contact_id,
        )
        return [self.read(row) for row in rows]

    async def list_open_ids_of_assignee(self, user_id: int) -> list[int]:
        rows = await self.connection.fetch(
            """
            SELECT conv_id FROM conversations WHERE assignee_id = $1 AND status IN ('PENDING', 'PROGRESS')
            ORDER BY conv_id
            """,
            user_id,
        )
        return [row["conv_id"] for row in rows]

    async def claim_due(self, conv_ids: Sequence[int], *, now: datetime) -> list[Conversation]:
        """Lock those that are still due and that nobody else is working on."""
        rows = await self.connection.fetch(
            """
            SELECT * FROM conversations
            WHERE conv_id = ANY ($1) AND status IN ('PENDING', 'PROGRESS')
              AND (expires_at <= $2 OR idle_at <= $2)
            ORDER BY conv_id FOR UPDATE SKIP LOCKED
            """,
            conv_ids,
            now,
        )
        return [self.read(row) for row in rows]

    async def store_new(self, conversation: Conversation) -> None:
        """Insert a conversation that was opened here, with its events."""
        await self.add({name: getattr(conversation, name) for name in type(conversation).model_fields})
        await EventRepository(self.connection).add_all(conversation.owner_id, conversation.take_events())

    async def save(self, entity: Conversation) -> None:
        await super().save(entity)
        await EventRepository(self.connection).add_all(entity.owner_id, entity.take_events())

    def missing(self, key: int) -> OwnerError:
        return ConversationNotFound(key)
