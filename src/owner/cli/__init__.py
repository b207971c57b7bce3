"""The `owner` command: which commands there are, and what is said where one fails."""

import sys
from importlib import import_module
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from owner import __version__

# A module of this package is imported when its command is called: the help needs none of them.
COMMANDS: Final = {
    "serve": "Serve the REST API and the webhooks.",
    "work": "Send messages, fetch files, end what is due; run as many of these as you like.",
    "demo": "Start database, API, worker and a simulated Twilio; play a conversation; stay up.",
    "simulator": "Run a simulated Twilio; point OWNER_TWILIO_API_URL at it.",
    "migrate": "Bring the schema to what this program needs, or take it back.",
    "doctor": "Check settings, key, database, role and schema; say what to do about each that is wrong.",
    "reconcile": "Compare accounts with Twilio's log: bring in what customers wrote, correct statuses, report wrong URLs.",
    "db": "The database: its URL, stopping the embedded one.",
    "tenant": "Set up tenants.",
    "platform-key": "Keys for programs that create and suspend owners.",
    "user": "Help people in who forgot their password.",
    "twilio": "Connect Twilio accounts.",
    "secrets": "Make and rotate encryption keys.",
    "quarantine": "Webhooks that belong to nobody.",
    "closure": "Try and measure the closure detector.",
}


class _Commands(TyperGroup):
    """Knows the commands by name and sentence, and loads the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, found, rest = super().resolve_command(ctx, args)
        return name, _load(name) if name else found, rest


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        print(f"owner {__version__}")  # noqa: T201 - programs read standard output
        raise typer.Exit


app = typer.Typer(
    cls=_Commands,
    help="A multi-tenant conversation manager on Twilio.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_tell_version, help="Show which version this is and exit."
        ),
    ] = False,
) -> None:
    """What can be said before a command."""


for _name, _sentence in COMMANDS.items():
    app.command(_name, help=_sentence)(lambda: None)


def main() -> None:
    """Run a command; what can go wrong on purpose is one sentence, not a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as problem:
        if (sentence := _sentence_of(problem)) is None:
            raise
        _give_up(sentence)


def _load(name: str) -> object:
    """The command: the module's `app` where it has several, else its function of that name."""
    word = name.replace("-", "_")
    module = import_module(f"owner.cli.{word}")
    if hasattr(module, "app"):
        return typer.main.get_group(module.app)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(getattr(module, word))
    return typer.main.get_command(alone)


def _sentence_of(problem: Exception) -> str | None:
    """What is wrong, where that was foreseen."""
    from pydantic import ValidationError

    from owner.models.errors import OwnerError

    if isinstance(problem, OwnerError):
        return problem.message
    if isinstance(problem, ValidationError) and problem.title == "Settings":
        first = problem.errors()[0]
        return f"OWNER_{str(first['loc'][0]).upper()}: {first['msg'].removeprefix('Value error, ')}."
    return None


def _give_up(sentence: str) -> NoReturn:
    print(f"owner: {sentence}", file=sys.stderr)  # noqa: T201 - this is what the person reads
    sys.exit(1)
