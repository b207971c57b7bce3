"""Customers and the ways to reach them."""

from datetime import datetime
from typing import Any, ClassVar

from owner.models.addresses import Address
from owner.models.contact import Contact, ContactAddress
from owner.repositories.base import BaseRepository


class ContactRepository(BaseRepository[Contact]):
    """Customers and the ways to reach them."""

    entity: ClassVar = Contact
    table: ClassVar = "contacts"
    key: ClassVar = "contact_id"

    async def find_address(self, address: Address) -> ContactAddress | None:
        """The customer behind a canonical address."""
        row = await self.connection.fetchrow(
            "SELECT * FROM contact_addresses WHERE address = $1 AND channel = $2",
            address.value,
            address.channel,
        )
        return ContactAddress.model_validate(dict(row)) if row else None

    async def find_contact_id(self, value: str) -> int | None:
        """The person who has this number on any channel."""
        contact_id: int | None = await self.connection.fetchval(
            "SELECT contact_id FROM contact_addresses WHERE address = $1 ORDER BY created_at LIMIT 1", value
        )
        return contact_id

    async def add_address(
        self, address: Address, *, owner_id: int, contact_id: int, reply_address: str
    ) -> ContactAddress:
        row = await self.connection.fetchrow(
            """
            INSERT INTO contact_addresses (owner_id, address, channel, reply_address, contact_id)
            VALUES ($1, $2, $3, $4, $5) RETURNING *
            """,
            owner_id,
            address.value,
            address.channel,
            reply_address,
            contact_id,
        )
        assert row is not None
        return ContactAddress.model_validate(dict(row))

    async def opt_out(self, address: Address, *, at: datetime, evidence: dict[str, Any]) -> bool:
        """Note that the customer wants no more messages; say whether that is new."""
        result = await self.connection.execute(
            """
            UPDATE contact_addresses SET opted_out_at = $3, opt_out_evidence = $4
            WHERE address = $1 AND channel = $2 AND opted_out_at IS NULL
            """,
            address.value,
            address.channel,
            at,
            evidence,
        )
        return result == "UPDATE 1"
