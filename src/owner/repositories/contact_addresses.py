"""The ways to reach a contact, and whether each is wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from owner.db.database import Connection
from owner.models.addresses import Address
from owner.models.contact import ContactAddress
from owner.models.enums import ConsentSource


@dataclass(frozen=True, slots=True)
class Recipient:
    """What decides whether somebody may be written to."""

    opted_out_at: datetime | None
    blocked_at: datetime | None


class ContactAddressRepository:
    """Addresses in their canonical form; each belongs to one contact."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def find(self, address: Address, *, for_update: bool = False) -> ContactAddress | None:
        lock = " FOR UPDATE" if for_update else ""
        row = await self.connection.fetchrow(
            f"SELECT * FROM contact_addresses WHERE address = $1 AND channel = $2{lock}",  # nosec B608 # a constant
            address.value,
            address.channel,
        )
        return _read(row) if row else None

    async def find_recipient(self, address: Address) -> Recipient | None:
        row = await self.connection.fetchrow(
            """
            SELECT opted_out_at, blocked_at FROM contact_addresses
            JOIN contacts USING (owner_id, contact_id) WHERE address = $1 AND channel = $2
            """,
            address.value,
            address.channel,
        )
        return Recipient(*row) if row else None

    async def find_contact_id(self, value: str) -> int | None:
        """The person who has this number on any channel."""
        contact_id: int | None = await self.connection.fetchval(
            "SELECT contact_id FROM contact_addresses WHERE address = $1 ORDER BY created_at LIMIT 1", value
        )
        return contact_id

    async def list_by_contacts(self, contact_ids: Sequence[int]) -> list[ContactAddress]:
        rows = await self.connection.fetch(
            "SELECT * FROM contact_addresses WHERE contact_id = ANY ($1) ORDER BY contact_id, created_at, address, channel",
            contact_ids,
        )
        return [_read(row) for row in rows]

    async def list_by_values(self, values: Sequence[str]) -> list[ContactAddress]:
        """Whoever has these numbers on any channel."""
        rows = await self.connection.fetch(
            "SELECT * FROM contact_addresses WHERE address = ANY ($1) ORDER BY created_at, channel", values
        )
        return [_read(row) for row in rows]

    async def add_all(self, addresses: Sequence[ContactAddress]) -> None:
        await self.connection.executemany(
            """
            INSERT INTO contact_addresses
                (owner_id, address, channel, reply_address, contact_id, opted_out_at, opt_out_evidence, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            [
                (
                    address.owner_id,
                    address.address,
                    address.channel,
                    address.reply_address,
                    address.contact_id,
                    address.opted_out_at,
                    address.opt_out_evidence,
                    address.created_at,
                )
                for address in addresses
            ],
        )

    async def opt_out(
        self, address: Address, *, at: datetime, source: ConsentSource, evidence: dict[str, Any]
    ) -> int | None:
        """Note that a customer wants no more messages. Returns whose address it is if that says anything new.

        What the customer said outranks what the company noted for them: only the customer can take it back.
        """
        customers_own = [each.lower() for each in ConsentSource if each.is_customers_own]
        contact_id: int | None = await self.connection.fetchval(
            """
            UPDATE contact_addresses SET opted_out_at = COALESCE(opted_out_at, $3), opt_out_evidence = $4
            WHERE address = $1 AND channel = $2
              AND (opted_out_at IS NULL OR ($5 AND NOT opt_out_evidence->>'by' = ANY ($6)))
            RETURNING contact_id
            """,
            address.value,
            address.channel,
            at,
            {**evidence, "by": source.lower()},
            source.is_customers_own,
            customers_own,
        )
        return contact_id

    async def opt_in(self, address: Address) -> None:
        await self.connection.execute(
            """
            UPDATE contact_addresses SET opted_out_at = NULL, opt_out_evidence = NULL
            WHERE address = $1 AND channel = $2
            """,
            address.value,
            address.channel,
        )

    async def move(self, addresses: Sequence[Address], *, from_id: int, to_id: int) -> None:
        await self.connection.executemany(
            "UPDATE contact_addresses SET contact_id = $4 WHERE address = $1 AND channel = $2 AND contact_id = $3",
            [(address.value, address.channel, from_id, to_id) for address in sorted(addresses)],
        )

    async def remove(self, address: Address) -> None:
        await self.connection.execute(
            "DELETE FROM contact_addresses WHERE address = $1 AND channel = $2",
            address.value,
            address.channel,
        )


def _read(row: "asyncpg.Record") -> ContactAddress:
    return ContactAddress.model_validate(dict(row))
