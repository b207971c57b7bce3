"""`owner db`: the database's URL, and stopping the embedded one."""

import os
import subprocess
from typing import Annotated

import typer

from owner import deployment
from owner.cli.context import database, out
from owner.db.embedded import bin_dir
from owner.settings import get_settings

app = typer.Typer(help="The database: its URL, stopping the embedded one.", no_args_is_help=True)


@app.command()
def url(*, admin: Annotated[bool, typer.Option("--admin", help="The migration role's.")] = False) -> None:
    """Print a libpq URI, as for `psql "$(owner db url)"`; starts the embedded server and leaves it up."""
    settings = get_settings()
    if settings.uses_embedded_database:
        deployment.embedded_server(settings).start_and_leave()
    print(deployment.migration_url(settings) if admin else deployment.application_url(settings))  # noqa: T201 - programs read standard output


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def shell(
    context: typer.Context,
    *,
    owner: Annotated[int | None, typer.Option(help="Whose rows to see; without it, nobody's.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="As the migration role.")] = False,
) -> None:
    """Open psql, which comes along; what follows is handed on to it, as `-c 'TABLE conversations'`."""
    with database() as settings:
        address = deployment.migration_url(settings) if admin else deployment.application_url(settings)
        tenant = {} if owner is None else {"PGOPTIONS": f"-c app.owner_id={owner}"}
        psql = [str(bin_dir() / "psql"), address, *context.args]
        done = subprocess.run(psql, env={**os.environ, **tenant}, check=False)  # nosec B603 # our psql
    raise typer.Exit(done.returncode)


@app.command()
def stop() -> None:
    """Stop the embedded server, unless somebody is working with it."""
    if deployment.embedded_server(get_settings()).stop():
        out.print("The embedded Postgres is stopped.")
    else:
        out.print("The embedded Postgres stops when the last process that works with it ends.")
