"""The `owner` command."""

import sys
from typing import NoReturn

import typer
from pydantic import ValidationError

from owner.cli import (
    closure,
    db,
    demo,
    doctor,
    migrate,
    platform_key,
    quarantine,
    reconcile,
    secrets,
    serve,
    simulator,
    tenant,
    twilio,
    user,
    work,
)
from owner.models.errors import OwnerError
from owner.settings import Settings

app = typer.Typer(
    help="A multi-tenant conversation manager on Twilio.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("work")(work.work)
app.command("demo")(demo.demo)
app.command("simulator")(simulator.simulator)
app.command("migrate")(migrate.migrate)
app.command("doctor")(doctor.doctor)
app.command("reconcile")(reconcile.reconcile)
app.add_typer(db.app, name="db", help="The database: its URL, stopping the embedded one.")
app.add_typer(tenant.app, name="tenant", help="Set up tenants.")
app.add_typer(platform_key.app, name="platform-key", help="Keys for programs that create and suspend owners.")
app.add_typer(user.app, name="user", help="Help people in who forgot their password.")
app.add_typer(twilio.app, name="twilio", help="Connect Twilio accounts.")
app.add_typer(secrets.app, name="secrets", help="Make and rotate encryption keys.")
app.add_typer(quarantine.app, name="quarantine", help="Webhooks that belong to nobody.")
app.add_typer(closure.app, name="closure", help="Try and measure the closure detector.")


def main() -> None:
    """Run a command; what can go wrong on purpose is one sentence, not a traceback."""
    try:
        app()
    except OwnerError as problem:
        _give_up(problem.message)
    except ValidationError as problem:
        if problem.title != Settings.__name__:
            raise
        first = problem.errors()[0]
        _give_up(f"OWNER_{str(first['loc'][0]).upper()}: {first['msg']}.")
    except KeyboardInterrupt:
        sys.exit(130)


def _give_up(sentence: str) -> NoReturn:
    print(f"owner: {sentence}", file=sys.stderr)  # noqa: T201 - this is what the person reads
    sys.exit(1)
