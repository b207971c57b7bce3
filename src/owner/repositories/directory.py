"""The only look-ups across owners, by functions that return ids and nothing else."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from owner.db.database import Connection


class Key(NamedTuple):
    """A row of some owner."""

    owner_id: int
    id: int


class Directory:
    """Answers who owns something; reading it then takes that owner's own transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def accounts_by_sid(self, account_sid: str) -> list[Key]:
        return await self._keys("SELECT * FROM directory_accounts_by_sid($1)", account_sid)

    async def account_by_webhook_key(self, webhook_key: str) -> list[Key]:
        return await self._keys("SELECT * FROM directory_account_by_webhook_key($1)", webhook_key)

    async def connected_accounts(self) -> list[Key]:
        """Those of owners who are not suspended."""
        return await self._keys("SELECT * FROM directory_connected_accounts()")

    async def users_by_email(self, email_hash: bytes) -> list[Key]:
        return await self._keys("SELECT * FROM directory_users_by_email($1)", email_hash)

    async def owner_ids(self) -> list[int]:
        rows = await self.connection.fetch("SELECT owner_id FROM directory_owners()")
        return [row["owner_id"] for row in rows]

    async def due_conversations(self, *, now: datetime, limit: int) -> list[Key]:
        return await self._keys("SELECT * FROM directory_due_conversations($1, $2)", now, limit)

    async def due_sends(
        self, *, now: datetime, resting_accounts: Sequence[int], of_sender: int, limit: int
    ) -> list[Key]:
        """Conversations whose next message may be sent now: of each sender the longest waiting ones."""
        return await self._keys(
            "SELECT * FROM directory_due_sends($1, $2, $3, $4)", now, resting_accounts, of_sender, limit
        )

    async def send_lag(self, *, now: datetime) -> tuple[int, datetime | None]:
        """How many conversations wait for their next message to be sent, and since when the first does."""
        row = await self.connection.fetchrow("SELECT * FROM directory_send_lag($1)", now)
        assert row is not None
        return row["waiting"], row["since"]

    async def pending_media(self, *, now: datetime, limit: int) -> list[Key]:
        return await self._keys("SELECT * FROM directory_pending_media($1, $2)", now, limit)

    async def owners_with_events(self, *, since: int, until: int) -> list[int]:
        """Whose events were settled while the oldest running transaction went from `since` to `until`."""
        rows = await self.connection.fetch(
            "SELECT owner_id FROM directory_owners_with_events($1, $2)", since, until
        )
        return [row["owner_id"] for row in rows]

    async def owners_behind(self, readers: Sequence[str]) -> list[int]:
        """Who has events that one of these readers has not read."""
        rows = await self.connection.fetch("SELECT owner_id FROM directory_owners_behind($1)", readers)
        return [row["owner_id"] for row in rows]

    async def due_webhook_endpoints(self, *, now: datetime, limit: int) -> list[Key]:
        return await self._keys("SELECT * FROM directory_due_webhook_endpoints($1, $2)", now, limit)

    async def _keys(self, query: str, *arguments: object) -> list[Key]:
        return [Key(*row) for row in await self.connection.fetch(query, *arguments)]
