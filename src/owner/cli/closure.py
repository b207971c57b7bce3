"""Tries the closure detector on files of messages and of labelled dialogues."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, TypeVar

import typer

from owner.cli.context import with_services
from owner.models.closure import WEIGHTS, ClosureScore, Turn, score
from owner.models.closure_evaluation import LABELS, LabelledTurn, Tally, evaluate, labelled_turns
from owner.models.owner import ClosureSettings

app = typer.Typer(help="Try and measure the closure detector.", no_args_is_help=True)

BROKEN_LINES: Final = 1  # the exit code when a line could not be read
REPORTED: Final = 10  # lines that could not be read are reported one by one, and counted beyond these
STDIN: Final = "-"

File = Annotated[
    str, typer.Argument(metavar="FILE.jsonl", help="One JSON object per line; - is standard input.")
]
Explained = Annotated[
    bool, typer.Option("--explain", help="Several lines each: what was asked, said and found.")
]
AsJSON = Annotated[bool, typer.Option("--json", help="JSON even on a terminal.")]
Parsed = TypeVar("Parsed")


class BrokenLineError(ValueError):
    """The line does not hold what it should; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Case:
    """One line of a file to score."""

    history: list[Turn]
    text: str
    context: dict[str, object]


@app.command("score")
def score_file(
    file: File,
    owner: Annotated[
        int | None, typer.Option("--owner", help="With this owner's keywords and thresholds.")
    ] = None,
    as_json: AsJSON = False,
    explain: Explained = False,
) -> None:
    """Score each line {"history": [{"speaker", "text"}, …], "text": …, "context": {…}?}."""
    settings = ClosureSettings() if owner is None else _settings_of(owner)
    keywords = settings.closure_keywords
    is_table = sys.stdout.isatty() and not as_json
    lines = _Lines(file, _case)
    for case in lines:
        found = score(
            case.history,
            case.text,
            keywords=keywords,
            context=case.context,
            confirm_at=settings.confirm_at,
            close_at=settings.close_at,
        )
        if explain:
            typer.echo(explanation(case.history, case.text, found) + "\n")
        else:
            typer.echo(_sentence(case, found) if is_table else json.dumps(found.as_dict()))
    lines.finish()


@app.command("evaluate")
def evaluate_file(
    file: File,
    worst: Annotated[int, typer.Option(min=0, help="How many mistakes to list per language.")] = 10,
    as_json: AsJSON = False,
) -> None:
    """Measure the detector on labelled dialogues {"lang", "turns", "labels", "reasons"}."""
    tallies: dict[str, Tally] = {}
    lines = _Lines(file, _dialogue)
    for lang, turns in lines:
        evaluate(iter(turns), tallies.setdefault(lang, Tally()))
    for lang, tally in sorted(tallies.items()):
        for line in [_figures_json(lang, tally, worst)] if as_json else _figures_text(lang, tally, worst):
            typer.echo(line)
    lines.finish()


def _settings_of(owner_id: int) -> ClosureSettings:
    """How the detector works for an owner, from the database."""
    owner = with_services(lambda services: services.tenants.get(owner_id))
    return owner.closure


class _Lines(Iterator[Parsed]):
    """The parsed lines of a file; broken ones are skipped and reported on stderr."""

    def __init__(self, file: str, parse: Callable[[Any], Parsed]) -> None:
        self.parse = parse
        self.broken = 0
        self.parsed = self._read(file)

    def __next__(self) -> Parsed:
        return next(self.parsed)

    def finish(self) -> None:
        """End the program with the exit code that tells whether every line could be read."""
        if self.broken > REPORTED:
            typer.echo(f"{self.broken - REPORTED} more lines could not be read.", err=True)
        if self.broken:
            raise typer.Exit(BROKEN_LINES)

    def _read(self, file: str) -> Iterator[Parsed]:
        with _open(file) as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    yield self.parse(_decoded(line))
                except BrokenLineError as error:
                    self.broken += 1
                    if self.broken <= REPORTED:
                        typer.echo(f"line {number}: {error}", err=True)


@contextmanager
def _open(file: str) -> Iterator[BinaryIO]:
    if file == STDIN:
        yield sys.stdin.buffer
        return
    try:
        lines = Path(file).open("rb")  # noqa: SIM115 -- closed below, apart from the errors of reading
    except OSError as error:
        raise typer.BadParameter(f"{file} can't be read: {error.strerror}.") from error
    with lines:
        yield lines


