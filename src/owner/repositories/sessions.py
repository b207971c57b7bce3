"""Sessions of one company's people."""

from datetime import datetime
from typing import ClassVar, NamedTuple

from owner.models.access_errors import SessionNotFound
from owner.models.enums import UserRole
from owner.models.errors import OwnerError
from owner.models.session import AT_MOST, UNUSED_FOR, Session
from owner.repositories.base import BaseRepository


class SignedIn(NamedTuple):
    """A session and what its person may be called now."""

    session: Session
    role: UserRole


class SessionRepository(BaseRepository[Session]):
    """Sessions of one company's people, by their hashes."""

    entity: ClassVar = Session
    table: ClassVar = "sessions"
    key: ClassVar = "session_id"

    async def find_signed_in(self, token_hash: bytes) -> SignedIn | None:
        """A session of an active person whose company is not suspended; it may be over."""
        row = await self.connection.fetchrow(
            """
            SELECT session.*, person.role FROM sessions AS session
            JOIN users AS person USING (owner_id, user_id) JOIN owners AS owner USING (owner_id)
            WHERE session.token_hash = $1 AND person.is_active AND owner.suspended_at IS NULL
            """,
            token_hash,
        )
        if row is None:
            return None
        values = dict(row)
        role = UserRole(values.pop("role"))
        return SignedIn(Session.model_validate(values), role)

    async def note_use(self, session_id: int, *, at: datetime) -> None:
        await self.connection.execute(
            "UPDATE sessions SET last_seen_at = $2 WHERE session_id = $1 AND last_seen_at < $2",
            session_id,
            at,
        )

    async def delete_of_user(self, user_id: int, *, except_id: int | None = None) -> list[int]:
        """End a person's sessions, but one; returns which."""
        rows = await self.connection.fetch(
            """
            DELETE FROM sessions WHERE user_id = $1 AND session_id IS DISTINCT FROM $2
            RETURNING session_id
            """,
            user_id,
            except_id,
        )
        return [row["session_id"] for row in rows]

    async def delete_over(self, user_id: int, *, now: datetime) -> None:
        """Forget those of a person that ended by themselves."""
        await self.connection.execute(
            "DELETE FROM sessions WHERE user_id = $1 AND (last_seen_at <= $2 OR created_at <= $3)",
            user_id,
            now - UNUSED_FOR,
            now - AT_MOST,
        )

    def missing(self, key: int) -> OwnerError:
        return SessionNotFound(f"There is no session {key}, or it is over.")
