"""Properties that hold for any input: tried on new inputs for a moment or for long, and on all that once broke one.

The corpus is `tests/data/fuzz/<name>.jsonl`, one input on each line: what the fuzzer finds is added there.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

CORPUS: Final = Path(__file__).parent / "data" / "fuzz"
QUICK: Final = 150  # examples
LONG: Final = 5_000


@dataclass(frozen=True)
class Property:
    """What holds for all inputs of a kind; `check` fails where it doesn't."""

    name: str
    inputs: SearchStrategy[Any]
    check: Callable[[Any], None]

    def try_on(self, examples: int) -> None:
        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=examples == QUICK,  # the long runs find, the quick ones are the same for everybody
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(self.inputs)
        def run(given_input: Any) -> None:
            self.check(given_input)

        run()

    def corpus(self) -> Iterator[Any]:
        for line in (CORPUS / f"{self.name}.jsonl").read_text("utf-8").splitlines():
            yield json.loads(line)

    def replay(self) -> int:
        """How many inputs of the corpus were tried."""
        tried = 0
        for kept in self.corpus():
            self.check(kept)
            tried += 1
        return tried

    def __str__(self) -> str:
        return self.name
