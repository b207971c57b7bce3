"""Words under which a contact is found: folded, so that "José" is found by "jose", numbers by how people say them."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from owner.models.addresses import Address, canonical
from owner.models.enums import Channel

LONGEST_WORD: Final = 64  # characters; a longer word is found by its beginning
MOST_WORDS: Final = 300  # of one contact
MOST_ASKED: Final = 8  # of one search; the rest narrows it hardly further
_WORD: Final = re.compile(r"[^\W_]+")
_NUMBER: Final = re.compile(r"[\d\s().+\-/]+")
_COMBINING: Final = re.compile("[\u0300-\u036f]")
# A number is said with its country, its area, without either, without the ninth digit, or by its last four.
_SPOKEN_LENGTHS: Final = (11, 10, 9, 8, 4)
_BRAZILIAN_MOBILE: Final = re.compile(r"55(\d\d)9(\d{8})")
_SHORTEST_NUMBER: Final = 4


def fold(text: str) -> str:
    """Lower case without accents."""
    return _COMBINING.sub("", unicodedata.normalize("NFKD", text)).lower()


def words_of(texts: Iterable[str]) -> list[str]:
    """Every word of the texts once, in their order."""
    found = dict.fromkeys(word[:LONGEST_WORD] for text in texts for word in _WORD.findall(fold(text)))
    return list(found)[:MOST_WORDS]


def words_of_address(address: str) -> list[str]:
    """How a number can be asked for; an id of another kind by its words."""
    if not address.startswith("+"):
        return words_of([address])
    digits = address[1:]
    spoken = [digits, *(digits[-size:] for size in _SPOKEN_LENGTHS if size <= len(digits))]
    if mobile := _BRAZILIAN_MOBILE.fullmatch(digits):
        spoken.append(mobile[1] + mobile[2])
    return list(dict.fromkeys(spoken))


def asked_words(text: str) -> list[str]:
    """The beginnings of words that a search asks for; a phone number, however it is spaced, is one."""
    digits = "".join(character for character in text if character.isascii() and character.isdigit())
    if _NUMBER.fullmatch(text) and len(digits) >= _SHORTEST_NUMBER:
        return [canonical(Address(Channel.SMS, f"+{digits}")).value[1:][:LONGEST_WORD]]
    return words_of([text])[:MOST_ASKED]


def after_all_that_begin_with(beginning: str) -> str:
    """The end of the range of texts that begin so, in the order of code points."""
    return beginning + "\U0010ffff"
