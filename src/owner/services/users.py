"""Invites people to a company, and says what they may do there."""

from owner.db.database import Connection, Database
from owner.models.access_errors import InvitationAccepted, LastAdmin
from owner.models.entity import Page
from owner.models.enums import UserRole
from owner.models.event import NewEvent
from owner.models.one_time_link import LinkPurpose, LinkResponse
from owner.models.permissions import permissions_of_role
from owner.models.principal import Principal
from owner.models.user import User, UserCreate, UserUpdate
from owner.repositories.events import EventRepository
from owner.repositories.jobs import JobRepository
from owner.repositories.one_time_links import OneTimeLinkRepository
from owner.repositories.sessions import SessionRepository
from owner.repositories.users import UserRepository
from owner.services.password_links import PasswordLinkService
from owner.services.ports import Clock


class UserService:
    """People of a company, as its administrators see them."""

    def __init__(self, database: Database, *, clock: Clock, links: PasswordLinkService) -> None:
        self.database = database
        self.clock = clock
        self.links = links

    async def list_page(
        self,
        owner_id: int,
        *,
        role: UserRole | None = None,
        is_active: bool | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Page[User]:
        """People, newest first."""
        async with self.database.owner(owner_id) as connection:
            return await UserRepository(connection).list_page(
                limit=limit, cursor=cursor, where={"role": role, "is_active": is_active}
            )

    async def get(self, owner_id: int, user_id: int) -> User:
        async with self.database.owner(owner_id) as connection:
            return await UserRepository(connection).get(user_id)

    async def invite(self, caller: Principal, create: UserCreate) -> tuple[User, LinkResponse | None]:
        """Add a person, who chooses a password by the link.

        Raises:
            AlreadyExists: a person of the company has this e-mail.
            PermissionMissing: the role may more than the caller.
            RateLimited: the company has invited too many today.
        """
        caller.require_all(permissions_of_role(create.role))
        async with self.database.owner(caller.owner_id) as connection:
            user = await UserRepository(connection).add(
                {
                    "owner_id": caller.owner_id,
                    "email": create.email,
                    "name": create.name,
                    "role": create.role,
                    "password_hash": None,  # nosec B105 # none until they choose one
                }
            )
            return user, await self._send_invitation(connection, caller, user)

    async def invite_again(self, caller: Principal, user_id: int) -> tuple[User, LinkResponse | None]:
        """A new link for somebody who has not used the first; that one is void.

        Raises:
            InvitationAccepted: they have chosen a password.
            RateLimited: they were invited too often today.
        """
        async with self.database.owner(caller.owner_id) as connection:
            user = await UserRepository(connection).get(user_id, for_update=True)
            caller.require_all(permissions_of_role(user.role))
            if not user.is_invited:
                raise InvitationAccepted
            return user, await self._send_invitation(connection, caller, user)

    async def update(self, caller: Principal, user_id: int, update: UserUpdate) -> User:
        """Change a person's name, role or access.

        Whoever is shut out is signed out; who may not write to customers any more gives back their conversations.

        Raises:
            LastAdmin: nobody would be left who can configure the company.
            PermissionMissing: the person may, or would, do more than the caller.
        """
        async with self.database.owner(caller.owner_id) as connection:
            users = UserRepository(connection)
            administrators = await users.lock_administrators()
            user = await users.get(user_id, for_update=True)
            is_needed = [admin.user_id for admin in administrators] == [user_id]
            could = permissions_of_role(user.role)
            changed = user.change(update, at=self.clock.now())
            if not changed:
                return user
            if changed.keys() & {"role", "is_active"}:
                caller.require_all(could | permissions_of_role(user.role))
            if is_needed and not user.keeps_the_company_going:
                raise LastAdmin
            await users.save(user)
            if not user.is_active:
                await SessionRepository(connection).delete_of_user(user_id)
                await OneTimeLinkRepository(connection).delete_of_user(user_id)
            if not user.may_have_conversations:
                await _give_back_conversations(connection, caller, user_id)
            changed.pop("name", None)  # events hold no names
            event = NewEvent("user.updated", caller.actor, data={"user_id": user_id, **changed})
            await EventRepository(connection).add_all(caller.owner_id, [event])
        return user

    async def _send_invitation(
        self, connection: Connection, caller: Principal, user: User
    ) -> LinkResponse | None:
        event = NewEvent("user.invited", caller.actor, data={"user_id": user.user_id, "role": user.role})
        await EventRepository(connection).add_all(caller.owner_id, [event])
        return await self.links.hand_out(connection, user, LinkPurpose.INVITATION)


async def _give_back_conversations(connection: Connection, caller: Principal, user_id: int) -> None:
    """By a job, because it locks conversations, of which who assigns one holds the lock while it asks for the person."""
    await JobRepository(connection).enqueue(
        "person_shut_out",
        owner_id=caller.owner_id,
        user_id=user_id,
        by_kind=caller.actor.kind.value,
        by_id=caller.actor.id or 0,
    )
