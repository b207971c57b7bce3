import json
from pathlib import Path

import pytest

from owner.models.closure import Turn
from owner.models.closure_evaluation import Tally, evaluate, labelled_turns

REPOSITORY = Path(__file__).parents[2]
DIALOGUES = REPOSITORY.parent / "shared" / "closure"

pytestmark = pytest.mark.skipif(
    not DIALOGUES.is_dir(),
    reason="The labelled dialogues (../shared/closure) are for development and not here.",
)


@pytest.fixture(scope="module", params=["pt", "en", "es"])
def tally(request: pytest.FixtureRequest) -> Tally:
    counted = Tally()
    for line in (DIALOGUES / f"dialogues_{request.param}.jsonl").read_text("utf-8").splitlines():
        dialogue = json.loads(line)
        turns = [Turn(**turn) for turn in dialogue["turns"]]
        evaluate(labelled_turns(turns, dialogue["labels"], dialogue["reasons"]), counted)
    return counted


def test_goodbyes_are_recognised_in_each_language(tally: Tally) -> None:
    assert tally.f1 is not None
    assert tally.f1 >= 0.97, tally.worst(20)


def test_hardly_anybody_who_goes_on_is_closed(tally: Tally) -> None:
    assert tally.false_close_rate is not None
    assert tally.false_close_rate <= 0.0003, tally.worst(20)


def test_bare_thanks_are_seldom_closed(tally: Tally) -> None:
    assert (tally.thanks_closed_rate or 0) <= 0.01, tally.worst(20)
