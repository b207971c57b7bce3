"""`owner secrets`: make and rotate encryption keys."""

import typer

from owner.cli.context import out, with_services
from owner.services.catalog import Services
from owner.services.secrets_box import new_secret_key

app = typer.Typer(no_args_is_help=True)


@app.command()
def generate() -> None:
    """Print a new key for OWNER_SECRET_KEY."""
    print(new_secret_key())  # noqa: T201 - programs read standard output


@app.command()
def rotate() -> None:
    """Encrypt every stored secret with the newest key of OWNER_SECRET_KEY; then the others may go."""
    accounts, endpoints = with_services(_rotate)
    out.print(
        f"Twilio accounts that now use the newest key: {accounts}; webhook endpoints: {endpoints}."
        " Former keys may leave OWNER_SECRET_KEY."
    )


async def _rotate(services: Services) -> tuple[int, int]:
    return await services.twilio.rotate_secrets(), await services.webhook_endpoints.rotate_secrets()
