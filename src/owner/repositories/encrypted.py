"""Every column that is encrypted with OWNER_SECRET_KEY, to encrypt it anew."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from owner.db.database import Connection

BATCH: Final = 500


class EncryptedColumn(NamedTuple):
    """A column, and what identifies a row of its table beside the owner."""

    table: str
    key: str
    column: str


ENCRYPTED: Final = (
    EncryptedColumn("twilio_accounts", "twilio_account_id", "auth_token_encrypted"),
    EncryptedColumn("twilio_accounts", "twilio_account_id", "previous_auth_token_encrypted"),
    EncryptedColumn("webhook_endpoints", "endpoint_id", "secret_encrypted"),
    EncryptedColumn("webhook_endpoints", "endpoint_id", "former_secret_encrypted"),
    EncryptedColumn("users", "user_id", "totp_secret_encrypted"),
    EncryptedColumn("suppression_keys", "owner_id", "key_encrypted"),  # one row
    EncryptedColumn("idempotency_keys", "key", "body"),
)
Sealed: TypeAlias = tuple[int | str, bytes]  # the row's key, and what is encrypted


class EncryptedRepository:
    """What one owner has that is encrypted."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def list_locked(self, of: EncryptedColumn) -> AsyncIterator[Sequence[Sealed]]:
        """All values of a column, locked until the transaction ends, some at a time."""
        after: list[object] = []
        while True:
            beyond = f"AND {of.key} > $1" if after else ""
            rows = await self.connection.fetch(
                f"SELECT {of.key}, {of.column} FROM {of.table} WHERE {of.column} IS NOT NULL {beyond}"  # nosec B608 # names of this module
                f" ORDER BY {of.key} LIMIT {BATCH} FOR UPDATE",
                *after,
            )
            if not rows:
                return
            yield [(row[0], row[1]) for row in rows]
            after = [rows[-1][0]]

    async def replace(self, of: EncryptedColumn, sealed: Sequence[Sealed]) -> None:
        await self.connection.executemany(
            f"UPDATE {of.table} SET {of.column} = $2 WHERE {of.key} = $1",  # nosec B608 # names of this module
            sealed,
        )
