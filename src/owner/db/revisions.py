"""Which revisions of the schema this program knows and works with; light, because every process asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

VERSIONS: Final = Path(__file__).with_name("migrations") / "versions"


@cache
def known_revisions() -> tuple[str, ...]:
    """The revisions in order; each file's name begins with its own."""
    return tuple(sorted(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*_*.py")))


def head_revision() -> str:
    """The newest revision."""
    return known_revisions()[-1]


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database says of its schema."""

    revision: str | None  # None where nothing was migrated yet
    serves: str | None = (
        None  # the oldest program that works with it, told by the revision that such a one needs
    )

    @property
    def is_newer(self) -> bool:
        return self.revision is not None and self.revision > head_revision()

    @property
    def is_fit(self) -> bool:
        """Whether this program works with it: it is the program's own, or a newer one that still serves it."""
        if self.is_newer:
            return self.serves is not None and self.serves <= head_revision()
        return self.revision == head_revision()


def oldest_served(revisions: Sequence[tuple[str, str]]) -> str:
    """The oldest program that works with a schema after these revisions, each with the oldest that it serves itself.

    A program has to bear every revision that is newer than its own.
    """
    oldest, needed = revisions[-1][0], ""
    for (_, serves), (former, _) in pairwise(reversed(revisions)):
        needed = max(needed, serves)
        if needed > former:
            break
        oldest = former
    return oldest
