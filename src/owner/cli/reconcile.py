"""`owner reconcile` makes up for webhooks that were lost."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from owner.cli.context import out, with_services
from owner.models.entity import LARGEST_ID
from owner.models.reconciliation import Reconciliation


def reconcile(
    *,
    owner: Annotated[
        int | None, typer.Option(help="Only this tenant's accounts.", min=1, max=LARGEST_ID)
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            help="From when, in UTC; by default a day before where the last run ended.",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"],
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Compare accounts with Twilio's log: bring in what customers wrote, correct statuses, report wrong URLs.

    Workers do the same every hour. Exits with 1 when a person has to look: an account could not be compared, or
    Twilio delivers messages elsewhere.
    """
    begin = since.replace(tzinfo=UTC) if since else None
    found = with_services(lambda services: services.reconciliation.reconcile_all(owner_id=owner, since=begin))
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found]))  # noqa: T201 - programs read standard output
    else:
        out.print(_table(found))
        for one in found:
            for worry in _worries(one):
                out.print(f"account {one.twilio_account_id} of owner {one.owner_id}: {worry}")
    if any(one.needs_somebody for one in found):
        raise typer.Exit(1)


def _table(found: list[Reconciliation]) -> Table:
    columns = ("owner", "account", "from", "to", "listed", "brought in", "statuses", "elsewhere")
    table = Table(*columns, caption=None if found else "No account is connected.")
    for one in found:
        table.add_row(
            str(one.owner_id),
            str(one.twilio_account_id),
            f"{one.since:%Y-%m-%d %H:%M}",
            f"{one.until:%Y-%m-%d %H:%M}",
            str(one.listed),
            str(one.brought_in),
            str(one.corrected),
            str(one.elsewhere),
        )
    return table


def _worries(one: Reconciliation) -> list[str]:
    return [
        *([one.problem] if one.problem else []),
        *(f"{subject} delivers to another URL." for subject in one.drifted),
        *([f"{one.unreadable} messages could not be read."] if one.unreadable else []),
    ]
