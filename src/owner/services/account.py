"""What people do with their own account."""

from owner.db.database import Database
from owner.models.access_errors import PasswordWrong
from owner.models.event import NewEvent
from owner.models.principal import Principal
from owner.models.session import Visitor
from owner.models.user import PasswordChange, User
from owner.repositories.events import EventRepository
from owner.repositories.one_time_links import OneTimeLinkRepository
from owner.repositories.sessions import SessionRepository
from owner.repositories.users import UserRepository
from owner.services.passwords import hash_password, is_password, refuse_guessable
from owner.services.ports import Clock
from owner.services.rate_limits import RateLimitService


class AccountService:
    """The account of whoever is signed in."""

    def __init__(self, database: Database, *, clock: Clock, rate_limits: RateLimitService) -> None:
        self.database = database
        self.clock = clock
        self.rate_limits = rate_limits

    async def get(self, caller: Principal) -> User:
        async with self.database.owner(caller.owner_id) as connection:
            return await UserRepository(connection).get(caller.signed_in_user_id)

    async def change_password(self, caller: Principal, change: PasswordChange, visitor: Visitor) -> None:
        """Set a new password; every other session of the person ends, and so does a link that was sent.

        Raises:
            PasswordWrong: the current password is another one.
            PasswordGuessable: somebody would guess the new one.
            RateLimited: too many tries.
        """
        user = await self.check_password(caller, change.current_password, visitor)
        await refuse_guessable(change.new_password, about=(user.name, user.email), field="new_password")
        password_hash = await hash_password(change.new_password)
        async with self.database.owner(caller.owner_id) as connection:
            users = UserRepository(connection)
            current = await users.get(user.user_id, for_update=True)
            if current.password_hash != user.password_hash:
                raise PasswordWrong(field="current_password")  # it was changed meanwhile
            current.set_password(password_hash, at=self.clock.now())
            await users.save(current)
            await SessionRepository(connection).delete_of_user(user.user_id, except_id=caller.session_id)
            await OneTimeLinkRepository(connection).delete_of_user(user.user_id)
            event = NewEvent("user.password_set", caller.actor, data={"user_id": user.user_id})
            await EventRepository(connection).add_all(caller.owner_id, [event])

    async def check_password(
        self, caller: Principal, password: str, visitor: Visitor, *, field: str = "current_password"
    ) -> User:
        """The caller's account, if it is their password: a stolen session alone changes nothing that matters.

        Raises:
            PasswordWrong: it is another one.
            RateLimited: too many tries; they count with those to sign in.
        """
        user = await self.get(caller)
        await self.rate_limits.count_sign_in(email=user.email, address=visitor.address)
        if not await is_password(password, user.password_hash):
            raise PasswordWrong(field=field)
        return user
