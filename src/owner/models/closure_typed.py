"""Finds in a text the words that our spelling stands for, as somebody typed them."""

from typing import Final

from owner.models.closure_text import TOKEN, is_clitic_of, is_word, words_of

_AROUND_WORDS: Final = ".,;:!?…\"'()[]{}*_~<>¡¿“”«»"


class TypedText:
    """A text as it was typed."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._typed: list[str] = []
        self._ours: list[str] | None = None

    def spells(self, words: str) -> str:
        """How the text spells these words of ours; the words themselves if it does not hold them."""
        start = self._text.find(words)
        if start >= 0 and _stands_alone(self._text, start, start + len(words)):
            return words
        if self._ours is None:
            self._ours = self._take_apart()
        places = _places(self._ours, words.split())
        return self._join(places) or words

    def _take_apart(self) -> list[str]:
        """The words in our spelling; several may stem from one that was typed ("e-mail")."""
        every: list[str] = []
        for chunk in self._text.split():
            ours = words_of(chunk)
            if len(ours) == 1 and every and is_clitic_of(ours[0], every[-1]):
                every[-1] += ours[0]
                self._typed[-1] += f" {chunk.strip(_AROUND_WORDS)}"
                continue
            parts = [token for token in TOKEN.findall(chunk) if is_word(token)] if len(ours) > 1 else []
            if len(parts) != len(ours):
                parts = [chunk.strip(_AROUND_WORDS) or chunk] * len(ours)
            every.extend(ours)
            self._typed.extend(parts)
        return every

    def _join(self, places: list[int]) -> str:
        typed = [self._typed[place] for place in places]
        return " ".join(word for before, word in zip(["", *typed], typed, strict=False) if word is not before)


def _stands_alone(text: str, start: int, end: int) -> bool:
    return not any(sign.isalnum() for sign in (text[start - 1 : start], text[end : end + 1]))


def _places(ours: list[str], words: list[str]) -> list[int]:
    """Where the words follow each other; where they stand in this order with others between them; or nowhere."""
    if not words:
        return []
    length = len(words)
    for start, word in enumerate(ours):
        if word == words[0] and ours[start : start + length] == words:
            return list(range(start, start + length))
    places: list[int] = []
    for place, word in enumerate(ours):
        if len(places) < length and word == words[len(places)]:
            places.append(place)
    return places if len(places) == length else []
