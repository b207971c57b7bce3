"""Codes by which one company's people sign in when an authenticator is lost."""

from collections.abc import Iterable

from owner.db.database import Connection
from owner.models.user import User


class RecoveryCodeRepository:
    """Recovery codes that were not used yet, by their hashes."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def replace(self, user: User, code_hashes: Iterable[bytes]) -> None:
        """Give a person these codes, in the place of all former ones."""
        await self.connection.execute("DELETE FROM recovery_codes WHERE user_id = $1", user.user_id)
        await self.connection.executemany(
            "INSERT INTO recovery_codes (owner_id, user_id, code_hash) VALUES ($1, $2, $3)",
            [(user.owner_id, user.user_id, code_hash) for code_hash in code_hashes],
        )

    async def take(self, user: User, code_hash: bytes) -> bool:
        """Use a code up; say whether it was one."""
        result = await self.connection.execute(
            "DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2", user.user_id, code_hash
        )
        return result == "DELETE 1"
