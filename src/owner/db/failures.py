"""What Postgres's errors mean to us, by one table."""

from typing import Final

import asyncpg

from owner.models.errors import DatabaseUnavailable, Unavailable
from owner.models.outage_errors import (
    Collision,
    DatabaseBusy,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseRefused,
    DatabaseTooSlow,
)

# By SQLSTATE, or by its first two letters, which are its class. What is not here is a mistake of ours: a 500.
MEANINGS: Final[dict[str, type[Unavailable]]] = {
    "08": DatabaseUnavailable,  # the connection broke
    "25P03": DatabaseUnavailable,  # we were silent in a transaction for too long: a process that stood still
    "57P01": DatabaseUnavailable,  # an administrator ended the connection
    "57P02": DatabaseUnavailable,  # another process of the server crashed
    "57P03": DatabaseUnavailable,  # it starts, or it stops
    "57P05": DatabaseUnavailable,  # the session was idle for too long
    "3D000": DatabaseRefused,  # no such database
    "28": DatabaseRefused,  # the password was changed, the role is gone or may not sign in
    "25006": DatabaseReadOnly,  # it became a standby: the primary is elsewhere now
    "53100": DatabaseFull,
    "53": DatabaseBusy,  # too many connections, no memory left
    "55P03": DatabaseBusy,  # a lock was not had in time
    "40001": Collision,  # two transactions can't have happened one after the other
    "40P01": Collision,  # two transactions waited for each other
    "0A000": Collision,  # see `meaning_of`
    "57014": DatabaseTooSlow,  # a statement ran out of its time
}


def meaning_of(problem: BaseException) -> Unavailable | None:
    """Our error, if it is one that the database has of itself and not one that a statement made."""
    if isinstance(problem, asyncpg.PostgresError):
        state = problem.sqlstate or ""
        # "Feature not supported" is a mistake of ours, but for a plan that somebody's migration made invalid.
        if state == "0A000" and not isinstance(problem, asyncpg.InvalidCachedStatementError):
            return None
        kind = MEANINGS.get(state) or MEANINGS.get(state[:2])
        return kind() if kind is not None else None
    if isinstance(problem, TimeoutError):
        return DatabaseTooSlow()
    if isinstance(problem, asyncpg.InterfaceError | asyncpg.InternalClientError | OSError):
        return DatabaseUnavailable()
    return None