def _decoded(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BrokenLineError(f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise BrokenLineError(f"not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise BrokenLineError("not JSON that can be read: nested too deeply") from error


def _case(line: Any) -> Case:
    line = _object(line)
    context = line.get("context")
    if context is not None and not isinstance(context, dict):
        raise BrokenLineError('"context" must be an object')
    return Case(_turns(line, "history"), _text(line, "text"), context or {})


def _dialogue(line: Any) -> tuple[str, list[LabelledTurn]]:
    line = _object(line)
    turns = _turns(line, "turns")
    labels, reasons = _texts(line, "labels"), _texts(line, "reasons")
    said = sum(turn.speaker == "user" for turn in turns)
    if not said == len(labels) == len(reasons):
        raise BrokenLineError(f"{said} user turns, {len(labels)} labels and {len(reasons)} reasons")
    unknown = next((label for label in labels if label not in LABELS), None)
    if unknown is not None:
        raise BrokenLineError(f'the label "{unknown}" is none of {", ".join(LABELS)}')
    return _text(line, "lang"), list(labelled_turns(turns, labels, reasons))


def _object(line: Any) -> dict[str, Any]:
    if not isinstance(line, dict):
        raise BrokenLineError("not a JSON object")
    return line


def _turns(line: dict[str, Any], key: str) -> list[Turn]:
    turns = []
    for place, turn in enumerate(_list(line, key)):
        speaker = turn.get("speaker") if isinstance(turn, dict) else None
        if speaker not in ("user", "agent") or not isinstance(turn.get("text"), str):
            raise BrokenLineError(f'"{key}" item {place} needs a "speaker" (user or agent) and a "text"')
        turns.append(Turn(speaker, turn["text"]))
    return turns


def _texts(line: dict[str, Any], key: str) -> list[str]:
    texts = _list(line, key)
    if not all(isinstance(text, str) for text in texts):
        raise BrokenLineError(f'"{key}" must hold texts only')
    return texts


def _list(line: dict[str, Any], key: str) -> list[Any]:
    value = line.get(key)
    if not isinstance(value, list):
        raise BrokenLineError(f'"{key}" must be a list')
    return value


def _text(line: dict[str, Any], key: str) -> str:
    value = line.get(key)
    if not isinstance(value, str):
        raise BrokenLineError(f'"{key}" must be a text')
    return value


def _sentence(case: Case, found: ClosureScore) -> str:
    reasons = "; ".join(f"{signal.name} ({signal.words})" for signal in found.signals)
    return f"{found.confidence:.4f}  {found.decision:<7}  {case.text!r}  {reasons}".rstrip()


def explanation(history: list[Turn], text: str, found: ClosureScore) -> str:
    """A score as a person reads it: the last agent message, the customer's, the formula, the reasons."""
    scores = (found.keyword_score, found.pattern_score, found.context_score)
    terms = " + ".join(f"{weight}·{value:g}" for weight, value in zip(WEIGHTS, scores, strict=True))
    asked = [f"agent     {turn.text}" for turn in history[-1:] if turn.speaker == "agent"]
    reasons = [f"            {signal.name} {signal.weight:+g}: {signal.words}" for signal in found.signals]
    return "\n".join(
        [
            *asked,
            f"customer  {text}",
            f"          ({terms}) · {found.duration_modifier:g} = {found.confidence:g} {found.decision}",
            *reasons,
        ]
    )


def _figures_json(lang: str, tally: Tally, worst: int) -> str:
    return json.dumps(
        {
            "lang": lang,
            "turns": tally.turns,
            "precision": _rounded(tally.precision),
            "recall": _rounded(tally.recall),
            "f1": _rounded(tally.f1),
            "false_close_rate": _rounded(tally.false_close_rate),
            "thanks_closed_rate": _rounded(tally.thanks_closed_rate),
            "worst": [
                {"label": label, "text": text, "agent": asked, **found.as_dict()}
                for label, text, asked, found in tally.worst(worst)
            ],
        }
    )


def _figures_text(lang: str, tally: Tally, worst: int) -> Iterator[str]:
    yield (
        f"{lang}: {tally.turns} user turns, precision {_shown(tally.precision)}, recall {_shown(tally.recall)}, "
        f"F1 {_shown(tally.f1)}; closed on {tally.closed_not_done} of {tally.not_done} not done "
        f"({_percent(tally.false_close_rate)}), on {tally.closed_bare_thanks} of {tally.bare_thanks} bare thanks"
    )
    for label, text, asked, found in tally.worst(worst):
        kind = "missed" if label == "close" else f"closed on {label}"
        yield f"  {found.confidence:.4f}  {kind}: {text!r} after {asked[-80:]!r}"


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _shown(share: float | None) -> str:
    return "none" if share is None else f"{share:.3f}"


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.2%}"
