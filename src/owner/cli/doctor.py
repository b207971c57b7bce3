"""`owner doctor` tells whether everything is in place."""

import asyncio
from collections.abc import Awaitable
from contextlib import nullcontext

import typer

from owner import bootstrap, deployment
from owner.cli.context import out
from owner.db.database import Database
from owner.db.notices import hears_itself
from owner.models.errors import Misconfigured, OwnerError, Unavailable
from owner.services.secrets_box import FernetBox
from owner.settings import Settings, get_settings


def doctor() -> None:
    """Check settings, key, database, role and schema; say what to do about each that is wrong."""
    settings = get_settings()
    embedded = settings.uses_embedded_database
    with deployment.embedded_server(settings).visit() if embedded else nullcontext():
        is_well = asyncio.run(_examine(settings))
    if not is_well:
        raise typer.Exit(1)


async def _examine(settings: Settings) -> bool:
    findings = [_key(settings), _public_url(settings), _mail(settings), await _redis(settings)]
    try:
        database = await Database.connect(deployment.application_url(settings), pool_size=2)
    except Unavailable as problem:
        findings.append(_finding("database", problem))
    else:
        findings.append(_finding("database"))
        findings.append(_finding("schema", await _caught(database.refuse_other_schema())))
        findings.append(_finding("role", await _caught(database.refuse_unsafe_role())))
        findings.append(await _live_events(settings))
        await database.close()
    return all(findings)


async def _live_events(settings: Settings) -> bool:
    """Without notices events come up to a second later: worth a word, and wrong only where somebody set a URL."""
    if await hears_itself(deployment.listen_url(settings)):
        return _finding("live events")
    if settings.listen_database_url is not None:
        unheard = "OWNER_LISTEN_DATABASE_URL does not do for LISTEN: it needs the database itself, not a transaction pooler."
        return _finding("live events", Misconfigured(unheard))
    out.print(
        "[yellow]![/yellow] live events: LISTEN hears nothing, so they come up to a second later; "
        "OWNER_LISTEN_DATABASE_URL takes a connection past the pooler."
    )
    return True


def _key(settings: Settings) -> bool:
    try:
        FernetBox(deployment.secret_keys(settings))
    except OwnerError as problem:
        return _finding("secret key", problem)
    return _finding("secret key")


def _public_url(settings: Settings) -> bool:
    """Not being set is no error on a laptop, but nothing that Twilio could reach either."""
    if settings.public_url is None:
        out.print("[yellow]![/yellow] public URL: OWNER_PUBLIC_URL is not set, so Twilio can't reach this.")
        return True
    return _finding("public URL")


def _mail(settings: Settings) -> bool:
    """Without a mail server people hand links on themselves."""
    if settings.smtp_url is None:
        return True
    try:
        bootstrap.mailer(settings)
    except OwnerError as problem:
        return _finding("mail", problem)
    return _finding("mail")


async def _redis(settings: Settings) -> bool:
    """A Redis that is away is no error for the product, which then counts nothing, but one for who set it."""
    if settings.redis_url is None:
        return True
    try:
        is_reachable = await bootstrap.rate_limits(settings).is_reachable()
    except OwnerError as problem:
        return _finding("redis", problem)
    away = Unavailable(
        "OWNER_REDIS_URL is set but nobody answers there: until somebody does, no limit holds."
    )
    return _finding("redis", None if is_reachable else away)


async def _caught(check: Awaitable[None]) -> OwnerError | None:
    try:
        await check
    except OwnerError as problem:
        return problem
    return None


def _finding(name: str, problem: OwnerError | None = None) -> bool:
    mark, words = ("[green]✓[/green]", "fine") if problem is None else ("[red]✗[/red]", problem.message)
    out.print(f"{mark} {name}: {words}")
    return problem is None
