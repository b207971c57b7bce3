"""What is sent to endpoints of one owner, and what was answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, NamedTuple

from owner.models.entity import Page
from owner.models.errors import InvalidCursor, OwnerError, WebhookDeliveryNotFound
from owner.models.webhook_delivery import MAXIMUM_REPLAYED, WebhookDelivery, WebhookDeliveryStatus
from owner.repositories.base import (
    MAXIMUM_PAGE,
    BaseRepository,
    page_of,
    read_cursor,
    read_moment,
    read_position,
    write_cursor,
)

_LIST: Final = "webhook_deliveries by created_at"
_REPLAY: Final = "webhook_deliveries replayed by delivery_id"
_CONSIDERED: Final = 500  # due deliveries that are looked at for one whose conversation is free


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery before it has a row."""

    endpoint_id: int
    event_id: int
    event_type: str
    conv_id: int | None
    sequence: int | None
    payload: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries to list; None leaves nothing out."""

    endpoint_id: int | None = None
    status: WebhookDeliveryStatus | None = None
    event_type: str | None = None
    conv_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


class Claimed(NamedTuple):
    """How many deliveries workers have in hand right now."""

    of_endpoint: int
    of_owner: int


class WebhookDeliveryRepository(BaseRepository[WebhookDelivery]):
    """Deliveries of one owner."""

    entity: ClassVar = WebhookDelivery
    table: ClassVar = "webhook_deliveries"
    key: ClassVar = "delivery_id"

    async def add_all(self, owner_id: int, new: Sequence[NewDelivery], *, due_at: datetime) -> None:
        """Store what has to be sent; what is there already stays as it is."""
        await self.connection.execute(
            """
            INSERT INTO webhook_deliveries
                (owner_id, endpoint_id, event_id, event_type, conv_id, sequence, payload, created_at, next_attempt_at)
            SELECT $1, endpoint_id, event_id, event_type, conv_id, sequence, payload, created_at, $9
            FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::text[],
                        $8::timestamptz[]) WITH ORDINALITY
                AS new (endpoint_id, event_id, event_type, conv_id, sequence, payload, created_at, place)
            ORDER BY place
            ON CONFLICT DO NOTHING
            """,
            owner_id,
            [delivery.endpoint_id for delivery in new],
            [delivery.event_id for delivery in new],
            [delivery.event_type for delivery in new],
            [delivery.conv_id for delivery in new],
            [delivery.sequence for delivery in new],
            [delivery.payload for delivery in new],
            [delivery.created_at for delivery in new],
            due_at,
        )

    async def get_of_event(self, endpoint_id: int, event_id: int) -> WebhookDelivery:
        row = await self.connection.fetchrow(
            "SELECT * FROM webhook_deliveries WHERE endpoint_id = $1 AND event_id = $2", endpoint_id, event_id
        )
        assert row is not None
        return self.read(row)

    async def count_claimed(self, endpoint_id: int, *, now: datetime) -> Claimed:
        row = await self.connection.fetchrow(
            """
            SELECT count(*) FILTER (WHERE endpoint_id = $1), count(*)
            FROM webhook_deliveries WHERE claimed_until > $2
            """,
            endpoint_id,
            now,
        )
        assert row is not None
        return Claimed(*row)

    async def find_next_due(self, endpoint_id: int, *, now: datetime) -> WebhookDelivery | None:
        """The delivery to try next, locked.

        One whose conversation has an earlier one that is due too, or one on its way, is left for later: within a
        conversation they go one by one, in order.
        """
        # Sub-selects that can't become joins: however large the backlog, and whatever the planner knows of it, this
        # looks at a few rows.
        row = await self.connection.fetchrow(
            """
            SELECT * FROM webhook_deliveries WHERE (delivery_id, created_at) = (
                SELECT delivery_id, created_at FROM (
                    SELECT delivery_id, created_at, conv_id, sequence FROM webhook_deliveries
                    WHERE endpoint_id = $1 AND status = 'PENDING' AND next_attempt_at <= $2
                    ORDER BY next_attempt_at, delivery_id LIMIT $3
                ) AS due
                WHERE conv_id IS NULL OR (
                    conv_id <> ALL (ARRAY(
                        SELECT conv_id FROM webhook_deliveries
                        WHERE claimed_until > $2 AND endpoint_id = $1 AND conv_id IS NOT NULL
                    ))
                    AND (
                        SELECT 1 FROM webhook_deliveries AS earlier
                        WHERE earlier.endpoint_id = $1 AND earlier.conv_id = due.conv_id
                          AND earlier.sequence < due.sequence
                          AND earlier.status = 'PENDING' AND earlier.next_attempt_at <= $2
                        LIMIT 1
                    ) IS NULL
                )
                LIMIT 1
            ) FOR UPDATE SKIP LOCKED
            """,
            endpoint_id,
            now,
            _CONSIDERED,
        )
        return self.read(row) if row else None

    async def find_again(self, delivery: WebhookDelivery) -> WebhookDelivery | None:
        """A delivery as it is now, locked until the transaction ends."""
        row = await self.connection.fetchrow(
            """
            SELECT * FROM webhook_deliveries WHERE endpoint_id = $1 AND event_id = $2 AND created_at = $3
            FOR UPDATE
            """,
            delivery.endpoint_id,
            delivery.event_id,
            delivery.created_at,
        )
        return self.read(row) if row else None

    async def save(self, entity: WebhookDelivery) -> None:
        """Store how it stands; what is sent never changes."""
        await self.connection.execute(
            """
            UPDATE webhook_deliveries
            SET status = $4, attempts = $5, next_attempt_at = $6, claimed_until = $7, finished_at = $8,
                last_status = $9, last_error = $10, attempt_log = $11
            WHERE endpoint_id = $1 AND event_id = $2 AND created_at = $3
            """,
            entity.endpoint_id,
            entity.event_id,
            entity.created_at,
            entity.status,
            entity.attempts,
            entity.next_attempt_at,
            entity.claimed_until,
            entity.finished_at,
            entity.last_status,
            entity.last_error,
            entity.attempt_log,
        )

    async def hasten(self, endpoint_id: int, *, now: datetime) -> None:
        """Let whatever waits for its next attempt be tried now."""
        await self.connection.execute(
            """
            UPDATE webhook_deliveries SET next_attempt_at = $2
            WHERE endpoint_id = $1 AND status = 'PENDING' AND next_attempt_at > $2
              AND (claimed_until IS NULL OR claimed_until <= $2)
            """,
            endpoint_id,
            now,
        )

    async def replay(
        self,
        endpoint_id: int,
        wanted: DeliveryFilter,
        *,
        only_failed: bool,
        cursor: str | None,
        now: datetime,
    ) -> tuple[int, str | None]:
        """Make deliveries due again, except what is on its way right now.

        Returns how many, and a cursor while more are left.
        """
        after = read_cursor(cursor, _REPLAY) if cursor else 0
        which = "status = 'FAILED'" if only_failed else "true"
        rows = await self.connection.fetch(
            f"""
            WITH chosen AS (
                SELECT delivery_id, created_at FROM webhook_deliveries
                WHERE endpoint_id = $1 AND created_at >= $2 AND created_at < $3 AND delivery_id > $4 AND {which}
                  AND (claimed_until IS NULL OR claimed_until <= $5)
                ORDER BY delivery_id LIMIT {MAXIMUM_REPLAYED}
            )
            UPDATE webhook_deliveries AS again
            SET status = 'PENDING', attempts = 0, next_attempt_at = $5, claimed_until = NULL, finished_at = NULL
            FROM chosen WHERE again.delivery_id = chosen.delivery_id AND again.created_at = chosen.created_at
              AND again.endpoint_id = $1
            RETURNING again.delivery_id
            """,  # nosec B608 # words of this code
            endpoint_id,
            wanted.since,
            wanted.until,
            after,
            now,
        )
        ids = [row["delivery_id"] for row in rows]
        return len(ids), write_cursor(max(ids), _REPLAY) if len(ids) == MAXIMUM_REPLAYED else None

    async def delete_some(self, endpoint_id: int, *, limit: int) -> int:
        """Forget deliveries of an endpoint. Returns how many."""
        result = await self.connection.execute(
            """
            DELETE FROM webhook_deliveries WHERE endpoint_id = $1 AND delivery_id = ANY (ARRAY(
                SELECT delivery_id FROM webhook_deliveries WHERE endpoint_id = $1 LIMIT $2
            ))
            """,
            endpoint_id,
            limit,
        )
        return int(result.split()[-1])

    async def list_filtered(
        self, wanted: DeliveryFilter, *, limit: int, cursor: str | None = None
    ) -> Page[WebhookDelivery]:
        """Deliveries of the newest events first, without their attempts.

        Raises:
            InvalidCursor: the cursor is not from this list.
        """
        size = min(limit, MAXIMUM_PAGE)
        sql, values = listing(wanted, size=size, position=_position(cursor) if cursor else None)
        rows = await self.connection.fetch(sql, *values)
        return page_of([self.read(row) for row in rows], size, _cursor_of)

    def missing(self, key: int) -> OwnerError:
        return WebhookDeliveryNotFound(key)


def listing(
    wanted: DeliveryFilter, *, size: int, position: tuple[datetime, int] | None = None
) -> tuple[str, list[Any]]:
    """The statement of a page with one row more, and its values."""
    compared = {
        "endpoint_id =": wanted.endpoint_id,
        "event_type =": wanted.event_type,
        "conv_id =": wanted.conv_id,
        "created_at >=": wanted.since,
        "created_at <": wanted.until,
    }
    given = {condition: value for condition, value in compared.items() if value is not None}
    conditions = ["true", *(f"{condition} ${place}" for place, condition in enumerate(given, 1))]
    values: list[Any] = list(given.values())
    if wanted.status is not None:
        # Not as a parameter: the partial index can only be chosen for a status that the planner knows.
        conditions.append(f"status = '{wanted.status.value}'")
    if position is not None:
        conditions.append(f"(created_at, delivery_id) < (${len(values) + 1}, ${len(values) + 2})")
        values += position
    sql = f"""
        SELECT owner_id, delivery_id, endpoint_id, event_id, event_type, conv_id, sequence, '' AS payload, status,
               attempts, next_attempt_at, claimed_until, finished_at, last_status, last_error, created_at
        FROM webhook_deliveries WHERE {" AND ".join(conditions)}
        ORDER BY created_at DESC, delivery_id DESC LIMIT {size + 1}
        """  # nosec B608 # words of this code
    return sql, values


def _position(cursor: str) -> tuple[datetime, int]:
    match read_position(cursor, _LIST):
        case [str(created_at), int(delivery_id)] if 0 <= delivery_id < 2**63:
            return read_moment(created_at), delivery_id
    raise InvalidCursor(field="cursor")


def _cursor_of(last: WebhookDelivery) -> str:
    return write_cursor([last.created_at.isoformat(), last.delivery_id], _LIST)
