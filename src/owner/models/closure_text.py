"""Brings what people type into one spelling, so that the word lists can stay short."""

import re
import unicodedata
from typing import Final, NamedTuple

_APOSTROPHES: Final = "'`\u2019\u2018\u00b4\u02bc"
_INVISIBLE: Final = "\u200b\u200c\u200d\ufeff\u2060\ufe0e\ufe0f"  # what joins or colours emoji
_DELETED: Final = _APOSTROPHES + _INVISIBLE
_BLANK: Final = '"“”«»()[]{}*_~<>¡¿|\t\r'  # quotes, brackets, WhatsApp's bold and italic
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
_LETTERS_END: Final = 0x3100  # below: scripts worth remembering; above: rare signs, folded each time
_FANCY_LETTERS: Final = range(0x1D400, 0x1D800)  # bold and script letters, as some write their names
_EMOJI: Final = range(0x1F000, 0x1FB00)
_LONGEST_FOLD: Final = 3  # one sign stands for a whole Arabic sentence; nobody gets that expanded
FIRST_PICTURE: Final = "\u2190"  # signs from here on are pictures, those before it punctuation
_QUESTION_MARK: Final = "?"
_EXCLAMATION_MARK: Final = "!"
_ENDS: Final = frozenset(".!?;")
_LINE_ENDS: Final = " . "
_LONGEST_REMEMBERED: Final = 30  # characters; a stranger's longer ones would only fill the memory
_CHUNKS_REMEMBERED: Final = 16_384

TOKEN: Final = re.compile(r"\w+|[^\w\s]")
_REPEATED: Final = re.compile(r"([^\W\d_])(?=\1)")  # all but the last of equal letters
# "that s all": an apostrophe typed as a blank. Repeated letters are one by then, so "ll" is "l".
_CLITICS: Final = {
    "s": frozenset({"that", "it", "what", "let", "there", "here", "who", "how"}),
    "m": frozenset({"i"}),
    "l": frozenset({"i", "we", "you", "it", "that", "they"}),
    "re": frozenset({"we", "you", "they"}),
    "ve": frozenset({"i", "we", "you", "they"}),
    "d": frozenset({"i", "we", "you", "that"}),
    "t": frozenset(
        {"don", "doesn", "didn", "won", "can", "isn", "wasn", "couldn", "wouldn", "hasn", "haven"}
    ),
}
_HYPHEN: Final = re.compile(r"(?<=\w)-(?=\w)")
_SMILE: Final = re.compile(r"<3+|[:;=]-?[)dpDP*]+(?!\w)")
_FROWN: Final = re.compile(r"[:=]'?-?[(]+")


class Clause(NamedTuple):
    """Words between two marks."""

    words: list[str]
    sentence: int  # the number of the sentence it belongs to
    is_asked: bool = False  # a question mark ends it
    is_exclaimed: bool = False  # an exclamation mark does


class _Fold(dict[int, str]):
    """Lower case without accents, one code point at a time.

    `unicodedata.normalize` on a whole text sorts runs of combining marks in quadratic time; a stranger
    may send ten thousand of them.
    """

    def __missing__(self, point: int) -> str:
        folded = _fold(chr(point))
        if point < _LETTERS_END or point in _FANCY_LETTERS or point in _EMOJI:
            self[point] = folded
        return folded


def _fold(sign: str) -> str:
    if sign in _DELETED or ord(sign) in _SKIN_TONES:
        return ""
    if sign == "\n":
        return _LINE_ENDS
    if sign in _BLANK:
        return " "
    parts = unicodedata.normalize("NFKD", sign)
    if len(parts) > _LONGEST_FOLD:
        return sign
    return "".join(part for part in parts if not unicodedata.combining(part)).lower()


_FOLD: Final = _Fold()


class _Chunk(NamedTuple):
    """What stands between two blanks, in our spelling: usually one word."""

    tokens: tuple[str, ...]
    has_marks: bool


def normalise(text: str) -> str:
    """One spelling: "TCHAUUU" and "tchau" are equal, and so are "até" and "ate"."""
    if ":" in text or "=" in text or ";" in text or "<" in text:
        text = _FROWN.sub(" 😞 ", _SMILE.sub(" 🙂 ", text))
    text = text.translate(_FOLD)
    if "-" in text:
        text = _HYPHEN.sub(" ", text)
    return _REPEATED.sub("", text)


class _Chunks(dict[str, _Chunk]):
    """The chunks that were read, as most words come again; no lru_cache, which takes longer than the rest."""

    def __missing__(self, typed: str) -> _Chunk:
        tokens = tuple(TOKEN.findall(normalise(typed)))
        chunk = _Chunk(tokens, has_marks=not all(map(is_word, tokens)))
        if len(typed) <= _LONGEST_REMEMBERED:
            if len(self) >= _CHUNKS_REMEMBERED:
                self.clear()
            self[typed] = chunk
        return chunk


_CHUNKS: Final = _Chunks()


def words_of(text: str) -> list[str]:
    """The words and pictures of a text, without its punctuation."""
    return [token for typed in text.split() for token in _CHUNKS[typed].tokens if is_word(token)]


def clauses_of(text: str) -> list[Clause]:
    """The clauses of a text in order, without the lines that it quotes."""
    if ">" in text:
        text = _without_quotes(text)
    clauses: list[Clause] = []
    words: list[str] = []
    sentence = 0
    for typed in text.replace("\n", _LINE_ENDS).split():
        tokens, has_marks = _CHUNKS[typed]
        if not has_marks:
            words += tokens
            continue
        for token in tokens:
            if is_word(token):
                words.append(token)
                continue
            is_asked = token == _QUESTION_MARK
            if words:
                clauses.append(Clause(_with_clitics(words), sentence, is_asked, token == _EXCLAMATION_MARK))
                words = []
            elif is_asked and clauses:
                clauses[-1] = clauses[-1]._replace(is_asked=True)
            sentence += token in _ENDS
    if words:
        clauses.append(Clause(_with_clitics(words), sentence))
    return clauses


def _with_clitics(words: list[str]) -> list[str]:
    """The words with "that s" as one."""
    if _CLITICS.keys().isdisjoint(words):
        return words
    joined = words[:1]
    for word in words[1:]:
        if is_clitic_of(word, joined[-1]):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def is_clitic_of(token: str, before: str) -> bool:
    """Whether an apostrophe between the two was typed as a blank."""
    return before in _CLITICS.get(token, ())


def is_word(token: str) -> bool:
    return token[0].isalnum() or token >= FIRST_PICTURE


def _without_quotes(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(">"))
