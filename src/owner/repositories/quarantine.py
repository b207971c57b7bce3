"""Webhooks that belong to no owner, by the platform's own functions."""

from datetime import timedelta

from owner.db.database import Connection
from owner.models.errors import NotFound
from owner.models.quarantine import QuarantineCreate, QuarantinedRequest


class QuarantineRepository:
    """Not a tenant's table, so no generic create, read, update, delete."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def add(self, request: QuarantineCreate, *, per_hour: int) -> bool:
        """Keep a webhook, unless so many were kept within the last hour; say whether it was."""
        kept: bool = await self.connection.fetchval(
            "SELECT quarantine_add($1, $2, $3, $4, $5, $6)",
            request.owner_id,
            request.reason,
            request.path,
            request.params,
            request.signature,
            per_hour,
        )
        return kept

    async def list_latest(self, *, limit: int, before_id: int | None = None) -> list[QuarantinedRequest]:
        rows = await self.connection.fetch("SELECT * FROM quarantine_list($1, $2)", before_id, limit)
        return [QuarantinedRequest.model_validate(dict(row)) for row in rows]

    async def get(self, quarantine_id: int) -> QuarantinedRequest:
        """One webhook; raises `NotFound`."""
        found = await self.list_latest(limit=1, before_id=quarantine_id + 1)
        if not found or found[0].quarantine_id != quarantine_id:
            raise NotFound(f"There is no webhook {quarantine_id} in quarantine.")
        return found[0]

    async def remove(self, quarantine_id: int) -> None:
        await self.connection.execute("SELECT quarantine_remove($1)", quarantine_id)

    async def prune(self, *, older_than: timedelta) -> int:
        gone: int = await self.connection.fetchval("SELECT quarantine_prune($1)", older_than)
        return gone
