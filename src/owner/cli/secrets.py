"""`owner secrets`: make and rotate encryption keys."""

import typer

from owner.cli.context import out, with_services
from owner.services.secrets_box import new_secret_key

app = typer.Typer(help="Make and rotate encryption keys.", no_args_is_help=True)


@app.command()
def generate() -> None:
    """Print a new key for OWNER_SECRET_KEY."""
    print(new_secret_key())  # noqa: T201 - programs read standard output


@app.command()
def rotate() -> None:
    """Encrypt every stored secret with the newest key of OWNER_SECRET_KEY; then the others may go."""
    count = with_services(lambda services: services.secret_rotation.rotate())
    out.print(f"Secrets that now use the newest key: {count}. Former keys may leave OWNER_SECRET_KEY.")
