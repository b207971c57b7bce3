"""`owner platform-key`: keys for programs that create and suspend owners."""

from typing import Annotated

import typer
from rich.table import Table

from owner.cli.context import answer, out, read_input, with_services
from owner.models.api_key import KeyName
from owner.models.entity import DTO, LARGEST_ID

app = typer.Typer(no_args_is_help=True)


class _Wanted(DTO):
    name: KeyName


@app.callback()
def platform_keys() -> None:
    """Keys for programs that create and suspend owners."""


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Make a key, which is shown this once."""
    wanted = read_input(_Wanted, name=name)
    made = with_services(lambda services: services.platform_keys.create(wanted.name))
    answer({"platform_key_id": made.platform_key_id, "platform_key": made.platform_key}, as_json=as_json)


@app.command("list")
def list_all() -> None:
    """Show all keys: how they begin, when they were used, whether they still work."""
    table = Table("id", "name", "begins with", "made", "last used", "revoked")
    for key in with_services(lambda services: services.platform_keys.list_all()):
        moments = (key.created_at, key.last_used_at, key.revoked_at)
        shown = [f"{moment:%Y-%m-%d %H:%M}" if moment else "" for moment in moments]
        table.add_row(str(key.platform_key_id), key.name, key.prefix, *shown)
    out.print(table)


@app.command()
def revoke(
    platform_key_id: Annotated[int, typer.Argument(help="As `list` shows it.", min=1, max=LARGEST_ID)],
) -> None:
    """End a key at once."""
    with_services(lambda services: services.platform_keys.revoke(platform_key_id))
    out.print(f"Platform key {platform_key_id} is revoked.")
