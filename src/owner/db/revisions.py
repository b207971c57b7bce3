"""Which revisions of the schema this program knows; light, because every process asks."""

from functools import cache
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
