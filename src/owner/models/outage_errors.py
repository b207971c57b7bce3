"""What can go wrong with what we stand on, and when too much comes in; `errors` draws the whole tree."""

from typing import Final

from owner.models.errors import DatabaseUnavailable, OwnerError, Unavailable


class DatabaseRefused(DatabaseUnavailable):
    """The database does not let us in: see to user, password and name in OWNER_DATABASE_URL."""

    code = "database_refused"


class DatabaseReadOnly(DatabaseUnavailable):
    """The database takes no changes now, as a standby does."""

    code = "database_read_only"


class DatabaseBusy(Unavailable):
    """Everything is busy, so this was not begun, or was undone; try again."""

    code = "busy"


class DatabaseTooSlow(Unavailable):
    """The database took too long, so this was undone; try again."""

    code = "database_too_slow"


class Collision(Unavailable):
    """This collided with something that happened at the same time, and was undone; try again."""

    code = "collision"


class DatabaseFull(Unavailable):
    """The database's disk is full, so nothing new can be kept."""

    code = "database_full"


# Nothing was changed, and trying again helps.
PASSING: Final = (DatabaseUnavailable, DatabaseBusy, DatabaseTooSlow, Collision, DatabaseFull)


class MediaStoreUnavailable(Unavailable):
    """The file can't be kept now: the disk is full, or can't be written to."""

    code = "media_store_unavailable"


class Overloaded(Unavailable):
    """More comes in than can be stored just now; try again in a moment."""

    code = "overloaded"
    retry_after = 1  # seconds


class RateLimited(OwnerError):
    """Too many requests; wait and try again."""

    code = "rate_limited"

    def __init__(self, message: str | None = None, *, limit: int, remaining: int, retry_after: int) -> None:
        """`retry_after` is in seconds."""
        super().__init__(message, limit=limit, retry_after=retry_after)
        self.limit = limit
        self.remaining = remaining
        self.retry_after = retry_after


class TooManyStreams(RateLimited):
    """Too many event streams are open; close one, or come back later."""

    code = "too_many_streams"
