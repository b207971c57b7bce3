"""Tells in which of our languages a customer writes."""

from collections.abc import Iterable
from typing import Final

from owner.models.closure_phrases import LANGUAGES, marks_of
from owner.models.closure_text import words_of

_READ_AT_MOST: Final = 500  # characters of a message; more tells nothing new


def language_of(texts: Iterable[str]) -> str | None:
    """The language that most of the telling words belong to; None where none or two are ahead."""
    words = [word for text in texts for word in words_of(text[:_READ_AT_MOST])]
    counts = sorted(
        ((sum(word in marks_of(language) for word in words), language) for language in LANGUAGES),
        reverse=True,
    )
    (most, language), (second, _), *_rest = counts
    return language if most > second else None
