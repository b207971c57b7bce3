"""`owner user`: help people in who forgot their password."""

from typing import Annotated

import typer

from owner.cli.context import answer, read_input, warn_of_local_urls, with_services
from owner.models.entity import LARGEST_ID
from owner.models.one_time_link import PasswordResetCreate

app = typer.Typer(no_args_is_help=True)


@app.callback()
def users() -> None:
    """Help people in who forgot their password."""


@app.command("reset-password")
def reset_password(
    *,
    email: Annotated[str, typer.Option(help="The person's e-mail.")],
    owner: Annotated[
        int | None, typer.Option(help="Their company, if several know the e-mail.", min=1, max=LARGEST_ID)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Print a link by which a person chooses a new password: once, within an hour."""
    wanted = read_input(PasswordResetCreate, email=email)
    link = with_services(lambda services: services.password_resets.make_link(wanted.email, owner_id=owner))
    answer(link.model_dump(mode="json"), as_json=as_json)
    warn_of_local_urls()
