"""`owner migrate`: bring the schema up, or take it back."""

from contextlib import nullcontext
from enum import StrEnum
from typing import Annotated

import typer

from owner import deployment
from owner.cli.context import out
from owner.db import migrate as migrations
from owner.settings import Settings, get_settings


class Direction(StrEnum):
    """Where to."""

    UP = "up"
    DOWN = "down"


def migrate(
    direction: Annotated[Direction, typer.Argument(help="up or down")] = Direction.UP,
    revision: Annotated[
        str | None, typer.Argument(help="By default the newest; for down, one step back.")
    ] = None,
) -> None:
    """Bring the schema to what this program needs, or take it back."""
    settings = get_settings()
    embedded = settings.uses_embedded_database
    with deployment.embedded_server(settings).visit() if embedded else nullcontext():
        out.print(f"The database is at revision {_run(settings, direction, revision)}.")


def _run(settings: Settings, direction: Direction, revision: str | None) -> str:
    admin_url = deployment.migration_url(settings)
    if direction is Direction.DOWN:
        return migrations.downgrade(admin_url, revision=revision or "-1")
    application_role = migrations.role_of(deployment.application_url(settings))
    return migrations.upgrade(admin_url, application_role=application_role, revision=revision or "head")
