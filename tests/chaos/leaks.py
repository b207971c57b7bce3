"""Reads every log of a run for what no log may hold."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from chaos.agents import ANSWER
from chaos.books import Line
from chaos.customers import GOODBYES, WORDS

NUMBER: Final = re.compile(rb"\d{10,15}")


def search(logs: list[Path], *, secrets: Mapping[str, str], numbers: set[str]) -> Line:
    """Tokens and keys, what was said, and who said it."""
    forbidden = {secret.encode(): name for secret, name in secrets.items()}
    forbidden |= {text.encode(): "what somebody said" for text in (*WORDS, *GOODBYES, ANSWER)}
    known = {number.removeprefix("+").encode() for number in numbers}
    size, broken = 0, []
    for log in logs:
        with log.open("rb") as lines:
            for place, line in enumerate(lines, 1):
                size += len(line)
                broken += [f"{log.name}:{place} holds {name}" for name in _found(line, forbidden, known)]
    return Line(
        "no log holds a secret, a text or a number",
        f"{len(logs)} logs, {size / 1e6:,.1f} MB, searched for {len(forbidden) + len(known):,} strings",
        broken,
    )


def _found(line: bytes, forbidden: Mapping[bytes, str], known: set[bytes]) -> Iterator[str]:
    yield from (name for secret, name in forbidden.items() if secret in line)
    if known.intersection(NUMBER.findall(line)):
        yield "somebody's number"
