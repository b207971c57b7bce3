"""People of one company."""

from typing import ClassVar

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

    def taken(self, _constraint: str) -> OwnerError:
        return AlreadyExists("A person with this e-mail exists already.", field="email")
