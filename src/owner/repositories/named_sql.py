"""Reads the statements in `sql/`: a line `-- name --`, sentences that say what it does, the statement."""

import re
from functools import cache
from importlib.resources import files
from typing import Final

_NAME: Final = re.compile(r"^-- (\w+) --$", re.MULTILINE)


@cache
def load_sql(noun: str) -> dict[str, str]:
    """The statements of one noun by name."""
    text = (files("owner.repositories") / "sql" / f"{noun}.sql").read_text()
    _, *parts = _NAME.split(text)
    return {name: statement.strip() for name, statement in zip(parts[::2], parts[1::2], strict=True)}
