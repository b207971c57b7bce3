"""Signs people in and out."""

from collections.abc import Sequence
from dataclasses import dataclass

from owner.db.database import Connection, Database
from owner.models.access_errors import OwnerChoiceRequired, SecondFactorRequired, SignInRejected
from owner.models.entity import Page
from owner.models.enums import ActorKind
from owner.models.event import Actor, NewEvent
from owner.models.owner import Owner
from owner.models.principal import Principal
from owner.models.secret_token import hash_token
from owner.models.session import Session, SessionCreate, SessionCreated, Visitor, new_session_token
from owner.models.user import User, hash_email
from owner.repositories.directory import Directory
from owner.repositories.events import EventRepository
from owner.repositories.owners import OwnerRepository
from owner.repositories.sessions import SessionRepository
from owner.repositories.users import UserRepository
from owner.services.passwords import hash_password, is_outdated, is_password
from owner.services.ports import Clock
from owner.services.rate_limits import RateLimitService
from owner.services.second_factor import SecondFactorCodes


@dataclass(frozen=True, slots=True)
class _Person:
    user: User
    owner: Owner

    @property
    def may_sign_in(self) -> bool:
        return self.user.is_active and self.owner.suspended_at is None


class SessionService:
    """Sessions of people: by e-mail and password, until they end."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        rate_limits: RateLimitService,
        codes: SecondFactorCodes,
    ) -> None:
        self.database = database
        self.clock = clock
        self.rate_limits = rate_limits
        self.codes = codes

    async def sign_in(self, wanted: SessionCreate, visitor: Visitor) -> SessionCreated:
        """Begin a session. Whether an e-mail is known is told by neither the answer nor the time it takes.

        Raises:
            SignInRejected: no person with this e-mail has this password.
            OwnerChoiceRequired: several have, at different companies.
            SecondFactorRequired: the code is missing, wrong, or was used before.
            RateLimited: too many tries with this e-mail, or from there.
        """
        await self.rate_limits.count_sign_in(email=wanted.email, address=visitor.address)
        people = await self._people_of(wanted)
        fitting = await _with_password(wanted.password, people)
        if not fitting:
            raise SignInRejected
        if len(fitting) > 1:
            choice = [{"owner_id": one.owner.owner_id, "name": one.owner.name} for one in fitting]
            raise OwnerChoiceRequired(field="owner_id", owners=choice)
        return await self._begin(fitting[0].user, wanted, visitor)

    async def list_page(self, caller: Principal, *, limit: int, cursor: str | None = None) -> Page[Session]:
        """The caller's own sessions, newest first."""
        async with self.database.owner(caller.owner_id) as connection:
            sessions = SessionRepository(connection)
            await sessions.delete_over(caller.signed_in_user_id, now=self.clock.now())
            return await sessions.list_page(
                limit=limit, cursor=cursor, where={"user_id": caller.signed_in_user_id}
            )

    async def end(self, caller: Principal, session_id: int) -> None:
        """End a session of the caller's; raises `SessionNotFound` for anybody else's."""
        async with self.database.owner(caller.owner_id) as connection:
            sessions = SessionRepository(connection)
            session = await sessions.find(session_id, for_update=True)
            if session is None or session.user_id != caller.signed_in_user_id:
                raise sessions.missing(session_id)
            await sessions.delete(session_id)
            event = NewEvent("session.ended", caller.actor, data={"session_id": session_id})
            await EventRepository(connection).add_all(caller.owner_id, [event])

    async def end_others(self, caller: Principal) -> None:
        """End every session of the caller's but the one that asks, as after a device was lost."""
        async with self.database.owner(caller.owner_id) as connection:
            sessions = SessionRepository(connection)
            ended = await sessions.delete_of_user(caller.signed_in_user_id, except_id=caller.session_id)
            events = [
                NewEvent("session.ended", caller.actor, data={"session_id": session_id})
                for session_id in ended
            ]
            await EventRepository(connection).add_all(caller.owner_id, events)

    async def _people_of(self, wanted: SessionCreate) -> list[_Person]:
        async with self.database.system() as connection:
            keys = await Directory(connection).users_by_email(hash_email(wanted.email))
        return [
            await self._person(key.owner_id, key.id)
            for key in keys
            if wanted.owner_id is None or wanted.owner_id == key.owner_id
        ]

    async def _person(self, owner_id: int, user_id: int) -> _Person:
        async with self.database.owner(owner_id) as connection:
            user = await UserRepository(connection).get(user_id)
            return _Person(user, await OwnerRepository(connection).get(owner_id))

    async def _begin(self, user: User, wanted: SessionCreate, visitor: Visitor) -> SessionCreated:
        token, now = new_session_token(), self.clock.now()
        renewed = await _renewed_hash(user, wanted.password)
        async with self.database.owner(user.owner_id) as connection:
            current = await UserRepository(connection).get(user.user_id, for_update=True)
            if not current.is_active or current.password_hash != user.password_hash:
                raise SignInRejected  # something changed since the password was compared
            if current.has_second_factor:
                await self._take_code(connection, current, wanted.totp_code)
            current.password_hash = renewed or current.password_hash
            if renewed or current.has_second_factor:
                await UserRepository(connection).save(current)
            await SessionRepository(connection).delete_over(user.user_id, now=now)
            session = await SessionRepository(connection).add(
                {
                    "owner_id": user.owner_id,
                    "user_id": user.user_id,
                    "token_hash": hash_token(token),
                    "user_agent": visitor.user_agent,
                    "created_at": now,
                    "last_seen_at": now,
                }
            )
            await _note_start(connection, session)
        return SessionCreated(
            token=token,
            session_id=session.session_id,
            owner_id=user.owner_id,
            user_id=user.user_id,
            expires_at=session.expires_at,
        )

    async def _take_code(self, connection: Connection, user: User, code: str | None) -> None:
        if code is None:
            raise SecondFactorRequired(field="totp_code")
        if not await self.codes.take(connection, user, code, at=self.clock.now()):
            raise SecondFactorRequired(
                "The code is wrong, or it was used already; send the next one.", field="totp_code"
            )


async def _with_password(password: str, people: Sequence[_Person]) -> list[_Person]:
    """Those whose password it is, compared even where nobody is, so that it takes as long."""
    if not people:
        await is_password(password, None)
    return [
        person
        for person in people
        if await is_password(password, person.user.password_hash) and person.may_sign_in
    ]


async def _renewed_hash(user: User, password: str) -> str | None:
    is_due = user.password_hash is not None and is_outdated(user.password_hash)
    return await hash_password(password) if is_due else None


async def _note_start(connection: Connection, session: Session) -> None:
    actor = Actor(ActorKind.USER, session.user_id)
    event = NewEvent("session.started", actor, data={"session_id": session.session_id})
    await EventRepository(connection).add_all(session.owner_id, [event])
