"""Where integrators of one owner want to be told, and how far they were told about each conversation."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from owner.models.errors import OwnerError, WebhookEndpointNotFound
from owner.models.webhook_endpoint import WebhookEndpoint
from owner.repositories.base import BaseRepository


class WebhookEndpointRepository(BaseRepository[WebhookEndpoint]):
    """Endpoints of one owner. Who changes deliveries of an endpoint locks the endpoint first."""

    entity: ClassVar = WebhookEndpoint
    table: ClassVar = "webhook_endpoints"
    key: ClassVar = "endpoint_id"

    async def find_locked(self, endpoint_id: int) -> WebhookEndpoint | None:
        """One endpoint, locked until the transaction ends; new deliveries for it may still be stored."""
        row = await self.connection.fetchrow(
            "SELECT * FROM webhook_endpoints WHERE endpoint_id = $1 FOR NO KEY UPDATE", endpoint_id
        )
        return self.read(row) if row else None

    async def list_locked(self) -> list[WebhookEndpoint]:
        """All endpoints, locked as `find_locked` does."""
        rows = await self.connection.fetch(
            "SELECT * FROM webhook_endpoints ORDER BY endpoint_id FOR NO KEY UPDATE"
        )
        return [self.read(row) for row in rows]

    async def list_kept(self) -> list[WebhookEndpoint]:
        """All endpoints, none of which can be deleted until the transaction ends."""
        rows = await self.connection.fetch(
            "SELECT * FROM webhook_endpoints ORDER BY endpoint_id FOR KEY SHARE"
        )
        return [self.read(row) for row in rows]

    async def count(self) -> int:
        """How many there are, while nobody can add one."""
        await self.connection.execute("SELECT 1 FROM owners FOR NO KEY UPDATE")
        count: int = await self.connection.fetchval("SELECT count(*) FROM webhook_endpoints")
        return count

    async def wake(self, endpoint_ids: Sequence[int], *, at: datetime) -> None:
        """Note that something waits for them."""
        await self.connection.execute(
            """
            UPDATE webhook_endpoints SET due_at = LEAST(due_at, $2) WHERE endpoint_id IN (
                SELECT endpoint_id FROM webhook_endpoints WHERE endpoint_id = ANY ($1)
                ORDER BY endpoint_id FOR NO KEY UPDATE
            )
            """,
            endpoint_ids,
            at,
        )

    async def plan_next(self, endpoint_id: int, *, now: datetime) -> None:
        """Note when something waits for it next. The endpoint has to be locked.

        What is overdue counts as due now, so that whoever was served goes to the end of the queue.
        """
        await self.connection.execute(
            """
            UPDATE webhook_endpoints SET due_at = (
                SELECT GREATEST($2, next_attempt_at) FROM webhook_deliveries
                WHERE endpoint_id = $1 AND status = 'PENDING' ORDER BY next_attempt_at LIMIT 1
            ) WHERE endpoint_id = $1
            """,
            endpoint_id,
            now,
        )

    async def take_sequences(
        self, owner_id: int, counts: Mapping[tuple[int, int], int]
    ) -> dict[tuple[int, int], int]:
        """Reserve as many numbers as are wanted for each endpoint and conversation. Returns the first of each."""
        wanted = sorted(counts)
        rows = await self.connection.fetch(
            """
            INSERT INTO webhook_sequences (owner_id, endpoint_id, conv_id, last_sequence)
            SELECT $1, endpoint_id, conv_id, count
            FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS wanted (endpoint_id, conv_id, count)
            ON CONFLICT (owner_id, endpoint_id, conv_id)
                DO UPDATE SET last_sequence = webhook_sequences.last_sequence + excluded.last_sequence
            RETURNING endpoint_id, conv_id, last_sequence
            """,
            owner_id,
            [endpoint_id for endpoint_id, _ in wanted],
            [conv_id for _, conv_id in wanted],
            [counts[pair] for pair in wanted],
        )
        last = {(row["endpoint_id"], row["conv_id"]): row["last_sequence"] for row in rows}
        return {pair: last[pair] - counts[pair] + 1 for pair in wanted}

    def missing(self, key: int) -> OwnerError:
        return WebhookEndpointNotFound(key)
