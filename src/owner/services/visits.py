"""Tells a page whose it is: the person who is signed in and their company."""

from owner.db.database import Database
from owner.models.owner import Owner
from owner.models.principal import Principal
from owner.models.user import User
from owner.repositories.owners import OwnerRepository
from owner.repositories.users import UserRepository


class VisitService:
    """What every page shows besides its subject."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def describe(self, caller: Principal) -> tuple[User, Owner]:
        async with self.database.owner(caller.owner_id) as connection:
            user = await UserRepository(connection).get(caller.signed_in_user_id)
            return user, await OwnerRepository(connection).get(caller.owner_id)
