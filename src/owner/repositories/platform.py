"""What belongs to no owner but to who operates the product, by the platform's own functions."""

from datetime import datetime

from owner.db.database import Connection
from owner.models.entity import Page
from owner.models.owner import Owner
from owner.models.platform_key import PlatformKey
from owner.repositories.base import MAXIMUM_PAGE, page_of, read_cursor, write_cursor
from owner.repositories.idempotency_keys import KeptAnswer

_LIST = "platform owners"


class PlatformRepository:
    """Not a tenant's tables, so no generic create, read, update, delete."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def add_key(self, name: str, *, prefix: str, key_hash: bytes) -> int:
        key_id: int = await self.connection.fetchval(
            "SELECT platform_key_add($1, $2, $3)", name, prefix, key_hash
        )
        return key_id

    async def use_key(self, key_hash: bytes, *, at: datetime) -> int | None:
        """The id of a key that is not revoked; its use is noted once a minute."""
        key_id: int | None = await self.connection.fetchval("SELECT platform_key_use($1, $2)", key_hash, at)
        return key_id

    async def list_keys(self) -> list[PlatformKey]:
        rows = await self.connection.fetch("SELECT * FROM platform_key_list()")
        return [PlatformKey.model_validate(dict(row)) for row in rows]

    async def revoke_key(self, platform_key_id: int, *, at: datetime) -> bool:
        """Say whether there is such a key."""
        is_there: bool = await self.connection.fetchval(
            "SELECT platform_key_revoke($1, $2)", platform_key_id, at
        )
        return is_there

    async def list_owners(self, *, limit: int, cursor: str | None = None) -> Page[Owner]:
        """Owners, newest first; raises `InvalidCursor`."""
        size = min(limit, MAXIMUM_PAGE)
        before = read_cursor(cursor, _LIST) if cursor is not None else None
        rows = await self.connection.fetch("SELECT * FROM platform_owner_list($1, $2)", before, size + 1)
        owners = [Owner.model_validate(dict(row)) for row in rows]
        return page_of(owners, size, lambda last: write_cursor(last.owner_id, _LIST))

    async def find_answer(self, key: str, *, kept_since: datetime) -> KeptAnswer | None:
        row = await self.connection.fetchrow("SELECT * FROM platform_answer_find($1, $2)", key, kept_since)
        return KeptAnswer(**dict(row)) if row else None

    async def put_answer(self, key: str, answer: KeptAnswer, *, at: datetime, kept_since: datetime) -> None:
        """Keep an answer, and forget all that are too old."""
        await self.connection.execute(
            "SELECT platform_answer_put($1, $2, $3, $4, $5, $6, $7)",
            key,
            answer.fingerprint,
            answer.status,
            answer.body,
            answer.media_type,
            at,
            kept_since,
        )

    async def list_answers(self) -> list[tuple[str, bytes]]:
        """Key and body of all that is kept."""
        rows = await self.connection.fetch("SELECT * FROM platform_answer_list()")
        return [(row["key"], row["body"]) for row in rows]

    async def replace_answer(self, key: str, *, former: bytes, renewed: bytes) -> None:
        await self.connection.execute("SELECT platform_answer_replace($1, $2, $3)", key, former, renewed)
