"""Takes the schema from one revision to another with Alembic."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from owner.db.revisions import oldest_served
from owner.models.errors import InvalidInput


def walk(
    connect: Callable[[], psycopg.Connection], direction: Literal["upgrade", "downgrade"], revision: str
) -> None:
    """Run the revisions on the way to `revision`, all in one transaction.

    Raises:
        InvalidInput: there is no way to it.
        psycopg.Error: Postgres can't be reached, or refused a statement.
    """
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=connect, poolclass=sqlalchemy.NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            getattr(command, direction)(config, revision)
            _note_served(connection, ScriptDirectory.from_config(config))
    except sqlalchemy.exc.DBAPIError as problem:
        raise problem.orig or problem from problem
    except CommandError as problem:
        words = " ".join(str(problem).split()).rstrip(".")
        raise InvalidInput(f"There is no way to that revision: {words}.", field="revision") from problem
    finally:
        engine.dispose()


def _note_served(connection: sqlalchemy.Connection, directory: ScriptDirectory) -> None:
    """Tell programs that know less than this one which of them work with the schema as it is now."""
    current = connection.exec_driver_sql("SELECT version_num FROM public.alembic_version").scalar()
    if current is None:
        return
    scripts = directory.walk_revisions("base", current)
    revisions = [(script.revision, getattr(script.module, "serves", script.revision)) for script in scripts]
    words = f"serves programs since {oldest_served(revisions[::-1])}"
    connection.exec_driver_sql(f"COMMENT ON TABLE public.alembic_version IS '{words}'")
    connection.commit()
