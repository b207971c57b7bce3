"""Finds the listed word that a slip of the finger turned into another."""

from collections.abc import Iterable, Iterator
from typing import Final

SHORTEST_LONG: Final = 6  # letters; below, one slip makes another word too easily
_LONGEST: Final = 24  # no listed word is longer
_SHORTEST: Final = 4
_WHOLE: Final = -1  # the word itself, no letter left out
_ROWS_OF_KEYS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_KEYS_BESIDE: Final = {
    key: frozenset(
        other
        for near, letters in enumerate(_ROWS_OF_KEYS)
        for at, other in enumerate(letters)
        if other != key and abs(near - row) <= 1 and abs(at - place) <= 1
    )
    for row, keys in enumerate(_ROWS_OF_KEYS)
    for place, key in enumerate(keys)
}


class LongWords:
    """Words of six letters and more: forgiven is a letter missing, added, wrong, or two swapped.

    Another, one more or one less letter at the end is not: "precisas" is a form of "precisa", no slip.
    """

    def __init__(self, listed: Iterable[str]) -> None:
        self._without: dict[str, list[tuple[str, int]]] = {}  # less one letter: which word, which letter
        for word in sorted(set(listed)):
            if len(word) >= SHORTEST_LONG and word.isalpha():
                self._without.setdefault(word, []).append((word, _WHOLE))
                for gap in range(1, len(word)):
                    self._without.setdefault(_less(word, gap), []).append((word, gap))

    def meant(self, word: str) -> str | None:
        if not (SHORTEST_LONG <= len(word) <= _LONGEST and word.isalpha()):
            return None
        for listed, gap in self._without.get(word, ()):
            if gap != _WHOLE and gap < len(word):
                return listed
        for missing in range(1, len(word)):
            for listed, gap in self._without.get(_less(word, missing), ()):
                is_within = gap in (_WHOLE, missing) and missing < len(word) - 1
                if is_within or (abs(gap - missing) == 1 and listed[gap] == word[missing]):
                    return listed
        return None


class ShortWords:
    """Words of four and five letters: forgiven is the key beside, two swapped, one lost or too many."""

    def __init__(self, listed: Iterable[str]) -> None:
        self._words = frozenset(
            word for word in listed if _SHORTEST <= len(word) < SHORTEST_LONG and word.isalpha()
        )
        self._without: dict[str, list[str]] = {}
        for word in sorted(self._words):
            for gap in range(1, len(word)):
                self._without.setdefault(_less(word, gap), []).append(word)

    def near(self, word: str) -> Iterator[str]:
        if not (_SHORTEST - 1 <= len(word) <= SHORTEST_LONG and word.isalpha()):
            return
        yield from self._without.get(word, ())
        for place in range(1, len(word)):
            shorter = _less(word, place)
            if shorter in self._words:
                yield shorter
            for listed in self._without.get(shorter, ()):
                if len(listed) == len(word) and (_is_swapped(listed, word) or _is_beside(listed, word)):
                    yield listed


def _less(word: str, place: int) -> str:
    return word[:place] + word[place + 1 :]


def _is_swapped(listed: str, word: str) -> bool:
    return listed != word and sorted(listed) == sorted(word)


def _is_beside(listed: str, word: str) -> bool:
    wrong = [(right, typed) for right, typed in zip(listed, word, strict=True) if right != typed]
    return len(wrong) == 1 and wrong[0][1] in _KEYS_BESIDE.get(wrong[0][0], ())
