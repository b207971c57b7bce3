"""Answers to requests that may come again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from owner.db.database import Connection


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer and the fingerprint of the request that it belongs to."""

    fingerprint: bytes
    status: int
    body: bytes
    media_type: str


class IdempotencyKeyRepository:
    """Answers by the caller's key; rows that are too old count as not there."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def find(self, key: str, *, kept_since: datetime) -> KeptAnswer | None:
        row = await self.connection.fetchrow(
            "SELECT fingerprint, status, body, media_type FROM idempotency_keys WHERE key = $1 AND created_at > $2",
            key,
            kept_since,
        )
        return KeptAnswer(**dict(row)) if row else None

    async def put(self, owner_id: int, key: str, answer: KeptAnswer, *, at: datetime) -> None:
        """Keep an answer, in the place of one that is too old."""
        await self.connection.execute(
            """
            INSERT INTO idempotency_keys (owner_id, key, fingerprint, status, body, media_type, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (owner_id, key) DO UPDATE SET
                fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body,
                media_type = excluded.media_type, created_at = excluded.created_at
            """,
            owner_id,
            key,
            answer.fingerprint,
            answer.status,
            answer.body,
            answer.media_type,
            at,
        )

    async def prune(self, *, older_than: timedelta) -> int:
        """Forget the old answers of all owners; none that is younger than a day. Returns how many."""
        gone: int = await self.connection.fetchval("SELECT idempotency_keys_prune($1)", older_than)
        return gone
