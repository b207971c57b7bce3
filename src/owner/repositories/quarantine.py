"""Webhooks that were set aside, by the database's own functions: all of them, or one owner's."""

from typing import ClassVar

from owner.db.database import Connection
from owner.models.entity import Page
from owner.models.errors import NotFound
from owner.models.quarantine import QuarantineCreate, QuarantinedRequest
from owner.repositories.base import MAXIMUM_PAGE, page_of, read_cursor, write_cursor

_LIST = "quarantine"


class QuarantineRepository:
    """As the platform sees it, outside of any tenant's transaction.

    Not a tenant's table, so no generic create, read, update, delete.
    """

    scope: ClassVar = ""  # how the names of the functions end

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
        rows = await self.connection.fetch(
            f"SELECT * FROM quarantine_list{self.scope}($1, $2)",  # nosec B608 # a constant
            before_id,
            limit,
        )
        return [QuarantinedRequest.model_validate(dict(row)) for row in rows]

    async def list_page(self, *, limit: int, cursor: str | None = None) -> Page[QuarantinedRequest]:
        """One page, newest first."""
        size = min(limit, MAXIMUM_PAGE)
        before_id = read_cursor(cursor, _LIST) if cursor else None
        found = await self.list_latest(limit=size + 1, before_id=before_id)
        return page_of(found, size, lambda last: write_cursor(last.quarantine_id, _LIST))

    async def get(self, quarantine_id: int) -> QuarantinedRequest:
        """One webhook; raises `NotFound`."""
        row = await self.connection.fetchrow(
            f"SELECT * FROM quarantine_get{self.scope}($1)",  # nosec B608 # a constant
            quarantine_id,
        )
        if row is None:
            raise _missing(quarantine_id)
        return QuarantinedRequest.model_validate(dict(row))

    async def remove(self, quarantine_id: int) -> None:
        """Take one out; raises `NotFound`."""
        is_gone = await self.connection.fetchval(f"SELECT quarantine_remove{self.scope}($1)", quarantine_id)
        if not is_gone:
            raise _missing(quarantine_id)


class OwnQuarantineRepository(QuarantineRepository):
    """As one owner sees it, within its own transaction: what came for its accounts."""

    scope: ClassVar = "_own"


def _missing(quarantine_id: int) -> NotFound:
    return NotFound(f"There is no webhook {quarantine_id} in quarantine.")
