"""Opt-outs of addresses that no contact has any more, without the addresses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from owner.db.database import Connection


@dataclass(frozen=True, slots=True)
class Suppression:
    """That somebody wanted no messages; who it was, only their address tells."""

    channel: str
    address_hash: bytes
    opted_out_at: datetime
    source: str


class SuppressionRepository:
    """Keyed hashes, and the owner's key to them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def find_key(self) -> bytes | None:
        """The owner's key, encrypted; None while nothing was ever suppressed."""
        key: bytes | None = await self.connection.fetchval("SELECT key_encrypted FROM suppression_keys")
        return key

    async def add_key(self, owner_id: int, key_encrypted: bytes) -> bytes:
        """Keep the owner's first key; returns the one that counts, which may be somebody else's."""
        key: bytes = await self.connection.fetchval(
            """
            INSERT INTO suppression_keys (owner_id, key_encrypted) VALUES ($1, $2)
            ON CONFLICT (owner_id) DO UPDATE SET owner_id = excluded.owner_id RETURNING key_encrypted
            """,
            owner_id,
            key_encrypted,
        )
        return key

    async def put(self, owner_id: int, suppressions: Sequence[Suppression]) -> None:
        await self.connection.executemany(
            """
            INSERT INTO suppressions (owner_id, channel, address_hash, opted_out_at, source)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (owner_id, channel, address_hash) DO UPDATE SET
                opted_out_at = excluded.opted_out_at, source = excluded.source
            """,
            [
                (owner_id, each.channel, each.address_hash, each.opted_out_at, each.source)
                for each in suppressions
            ],
        )

    async def take(self, channels: Sequence[str], hashes: Sequence[bytes]) -> list[Suppression]:
        """Remove and return those that are there: from now on an address holds what they said."""
        rows = await self.connection.fetch(
            """
            DELETE FROM suppressions USING unnest($1::text[], $2::bytea[]) AS sought (channel, address_hash)
            WHERE suppressions.channel = sought.channel AND suppressions.address_hash = sought.address_hash
            RETURNING suppressions.channel, suppressions.address_hash, opted_out_at, source
            """,
            channels,
            hashes,
        )
        return [Suppression(*row) for row in rows]
