"""`owner db`: the database's URL, and stopping the embedded one."""

from typing import Annotated

import typer

from owner import bootstrap
from owner.cli.context import out
from owner.settings import get_settings

app = typer.Typer(no_args_is_help=True)


@app.command()
def url(*, admin: Annotated[bool, typer.Option("--admin", help="The migration role's.")] = False) -> None:
    """Print a libpq URI, as for `psql "$(owner db url)"`; starts the embedded server and leaves it up."""
    settings = get_settings()
    if settings.uses_embedded_database:
        bootstrap.embedded_server(settings).start_and_leave()
    print(bootstrap.migration_url(settings) if admin else bootstrap.application_url(settings))  # noqa: T201 - programs read standard output


@app.command()
def stop() -> None:
    """Stop the embedded server, unless somebody is working with it."""
    if bootstrap.embedded_server(get_settings()).stop():
        out.print("The embedded Postgres is stopped.")
    else:
        out.print("The embedded Postgres stops when the last process that works with it ends.")
