"""Prints the quality and the speed of the closure detector: `python benchmarks/closure.py [DIALOGUES]`.

Times are also given as multiples of a yardstick measured in the same run (a webhook-sized payload through
`json.dumps` and `json.loads`), so that runs on different machines can be compared.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from owner.models.closure import DETECTOR_VERSION, Turn, score
from owner.models.closure_evaluation import LabelledTurn, Tally, labelled_turns

REPOSITORY = Path(__file__).parents[1]
DIALOGUES = REPOSITORY.parent / "shared" / "closure"
HARD_CASES = REPOSITORY / "tests" / "data" / "closure"
LANGUAGES = ("pt", "en", "es")
MICROSECONDS = 1e6
PAYLOAD = {
    "MessageSid": "SM0123456789abcdef0123456789abcdef",
    "AccountSid": "AC0123456789abcdef0123456789abcdef",
    "From": "whatsapp:+5511987654321",
    "To": "whatsapp:+551130040000",
    "Body": "Bom dia, o meu pedido ainda não chegou. Podem verificar, por favor?",
    "ProfileName": "Ana",
    "WaId": "5511987654321",
    "NumMedia": "0",
    "NumSegments": "1",
    "SmsStatus": "received",
    "ApiVersion": "2010-04-01",
}
HOSTILE = {
    "não": "não ",
    "marks": "\u0316\u0301",
    "emoji": "👋",
    "nested": "não é só isso que eu preciso mas ",
}


def main() -> None:
    dialogues = Path(sys.argv[1]) if len(sys.argv) > 1 else DIALOGUES
    score([], "tchau")  # reads the word lists
    yardstick = statistics.median(_timed(_yardstick) for _ in range(2_000))
    print(f"detector {DETECTOR_VERSION}, yardstick {yardstick * MICROSECONDS:.1f} µs\n")
    print(
        "| | turns | precision | recall | F1 | false close | thanks closed | median µs | p99 µs | yardsticks |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for language in LANGUAGES:
        file = dialogues / f"dialogues_{language}.jsonl"
        if file.exists():
            print(_quality_row(language, _read(file), yardstick))
    for language in LANGUAGES:
        print(_hard_row(language, yardstick))
    print()
    for name, unit in HOSTILE.items():
        text = (unit * 10_000)[:10_000]
        took = min(_timed(partial(score, [Turn("agent", "ok")], text)) for _ in range(3))
        print(f"10,000 characters of {name}: {took * 1_000:.1f} ms")


def _read(file: Path) -> list[LabelledTurn]:
    turns: list[LabelledTurn] = []
    for line in file.read_text("utf-8").splitlines():
        dialogue = json.loads(line)
        said = [Turn(**turn) for turn in dialogue["turns"]]
        turns.extend(labelled_turns(said, dialogue["labels"], dialogue["reasons"]))
    return turns


def _quality_row(language: str, turns: Sequence[LabelledTurn], yardstick: float) -> str:
    tally, times = Tally(), []
    for turn in turns:
        started = time.perf_counter()
        found = score(turn.history, turn.text)
        times.append(time.perf_counter() - started)
        tally.add(turn, found)
    shares = (tally.precision, tally.recall, tally.f1)
    quality = " | ".join(f"{share or 0:.3f}" for share in shares)
    false = f"{tally.closed_not_done}/{tally.not_done}"
    thanks = f"{tally.closed_bare_thanks}/{tally.bare_thanks}"
    return f"| {language} | {tally.turns} | {quality} | {false} | {thanks} | {_speed(times, yardstick)} |"


def _hard_row(language: str, yardstick: float) -> str:
    cases = [json.loads(line) for line in (HARD_CASES / f"{language}.jsonl").read_text("utf-8").splitlines()]
    right, times = 0, []
    for case in cases:
        history = [Turn(**turn) for turn in case["history"]]
        started = time.perf_counter()
        found = score(history, case["text"], context=case.get("context"))
        times.append(time.perf_counter() - started)
        right += found.decision in case["expect"]
    return f"| hard {language} | {len(cases)} | right: {right / len(cases):.1%} | | | | | {_speed(times, yardstick)} |"


def _speed(times: Sequence[float], yardstick: float) -> str:
    median, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    return f"{median * MICROSECONDS:.0f} | {p99 * MICROSECONDS:.0f} | {median / yardstick:.1f}"


def _yardstick() -> None:
    json.loads(json.dumps(PAYLOAD))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
