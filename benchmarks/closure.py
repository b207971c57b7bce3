"""Prints the quality and the speed of the closure detector: `python benchmarks/closure.py [DIALOGUES]`.

Times are processor time of one thread. They are also given as multiples of a yardstick measured in the same
run (a webhook-sized payload through `json.dumps` and `json.loads`), so that runs on different machines can be
compared. The yardstick of quality is the formula read plainly: keywords, one pattern, the last agent message.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from owner.models.closure import (
    CLOSE_AT,
    DETECTOR_VERSION,
    WEIGHTS,
    ClosureDecision,
    ClosureScore,
    Turn,
    score,
)
from owner.models.closure_evaluation import LabelledTurn, Tally, labelled_turns

REPOSITORY = Path(__file__).parents[1]
DIALOGUES = REPOSITORY.parent / "shared" / "closure"
HARD_CASES = REPOSITORY / "tests" / "data" / "closure"
LANGUAGES = ("pt", "en", "es")
MICROSECONDS = 1e6
SHORT = 6  # words
PLAIN_KEYWORDS = (
    "tchau", "adeus", "até logo", "encerrar", "é tudo", "só isso", "bye", "that's all", "that is all",
    "adiós", "hasta luego", "eso es todo", "nada más",
)  # fmt: skip
PLAIN_QUESTIONS = ("mais alguma coisa", "anything else", "algo más")
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
            turns = _read(file)
            print(_quality_row(language, turns, yardstick, score))
            print(_quality_row(f"{language}, formula read plainly", turns, yardstick, _score_plainly))
    for language in LANGUAGES:
        for kind, name in (("hard", f"{language}.jsonl"), ("said", f"said_{language}.jsonl")):
            print(_cases_row(f"{kind} {language}", HARD_CASES / name, yardstick))
    print()
    for name, unit in HOSTILE.items():
        text = (unit * 10_000)[:10_000]
        unread = (text[:-1] + mark for mark in "012")  # a text that was read before is remembered
        took = min(_timed(partial(score, [Turn("agent", "ok")], fresh)) for fresh in unread)
        print(f"10,000 characters of {name}: {took * 1_000:.1f} ms")


def _read(file: Path) -> list[LabelledTurn]:
    turns: list[LabelledTurn] = []
    for line in file.read_text("utf-8").splitlines():
        dialogue = json.loads(line)
        said = [Turn(**turn) for turn in dialogue["turns"]]
        turns.extend(labelled_turns(said, dialogue["labels"], dialogue["reasons"]))
    return turns


def _score_plainly(history: Sequence[Turn], text: str) -> ClosureScore:
    """The same weights with the plainest reading of each score."""
    said = text.lower()
    asked = history[-1].text.lower() if history else ""
    keyword = float(any(word in said for word in PLAIN_KEYWORDS))
    pattern = float(len(said.split()) <= SHORT and "?" not in said)
    context = float(any(words in asked for words in PLAIN_QUESTIONS))
    confidence = round(
        sum(weight * part for weight, part in zip(WEIGHTS, (keyword, pattern, context), strict=True)), 4
    )
    decision = ClosureDecision.CLOSE if keyword and confidence >= CLOSE_AT else ClosureDecision.NONE
    return ClosureScore(confidence, decision, keyword, pattern, context, duration_modifier=1)


def _quality_row(
    name: str, turns: Sequence[LabelledTurn], yardstick: float, judge: Callable[..., ClosureScore]
) -> str:
    tally, times = Tally(), []
    for turn in turns:
        started = time.thread_time()
        found = judge(turn.history, turn.text)
        times.append(time.thread_time() - started)
        tally.add(turn, found)
    shares = (tally.precision, tally.recall, tally.f1)
    quality = " | ".join(f"{share or 0:.3f}" for share in shares)
    false = f"{tally.closed_not_done}/{tally.not_done}"
    thanks = f"{tally.closed_bare_thanks}/{tally.bare_thanks}"
    return f"| {name} | {tally.turns} | {quality} | {false} | {thanks} | {_speed(times, yardstick)} |"


def _cases_row(name: str, file: Path, yardstick: float) -> str:
    cases = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    right, times = 0, []
    for case in cases:
        history = [Turn(**turn) for turn in case["history"]]
        started = time.thread_time()
        found = score(history, case["text"], context=case.get("context"))
        times.append(time.thread_time() - started)
        right += found.decision in case["expect"]
    return f"| {name} | {len(cases)} | right: {right / len(cases):.1%} | | | | | {_speed(times, yardstick)} |"


def _speed(times: Sequence[float], yardstick: float) -> str:
    median, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    return f"{median * MICROSECONDS:.0f} | {p99 * MICROSECONDS:.0f} | {median / yardstick:.1f}"


def _yardstick() -> None:
    json.loads(json.dumps(PAYLOAD))


def _timed(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


if __name__ == "__main__":
    main()
