"""`owner tenant`: set up tenants, take them along, remove them."""

from typing import Annotated

import typer

from owner.cli import tenant_transfer
from owner.cli.context import answer, read_input, with_services
from owner.models.owner import OwnerCreate

app = typer.Typer(no_args_is_help=True)
app.command("export")(tenant_transfer.export_tenant)
app.command("import")(tenant_transfer.import_tenant)
app.command("erase")(tenant_transfer.erase_tenant)


@app.callback()
def tenants() -> None:
    """Set up tenants."""


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="The company's name.")],
    *,
    email: Annotated[str, typer.Option(help="Of the first person, an ADMIN.")],
    password: Annotated[
        str,
        typer.Option(
            prompt=True, hide_input=True, help="Of the first person; asked for where it is left out."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Make a company with its first person and an API key, which is shown this once."""
    wanted = read_input(OwnerCreate, name=name, email=email, password=password)
    tenant = with_services(lambda services: services.tenants.create(wanted))
    answer(
        {"owner_id": tenant.owner_id, "user_id": tenant.user_id, "api_key": tenant.api_key}, as_json=as_json
    )
