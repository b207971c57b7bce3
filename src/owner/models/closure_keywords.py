"""An owner's own closing words, and those that no owner may have."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from owner.models.closure_phrases import spellings, tree_of
from owner.models.closure_sections import Section
from owner.models.closure_text import words_of
from owner.models.errors import ReservedClosureKeyword
from owner.models.opt_out import RESERVED_WORDS

_RESERVED: Final = frozenset(tuple(words_of(word)) for word in RESERVED_WORDS)


@dataclass(frozen=True, slots=True)
class ClosureKeywords:
    """An owner's own words: they close like "encerrar", or they never close."""

    keywords: tuple[str, ...] = ()
    never: tuple[str, ...] = ()  # phrases that keep a conversation open wherever they occur
    replaces_lists: bool = False  # only the owner's keywords and answers to the agent's questions close

    def __post_init__(self) -> None:
        check_keywords(self.keywords)


def check_keywords(words: Iterable[str]) -> None:
    """Refuse the words that opt a customer out of all messages."""
    for word in words:
        if is_reserved(word):
            raise ReservedClosureKeyword(
                f'"{word}" opts the customer out of all messages, so it can\'t close a conversation.',
                field="keywords",
                word=word,
            )


def is_reserved(word: str) -> bool:
    return tuple(words_of(word)) in _RESERVED


@lru_cache(maxsize=256)
def own_tree(keywords: ClosureKeywords) -> dict[str, Any]:
    """The owner's phrases, laid out for matching."""
    lines = [(" ".join(words_of(phrase)), Section.NEVER_CLOSES) for phrase in keywords.never]
    lines += [(" ".join(words_of(word)), Section.OWN_KEYWORD) for word in keywords.keywords]
    return tree_of((line for line in lines if line[0]), spellings())


DEFAULT: Final = ClosureKeywords()
