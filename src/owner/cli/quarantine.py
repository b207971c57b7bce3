"""`owner quarantine`: webhooks that belong to nobody."""

from typing import Annotated

import typer
from rich.table import Table

from owner.cli.context import out, with_services
from owner.models.entity import LARGEST_ID

app = typer.Typer(no_args_is_help=True)


@app.callback()
def quarantine() -> None:
    """Webhooks that belong to nobody."""


@app.command("list")
def list_latest(limit: Annotated[int, typer.Option(help="How many.", min=1, max=1000)] = 20) -> None:
    """Show the latest: when, why, for which URL. Parameters hold customers' words and are not shown."""
    rows = with_services(lambda services: services.quarantine.list_latest(limit=limit))
    table = Table("id", "when", "reason", "owner", "path")
    for row in rows:
        when = f"{row.created_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(row.quarantine_id), when, row.reason, str(row.owner_id or ""), row.path)
    out.print(table)


@app.command()
def replay(
    quarantine_id: Annotated[int, typer.Argument(help="As `list` shows it.", min=1, max=LARGEST_ID)],
    *,
    trust: Annotated[
        bool, typer.Option("--trust", help="Take it in although its signature was wrong.")
    ] = False,
) -> None:
    """Take a webhook in as if it came now, once its number is connected."""
    receipt = with_services(lambda services: services.quarantine.replay(quarantine_id, trust=trust))
    out.print(
        f"Message {receipt.msg_id} is stored." if not receipt.is_duplicate else "It had been stored already."
    )
