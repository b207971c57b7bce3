"""People of one company."""

from typing import ClassVar

from owner.models.access_errors import UserNotFound
from owner.models.errors import AlreadyExists, OwnerError
from owner.models.user import User
from owner.repositories.base import BaseRepository


class UserRepository(BaseRepository[User]):
    """People of one company."""

    entity: ClassVar = User
    table: ClassVar = "users"
    key: ClassVar = "user_id"

    async def find_by_email(self, email: str) -> User | None:
        return await self.find_where(email=email.strip().lower())

    async def find_for_share(self, user_id: int) -> User | None:
        """A person who stays as they are until the transaction ends."""
        row = await self.connection.fetchrow("SELECT * FROM users WHERE user_id = $1 FOR SHARE", user_id)
        return self.read(row) if row else None

    async def lock_administrators(self) -> list[User]:
        """Everybody who can configure the company, locked in one order: who changes one of them knows of all."""
        rows = await self.connection.fetch(
            """
            SELECT * FROM users WHERE role = 'ADMIN' AND is_active AND password_hash IS NOT NULL
            ORDER BY user_id FOR UPDATE
            """
        )
        return [self.read(row) for row in rows]

    def missing(self, key: int) -> OwnerError:
        return UserNotFound(f"There is no person {key}.")

    def taken(self, _constraint: str) -> OwnerError:
        return AlreadyExists("A person with this e-mail exists already.", field="email")
