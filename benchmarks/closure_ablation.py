"""Prints what each line of the word lists is worth on labelled messages: `python benchmarks/closure_ablation.py [DIALOGUES]`.

Each line is left out in turn and the messages that hold one of its phrases are decided again. A line that no
message needs may go, unless a phrase family has it in the other languages too. Takes about ten minutes.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from owner.models import closure_phrases
from owner.models.closure import Turn, score
from owner.models.closure_evaluation import labelled_turns
from owner.models.closure_sections import Section
from owner.models.closure_text import clauses_of

REPOSITORY = Path(__file__).parents[1]
DIALOGUES = REPOSITORY.parent / "shared" / "closure"
OWN = REPOSITORY / "tests" / "data" / "closure"
LANGUAGES = ("pt", "en", "es")
ALLOWED = {"close": ("CLOSE",), "thanks": ("NONE", "CONFIRM"), "continue": ("NONE", "CONFIRM")}


class Message(NamedTuple):
    """A message and the decisions that are right."""

    history: tuple[Turn, ...]
    text: str
    right: tuple[str, ...]
    clauses: tuple[list[str], ...]  # of the message and the two before it

    def holds(self, tree: dict[str, Any], between: frozenset[str]) -> bool:
        return any(
            closure_phrases.longest(tree, words, start, between)[0]
            for words in self.clauses
            for start, word in enumerate(words)
            if word in tree
        )

    @property
    def is_right(self) -> bool:
        return score(self.history, self.text).decision in self.right


def main() -> None:
    messages = list(_messages(Path(sys.argv[1]) if len(sys.argv) > 1 else DIALOGUES))
    lines = closure_phrases._lines()  # noqa: SLF001  the measuring tool looks behind the door
    worth: dict[int, int] = {}
    same = closure_phrases.spellings()
    between = closure_phrases.lexicon().sets[Section.BETWEEN]
    said_with = _by_word(messages)
    before = {id(message): message.is_right for message in messages}
    print(f"{len(messages)} messages, {sum(before.values())} right, {len(lines)} lines\n")
    for number, (line, heading) in enumerate(lines):
        if heading not in frozenset(Section):
            continue
        tree = closure_phrases.tree_of([(line, Section(heading))], same)
        touched = {
            id(message): message
            for word in tree
            for message in said_with[word]
            if is_word_set(heading) or message.holds(tree, between)
        }
        if not touched:
            continue
        _read_only(lines[:number] + lines[number + 1 :])
        after = {key: message.is_right for key, message in touched.items()}
        worth[number] = sum(before[key] for key in after) - sum(after.values())
    _print(lines, worth)


def is_word_set(heading: str) -> bool:
    return Section(heading) in closure_phrases._WORD_SETS  # noqa: SLF001


def _print(lines: tuple[tuple[str, str], ...], worth: dict[int, int]) -> None:
    by_heading: dict[str, list[int]] = defaultdict(list)
    for number, loss in worth.items():
        by_heading[lines[number][1]].append(loss)
    used = len(worth)
    print(f"{used} lines are in a message, the others wait for one\n")
    print("| heading | lines | nothing lost without | one message lost | harm |")
    print("|---|---|---|---|---|")
    for heading, losses in by_heading.items():
        nothing, one, harm = losses.count(0), losses.count(1), sum(loss < 0 for loss in losses)
        print(f"| {heading} | {len(losses)} | {nothing} | {one} | {harm} |")
    for title, wanted in (
        ("harmful", range(-1_000, 0)),
        ("one message", range(1, 2)),
        ("no message", range(1)),
    ):
        print(f"\n{title}:")
        for number, loss in worth.items():
            if loss in wanted:
                print(f"  {loss:+d} {lines[number][1]}: {lines[number][0][:110]}")


def _read_only(lines: tuple[tuple[str, str], ...]) -> None:
    for remembered in (closure_phrases.lexicon, closure_phrases.unlisted, closure_phrases.intended):
        remembered.cache_clear()
    closure_phrases._lines = lambda: lines  # type: ignore[assignment]  # noqa: SLF001


def _by_word(messages: list[Message]) -> dict[str, list[Message]]:
    found: dict[str, list[Message]] = defaultdict(list)
    for message in messages:
        for word in {word for words in message.clauses for word in words}:
            found[word].append(message)
    return found


def _message(history: list[Turn], text: str, right: tuple[str, ...]) -> Message:
    texts = [text, *(turn.text for turn in history[-2:])]
    clauses = tuple(clause.words for said in texts for clause in clauses_of(said))
    return Message(tuple(history), text, right, clauses)


def _messages(dialogues: Path) -> Iterator[Message]:
    for language in LANGUAGES:
        for line in (dialogues / f"dialogues_{language}.jsonl").read_text("utf-8").splitlines():
            dialogue = json.loads(line)
            turns = [Turn(**turn) for turn in dialogue["turns"]]
            for turn in labelled_turns(turns, dialogue["labels"], dialogue["reasons"]):
                yield _message(list(turn.history), turn.text, ALLOWED[turn.label])
        for name in (f"{language}.jsonl", f"said_{language}.jsonl"):
            for case in map(json.loads, (OWN / name).read_text("utf-8").splitlines()):
                if "context" not in case:
                    history = [Turn(**turn) for turn in case["history"]]
                    yield _message(history, case["text"], tuple(case["expect"]))


if __name__ == "__main__":
    main()
