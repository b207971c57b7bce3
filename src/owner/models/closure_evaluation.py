"""Holds the detector against labelled dialogues: how often it is right, and its worst mistakes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from owner.models.closure import ClosureDecision, ClosureScore, Turn, score

LABELS: Final = ("close", "thanks", "continue")
BARE_THANKS: Final = "thanks_bare"  # the reason of a thanks that says nothing of being done


class LabelledTurn(NamedTuple):
    """A customer's message as people judged it."""

    history: Sequence[Turn]
    text: str
    label: str
    reason: str


class Mistake(NamedTuple):
    """A message on which detector and label disagree."""

    label: str
    text: str
    asked: str  # what the agent had said before
    score: ClosureScore


@dataclass
class Tally:
    """What was counted; the shares are None where nothing was counted."""

    turns: int = 0
    closed_rightly: int = 0
    missed: int = 0
    not_done: int = 0  # customers who go on
    closed_not_done: int = 0  # the error that costs
    bare_thanks: int = 0
    closed_bare_thanks: int = 0
    mistakes: list[Mistake] = field(default_factory=list)

    def add(self, turn: LabelledTurn, found: ClosureScore) -> None:
        """Count one message."""
        is_closed = found.decision is ClosureDecision.CLOSE
        is_bare_thanks = turn.label == "thanks" and turn.reason == BARE_THANKS
        self.turns += 1
        if turn.label == "close":
            self.closed_rightly += is_closed
            self.missed += not is_closed
        elif is_bare_thanks:
            self.bare_thanks += 1
            self.closed_bare_thanks += is_closed
        else:
            self.not_done += 1
            self.closed_not_done += is_closed
        if is_closed != (turn.label == "close"):
            asked = turn.history[-1].text if turn.history else ""
            self.mistakes.append(Mistake(turn.label, turn.text, asked, found))

    @property
    def precision(self) -> float | None:
        closed = self.closed_rightly + self.closed_not_done + self.closed_bare_thanks
        return _share(self.closed_rightly, closed)

    @property
    def recall(self) -> float | None:
        return _share(self.closed_rightly, self.closed_rightly + self.missed)

    @property
    def f1(self) -> float | None:
        closed_wrongly = self.closed_not_done + self.closed_bare_thanks
        return _share(2 * self.closed_rightly, 2 * self.closed_rightly + self.missed + closed_wrongly)

    @property
    def false_close_rate(self) -> float | None:
        return _share(self.closed_not_done, self.not_done)

    @property
    def thanks_closed_rate(self) -> float | None:
        return _share(self.closed_bare_thanks, self.bare_thanks)

    def worst(self, count: int) -> list[Mistake]:
        """The costly mistakes first: closed on somebody not done, then closings missed by most."""
        closed = [mistake for mistake in self.mistakes if mistake.label != "close"]
        missed = [mistake for mistake in self.mistakes if mistake.label == "close"]
        closed.sort(key=lambda mistake: (mistake.label == "thanks", -mistake.score.confidence))
        missed.sort(key=lambda mistake: mistake.score.confidence)
        return [*closed, *missed][:count]


def evaluate(turns: Iterator[LabelledTurn], tally: Tally) -> None:
    """Score every turn with the default settings and count it."""
    for turn in turns:
        tally.add(turn, score(turn.history, turn.text))


def labelled_turns(
    turns: Sequence[Turn], labels: Sequence[str], reasons: Sequence[str]
) -> Iterator[LabelledTurn]:
    """The user turns of a dialogue, each with what was said before it."""
    judged = iter(zip(labels, reasons, strict=True))
    for position, turn in enumerate(turns):
        if turn.speaker == "user":
            label, reason = next(judged)
            yield LabelledTurn(turns[:position], turn.text, label, reason)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
