"""What commands share: the database they work on, what was typed, and how they answer."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, TypeVar

from pydantic import BaseModel, ValidationError
from rich.console import Console

from owner import bootstrap, deployment
from owner.logs import configure_logging
from owner.models.errors import InvalidInput
from owner.services.catalog import Services
from owner.settings import Settings, get_settings

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
out = Console(highlight=False, soft_wrap=True)


@contextmanager
def database(
    *, stay: Literal["hold", "visit"] = "visit", settings: Settings | None = None
) -> Iterator[Settings]:
    """The settings, while the database is up: the embedded one is started, migrated and left as it was found."""
    settings = settings or get_settings()
    configure_logging(level=settings.log_level, log_format=settings.log_format)
    if not settings.uses_embedded_database:
        yield settings
        return
    from owner.db import migrate

    server = deployment.embedded_server(settings)
    with server.hold() if stay == "hold" else server.visit():
        application_role = migrate.role_of(deployment.application_url(settings))
        migrate.upgrade(deployment.migration_url(settings), application_role=application_role)
        yield settings


def with_services(use: Callable[[Services], Awaitable[T]]) -> T:
    """Run one use case as a command."""

    async def run(settings: Settings) -> T:
        async with bootstrap.open_services(settings) as services:
            return await use(services)

    with database() as settings:
        return asyncio.run(run(settings))


def read_input(model: type[M], **values: object) -> M:
    """What was typed, checked; raises `InvalidInput` with a sentence that names the option."""
    try:
        return model.model_validate(values)
    except ValidationError as problem:
        first = problem.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else model.__name__
        raise InvalidInput(f"--{field.replace('_', '-')}: {first['msg']}.", field=field) from problem


def answer(values: Mapping[str, object], *, as_json: bool) -> None:
    """Print what a command made: one JSON object for programs, lines for people."""
    if as_json:
        print(json.dumps(values))  # noqa: T201 - programs read standard output
        return
    width = max(len(name) for name in values)
    for name, value in values.items():
        out.print(f"[dim]{name:<{width}}[/dim]  {value}")


def warn_of_local_urls() -> None:
    """Tell who copies a URL from here that others can't open it; apart from the answer, which programs may read."""
    if get_settings().public_url is None:
        warning = "OWNER_PUBLIC_URL is not set, so these URLs lead to this machine alone, at the usual port."
        print(f"owner: {warning}", file=sys.stderr)  # noqa: T201 - this is what the person reads
