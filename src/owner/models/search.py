"""The words of a text as they are searched for: without accents and case, and where they are."""

import unicodedata
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from pydantic import Field

from owner.models.entity import DTO
from owner.models.message import MessageResponse

FINDABLE: Final = 10_000  # characters of a text: more than channels carry, less than an index entry can hold
LONGEST_WORD: Final = 100  # of what is kept of it; a longer one is no word
MOST_WORDS: Final = 16  # of a search; the rest is left out
LONGEST_SEARCH: Final = 200
SNIPPET: Final = 160  # characters
BEFORE_MATCH: Final = 50


class Word(NamedTuple):
    """A word and where it is in the text."""

    folded: str
    start: int
    end: int


class Snippet(NamedTuple):
    """A piece of a text, and where in it the words are that were found."""

    text: str
    highlights: list[tuple[int, int]]

    def pieces(self) -> Iterator[tuple[str, bool]]:
        """The text piece by piece, and whether each was looked for."""
        place = 0
        for start, end in self.highlights:
            yield self.text[place:start], False
            yield self.text[start:end], True
            place = end
        yield self.text[place:], False


class MessageSearch(DTO):
    """What to look for."""

    text: str = Field(
        min_length=1,
        max_length=LONGEST_SEARCH,
        description="All words have to be there, in any form and order; the last may be the beginning of one.",
    )
    limit: int = Field(default=50, ge=1, le=100, description="How many items a page holds at most.")
    cursor: str | None = Field(default=None, max_length=500, description="`next_cursor` of the page before.")


class FoundMessage(MessageResponse):
    """A message, and the piece of it that holds what was looked for."""

    snippet: str
    highlights: list[tuple[int, int]] = Field(
        description="Start and end of each found word, in characters of the snippet."
    )


def words_of(text: str) -> list[str]:
    return [word.folded for word in _words(text)]


def searched_words(text: str) -> list[str]:
    """The words of a search, each once."""
    return list(dict.fromkeys(words_of(text)))[:MOST_WORDS]


def is_unfinished(text: str) -> bool:
    """Whether somebody may still be writing the last word."""
    return bool(text) and not text[-1].isspace()


def snippet_of(text: str, found: Collection[str]) -> Snippet:
    """The text around the first of the words that were found."""
    matches = [word for word in _words(text) if word.folded in found]
    start = max(0, matches[0].start - BEFORE_MATCH) if matches else 0
    end = min(len(text), start + SNIPPET)
    start, end = _at_words(text, start, end)
    before, after = ("…" if start else ""), ("…" if end < len(text) else "")
    shift = len(before) - start
    highlights = [
        (word.start + shift, word.end + shift) for word in matches if word.start >= start and word.end <= end
    ]
    return Snippet(f"{before}{text[start:end]}{after}", highlights)


def marked(text: str, found: Collection[str]) -> Snippet:
    """The whole text, with the words that were found."""
    return Snippet(text, [(word.start, word.end) for word in _words(text) if word.folded in found])


def _at_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Cut between words where there is one near."""
    if start and (blank := text.find(" ", start, start + 20)) >= 0:
        start = blank + 1
    if end < len(text) and (blank := text.rfind(" ", end - 20, end)) > start:
        end = blank
    return start, end


def _words(text: str) -> Iterator[Word]:
    letters: list[str] = []
    start = 0
    for place, character in enumerate(f"{text[:FINDABLE]} "):
        folded = _fold(character)
        if folded is None:
            if letters:
                yield Word("".join(letters)[:LONGEST_WORD], start, place)
            letters = []
        elif folded or letters:
            start = start if letters else place
            letters.append(folded)


@lru_cache(maxsize=4096)
def _fold(character: str) -> str | None:
    """A letter or digit without accent and case; nothing for an accent alone, None for what stands between words."""
    if unicodedata.combining(character):
        return ""
    plain = "".join(one for one in unicodedata.normalize("NFKD", character) if not unicodedata.combining(one))
    return plain.casefold() if plain.isalnum() else None
