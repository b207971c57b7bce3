"""Makes one-time links, and lets people set a password by them."""

from owner.db.database import Connection, Database, TokenKind
from owner.models.access_errors import LinkNotFound
from owner.models.enums import ActorKind
from owner.models.event import Actor, NewEvent
from owner.models.one_time_link import VALID_FOR, LinkPurpose, LinkResponse, link_url
from owner.models.secret_token import hash_token, new_token
from owner.models.user import User
from owner.repositories.events import EventRepository
from owner.repositories.jobs import JobRepository
from owner.repositories.one_time_links import OneTimeLinkRepository
from owner.repositories.owners import OwnerRepository
from owner.repositories.sessions import SessionRepository
from owner.repositories.users import UserRepository
from owner.services.link_mail import link_mail
from owner.services.passwords import hash_password, refuse_guessable
from owner.services.ports import Clock, Mailer
from owner.services.rate_limits import RateLimitService


class PasswordLinkService:
    """One-time links: a person has one of each purpose at most, and it works once."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        public_url: str,
        rate_limits: RateLimitService,
        mailer: Mailer | None = None,
    ) -> None:
        self.database = database
        self.clock = clock
        self.public_url = public_url
        self.rate_limits = rate_limits
        self.mailer = mailer

    async def hand_out(self, connection: Connection, user: User, purpose: LinkPurpose) -> LinkResponse | None:
        """Have a worker mail a link, or, where no mail can be sent, return it to be handed on.

        Raises:
            RateLimited: too many were mailed today, to the person or by the company.
        """
        if self.mailer is None:
            return await self.make(connection, user, purpose)
        await self.rate_limits.count_mail(user)
        await JobRepository(connection).enqueue(
            "link_wanted", owner_id=user.owner_id, user_id=user.user_id, purpose=purpose
        )
        return None

    async def make(self, connection: Connection, user: User, purpose: LinkPurpose) -> LinkResponse:
        """A new link, in the place of the one that the person may have; the caller's transaction stores it."""
        token, now = new_token(), self.clock.now()
        links = OneTimeLinkRepository(connection)
        await links.delete_of_user(user.user_id, purpose=purpose)
        link = await links.add(
            {
                "owner_id": user.owner_id,
                "user_id": user.user_id,
                "purpose": purpose,
                "token_hash": hash_token(token),
                "expires_at": now + VALID_FOR[purpose],
                "created_at": now,
            }
        )
        return LinkResponse(url=link_url(self.public_url, token), token=token, expires_at=link.expires_at)

    async def send(self, owner_id: int, user_id: int, purpose: LinkPurpose) -> None:
        """Mail a link to a person, unless they were shut out or have accepted the invitation meanwhile.

        The link is made here, so that its token is stored nowhere; a mail that has to be sent again brings another.

        Raises:
            MailNotSent: try again later.
        """
        if self.mailer is None:
            return
        async with self.database.owner(owner_id) as connection:
            user = await UserRepository(connection).find(user_id, for_update=True)
            owner = await OwnerRepository(connection).get(owner_id)
            is_needless = purpose is LinkPurpose.INVITATION and user is not None and not user.is_invited
            if user is None or is_needless or not user.is_active or owner.suspended_at is not None:
                return
            link = await self.make(connection, user, purpose)
        await self.mailer.send(link_mail(user, owner, link, purpose))

    async def set_password(self, token: str, password: str) -> None:
        """Use a link up; every session and every other link of the person ends.

        Raises:
            LinkNotFound: it was used, replaced, is too old, or its person or company is shut out.
            PasswordGuessable: somebody would guess it; the link can be used with another one.
        """
        token_hash, now = hash_token(token), self.clock.now()
        async with self.database.owner_of(TokenKind.ONE_TIME_LINK, token_hash) as connection:
            link = await OneTimeLinkRepository(connection).find_where(token_hash=token_hash)
            if link is None:
                raise LinkNotFound  # before the slow hash, which a stranger could keep us busy with
            user = await UserRepository(connection).get(link.user_id)
        await refuse_guessable(password, about=(user.name, user.email))
        password_hash = await hash_password(password)
        async with self.database.owner_of(TokenKind.ONE_TIME_LINK, token_hash) as connection:
            links, users = OneTimeLinkRepository(connection), UserRepository(connection)
            link = await links.take(token_hash)
            if link is None or link.is_over(now=now):
                raise LinkNotFound
            user = await users.get(link.user_id, for_update=True)
            owner = await OwnerRepository(connection).get(link.owner_id)
            if not user.is_active or owner.suspended_at is not None:
                raise LinkNotFound
            user.set_password(password_hash, at=now)
            await users.save(user)
            await links.delete_of_user(user.user_id)
            await SessionRepository(connection).delete_of_user(user.user_id)
            actor = Actor(ActorKind.USER, user.user_id)
            event = NewEvent("user.password_set", actor, data={"user_id": user.user_id})
            await EventRepository(connection).add_all(user.owner_id, [event])
