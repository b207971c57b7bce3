"""Migrates a database up and down, and tells whether it fits this program."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg import conninfo

from owner.db.revisions import known_revisions, oldest_served
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
        command.upgrade(_config(connection), revision)
        _grant_application(connection, application_role)
        _note_served(connection)
        _settle_restored_events(connection)
        return _current(connection) or "base"


def downgrade(admin_url: str, *, revision: str) -> str:
    """Take the schema back to `revision`; `base` removes everything. Returns the revision."""
    _check_revision(revision, {"base", "-1"})
    with _connection(admin_url) as connection:
        command.downgrade(_config(connection), revision)
        _note_served(connection)
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
def _connection(admin_url: str) -> Iterator[sqlalchemy.Connection]:
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(admin_url, connect_timeout=_CONNECT_TIMEOUT),
        poolclass=sqlalchemy.NullPool,
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({_LOCK})")
            connection.commit()
            yield connection
    except (psycopg.Error, sqlalchemy.exc.DBAPIError, CommandError) as problem:
        raise _explained(problem) from problem
    finally:
        engine.dispose()


def _explained(problem: Exception) -> OwnerError:
    cause = problem.orig if isinstance(problem, sqlalchemy.exc.DBAPIError) else problem
    words = " ".join(str(cause).split()).rstrip(".")
    if isinstance(cause, CommandError):
        return InvalidInput(f"There is no way to that revision: {words}.", field="revision")
    if not isinstance(cause, psycopg.Error) or cause.sqlstate is None:
        return DatabaseUnavailable(f"The database can't be reached: {words}.")
    return SchemaOutdated(f"The migration failed: {words}. Mend that and run `owner migrate` again.")


def _config(connection: sqlalchemy.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    return config


def _current(connection: sqlalchemy.Connection) -> str | None:
    row = connection.exec_driver_sql("SELECT to_regclass('public.alembic_version')").scalar()
    if row is None:
        return None
    revision: str | None = connection.exec_driver_sql(
        "SELECT version_num FROM public.alembic_version"
    ).scalar()
    return revision


def _grant_application(connection: sqlalchemy.Connection, role: str) -> None:
    """Make the application's role a member of `owner_app`, and let it read which revision is in place."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    connection.exec_driver_sql(f"GRANT owner_app TO {quoted}")
    connection.exec_driver_sql("GRANT SELECT ON public.alembic_version TO owner_app")
    connection.commit()


def _note_served(connection: sqlalchemy.Connection) -> None:
    """Tell programs that know less than this one which of them work with the schema as it is now."""
    current = _current(connection)
    if current is None:
        return
    scripts = ScriptDirectory.from_config(_config(connection)).walk_revisions("base", current)
    revisions = [(script.revision, getattr(script.module, "serves", script.revision)) for script in scripts]
    words = f"serves programs since {oldest_served(revisions[::-1])}"
    connection.exec_driver_sql(f"COMMENT ON TABLE public.alembic_version IS '{words}'")
    connection.commit()


def _settle_restored_events(connection: sqlalchemy.Connection) -> None:
    """Set back the transaction numbers that a dump brought along from another server.

    There they are in the future, and readers would wait until this server has counted so far. What was read stays
    read; where one of these events was not, whatever has a higher id is read again.
    """
    if connection.exec_driver_sql("SELECT to_regclass('public.event_cursors')").scalar() is None:
        return
    is_restored = connection.exec_driver_sql(
        "SELECT (SELECT xid FROM events ORDER BY xid DESC LIMIT 1) > pg_snapshot_xmax(pg_current_snapshot())"
    ).scalar()
    if is_restored:
        connection.exec_driver_sql(
            """
            UPDATE event_cursors AS reached SET xid = '1', event_id = LEAST(event_id, (
                SELECT min(event.event_id) - 1 FROM events AS event WHERE event.owner_id = reached.owner_id
                AND (event.xid, event.event_id) > (reached.xid, reached.event_id)))
            """
        )
        connection.exec_driver_sql("UPDATE events SET xid = '1'")
    connection.commit()
