"""Migrates a database up and down, and tells whether it fits this program."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import psycopg
from psycopg import conninfo, sql

from owner.db.revisions import head_revision, known_revisions
from owner.models.errors import DatabaseUnavailable, InvalidInput, OwnerError, SchemaOutdated

_LOCK = 7_305_113  # one migration of a database at a time
_CONNECT_TIMEOUT = 10  # seconds


def upgrade(admin_url: str, *, application_role: str, revision: str = "head") -> str:
    """Bring the schema up to `revision` and let `application_role` work with it. Returns the revision.

    Raises:
        DatabaseUnavailable: the database can't be reached.
        SchemaOutdated: Postgres refused a statement.
        InvalidInput: there is no such revision.
    """
    _check_revision(revision, {"head"})
    with _connection(admin_url) as connection:
        if _current(connection) != (head_revision() if revision == "head" else revision):
            _walk(admin_url, "upgrade", revision)
        _grant_application(connection, application_role)
        _settle_restored_events(connection)
        return _current(connection) or "base"


def downgrade(admin_url: str, *, revision: str) -> str:
    """Take the schema back to `revision`; `base` removes everything. Returns the revision."""
    _check_revision(revision, {"base", "-1"})
    with _connection(admin_url) as connection:
        _walk(admin_url, "downgrade", revision)
        return _current(connection) or "base"


def role_of(url: str) -> str:
    """The role that a database URL signs in with."""
    try:
        user = conninfo.conninfo_to_dict(url).get("user")
    except psycopg.ProgrammingError as problem:
        raise InvalidInput(
            "This is no database URL: OWNER_DATABASE_URL.", field="OWNER_DATABASE_URL"
        ) from problem
    if not isinstance(user, str) or not user:
        raise InvalidInput("The database URL names no user.", field="OWNER_DATABASE_URL")
    return user


def _check_revision(revision: str, words: set[str]) -> None:
    known = set(known_revisions())
    if revision not in known | words:
        raise InvalidInput(
            f"There is no revision {revision}; there are {', '.join(sorted(known))} and {', '.join(sorted(words))}.",
            field="revision",
        )


@contextmanager
def _connection(admin_url: str) -> Iterator[psycopg.Connection]:
    """A connection that holds the lock of migrations, but between its statements none on a table."""
    try:
        with psycopg.connect(admin_url, connect_timeout=_CONNECT_TIMEOUT, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            yield connection
    except psycopg.Error as problem:
        raise _explained(problem) from problem


def _walk(admin_url: str, direction: Literal["upgrade", "downgrade"], revision: str) -> None:
    """Run the revisions that lie between, on a connection of Alembic's own."""
    # Alembic and SQLAlchemy weigh more than the rest of a start, and mostly there is nothing to walk.
    from owner.db import alembic_walk

    alembic_walk.walk(
        lambda: psycopg.connect(admin_url, connect_timeout=_CONNECT_TIMEOUT), direction, revision
    )


def _explained(problem: psycopg.Error) -> OwnerError:
    words = " ".join(str(problem).split()).rstrip(".")
    if problem.sqlstate is None:
        return DatabaseUnavailable(f"The database can't be reached: {words}.")
    return SchemaOutdated(f"The migration failed: {words}. Mend that and run `owner migrate` again.")


def _current(connection: psycopg.Connection) -> str | None:
    if not _is_there(connection, "public.alembic_version"):
        return None
    row = connection.execute("SELECT version_num FROM public.alembic_version").fetchone()
    return str(row[0]) if row else None


def _is_there(connection: psycopg.Connection, table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone()
    return row is not None and bool(row[0])


def _grant_application(connection: psycopg.Connection, role: str) -> None:
    """Make the application's role a member of `owner_app`, and let it read which revision is in place."""
    connection.execute(sql.SQL("GRANT owner_app TO {}").format(sql.Identifier(role)))
    connection.execute("GRANT SELECT ON public.alembic_version TO owner_app")


def _settle_restored_events(connection: psycopg.Connection) -> None:
    """Set back the transaction numbers that a dump brought along from another server.

    There they are in the future, and readers would wait until this server has counted so far. What was read stays
    read; where one of these events was not, whatever has a higher id is read again.
    """
    if not _is_there(connection, "public.event_cursors"):
        return
    row = connection.execute(
        "SELECT (SELECT xid FROM events ORDER BY xid DESC LIMIT 1) > pg_snapshot_xmax(pg_current_snapshot())"
    ).fetchone()
    if row is None or not row[0]:
        return
    with connection.transaction():
        connection.execute(
            """
            UPDATE event_cursors AS reached SET xid = '1', event_id = LEAST(event_id, (
                SELECT min(event.event_id) - 1 FROM events AS event WHERE event.owner_id = reached.owner_id
                AND (event.xid, event.event_id) > (reached.xid, reached.event_id)))
            """
        )
        connection.execute("UPDATE events SET xid = '1'")
