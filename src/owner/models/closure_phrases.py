"""The word lists, read once and laid out so that a message is matched in one pass."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from owner.models.closure_sections import AGENT_SECTIONS, NEUTRAL, SAYS_MORE, Section
from owner.models.closure_slips import SHORTEST_LONG, LongWords, ShortWords
from owner.models.closure_text import FIRST_PICTURE, words_of

LANGUAGES: Final = ("pt", "en", "es")


_HEADINGS: Final = frozenset(Section)
_RANK: Final = {section: rank for rank, section in enumerate(Section)}
_WORD_SETS: Final = tuple(section for section in Section if _RANK[section] >= _RANK[Section.TURNED_ROUND])
_SAME_WORD: Final = "same word"  # the heading of spellings, which hold in every line of every list
_MARKS_LANGUAGE: Final = "only in this language"  # the heading of the words that tell it from the other two
_NOT_SAID: Final = AGENT_SECTIONS | frozenset(_WORD_SETS)
_CORRECTED: Final = frozenset({Section.THANKS, Section.GOODBYE, Section.CLOSE_NOW})  # words that are a phrase
_SLIPPED: Final = frozenset({Section.THANKS, Section.GOODBYE, Section.GOODBYE_OR_VERB})
_END: Final = ""  # the key under which a node of the phrase tree keeps the heading of a finished phrase
_MARKS: Final = re.compile(r"([\[\]()/])")
_LAUGHTER: Final = re.compile(
    r"[ajehiksur]{0,2}(?:ha|ja|he|je|hi|ji|rs|ks|hua|hue){2,}[ahjeksr]?"
)  # "ajajaj", "rsrsr"
_SLOT: Final = re.compile(r"<[^<>]*>")
_TO_THE_AGENT: Final = frozenset({"you", "u", "te", "le", "lhe", "les", "vos", "os"})
_COMES_BACK_TO_IT: Final = frozenset(
    {"volto", "voltamos", "retorno", "vuelvo", "back", "meu", "minha", "mi", "my", "our"}
)
_SKIPPED_AT_MOST: Final = 2  # words between the words of a phrase: "that is really pretty much all"
Spellings = Mapping[str, Sequence[str]]


class Item(NamedTuple):
    """A phrase found in a message, and the heading it stands under."""

    section: Section
    words: str
    is_corrected: bool = False  # found only after forgiving a typing slip


class Lexicon(NamedTuple):
    """Everything that the lists say."""

    said: dict[str, Any]  # the phrases of customers as a tree of words
    asked: dict[str, Any]  # those of agents
    sets: dict[Section, frozenset[str]]  # the headings that hold single words
    known: frozenset[str]  # every word of a customer's phrase
    long: LongWords  # those that are mended anywhere
    short: ShortWords  # those that are mended where they are the whole message

    def items(self, words: list[str], own: dict[str, Any] | None = None) -> list[Item]:
        """The clause as phrases and left-over words, in order; the owner's own phrases win."""
        items: list[Item] = []
        said, between, known = self.said, self.sets[Section.BETWEEN], self.known
        meant = [word if word in known or len(word) < SHORTEST_LONG else intended(word) for word in words]
        is_mended = meant != words
        last = len(words) - 1
        start = 0
        while start <= last:
            node = said.get(meant[start])
            if node is None:
                section, end = None, start
            elif start < last and (meant[start + 1] in node or meant[start + 1] in between):
                section, end = longest(said, meant, start, between)
            else:
                section, end = node.get(_END), start + 1  # by far the most
            if own:
                own_section, own_end = longest(own, words, start)
                if own_section is not None and own_end >= end:
                    section, end = own_section, own_end
            if section is None:
                items.append(unlisted(words[start]))
                start += 1
            else:
                is_corrected = is_mended and meant[start:end] != words[start:end]
                items.append(listed(section, " ".join(words[start:end]), is_corrected))
                start = end
        return items

    def slip(self, words: Sequence[str]) -> Section | None:
        """What a whole message of one or two short words was meant to be: "tchsu", "hasta lugo"."""
        for position, word in enumerate(words):
            if word in self.known or word in self.sets[Section.NOT_A_TYPO]:
                continue
            for listed in self.short.near(word):
                meant = [*words[:position], listed, *words[position + 1 :]]
                section, end = longest(self.said, meant, 0)
                if section in _SLIPPED and end == len(meant):
                    return section
        return None


def next_items(items: list[Item]) -> list[Item | None]:
    """For each phrase the next one that is no filler."""
    following: list[Item | None] = []
    next_item: Item | None = None
    for item in reversed(items):
        following.append(next_item)
        if item.section not in NEUTRAL:
            next_item = item
    following.reverse()
    return following


def tells_only(items: Iterable[Item]) -> bool:
    """The words tell something ("that one is fine"), instead of naming, denying or asking for something."""
    told = lexicon().sets[Section.PLAIN_STATEMENT]
    return tells_no_more(items) and any(not told.isdisjoint(item.words.split()) for item in items)


def tells_no_more(items: Iterable[Item]) -> bool:
    """The words hold no number, day, denial or wish: nothing that somebody would have to act on."""
    times = lexicon().sets[Section.TIME_OR_NUMBER]
    return all(item.section not in SAYS_MORE and times.isdisjoint(item.words.split()) for item in items)


def names_need(item: Item) -> bool:
    """It speaks of what was wanted: "era essa a minha dúvida"."""
    return not lexicon().sets[Section.NEED_WORD].isdisjoint(item.words.split())


def writes_to_agent(item: Item) -> bool:
    """A plan to write or call again: "I'll let you know"."""
    return not _TO_THE_AGENT.isdisjoint(item.words.split())


def puts_off_an_answer(item: Item) -> bool:
    """A plan to come back to it: "I'll let you know", "I'll ask my wife first", "amanhã eu volto"."""
    return writes_to_agent(item) or not _COMES_BACK_TO_IT.isdisjoint(item.words.split())


@lru_cache(maxsize=4096)  # most phrases come again
def listed(section: Section, words: str, is_corrected: bool) -> Item:  # noqa: FBT001 -- an Item's own fields
    """What a phrase of the lists is."""
    return Item(section, words, is_corrected)


@lru_cache(maxsize=4096)  # most words come again
def unlisted(word: str) -> Item:
    """What a word is that begins no phrase."""
    if word >= FIRST_PICTURE and not word.isalnum():
        return Item(Section.PICTURE, word)
    if _LAUGHTER.fullmatch(word):
        return Item(Section.FILLER, word)
    return Item(Section.LEFT_OVER if word.isalpha() else Section.NUMBER, word)


@lru_cache(maxsize=4096)
def intended(word: str) -> str:
    """The word of a closing phrase that an unknown word was meant to be; the word itself if there is none."""
    lists = lexicon()
    return word if word in lists.sets[Section.NOT_A_TYPO] else lists.long.meant(word) or word


def longest(
    tree: dict[str, Any], words: Sequence[str], start: int, between: Container[str] = ()
) -> tuple[Section | None, int]:
    """The heading of the longest phrase that begins at `start`, and where it ends; few words may stand between."""
    node = tree
    found, end, skipped = None, start, 0
    for position in range(start, len(words)):
        following = node.get(words[position])
        if following is None:
            skipped += 1
            if node is tree or skipped > _SKIPPED_AT_MOST or words[position] not in between:
                break
            continue
        node = following
        if _END in node:
            found, end = node[_END], position + 1
    return found, end


@cache
def lexicon() -> Lexicon:
    """The lists of all languages together: people mix them, and a short message names none."""
    same = spellings()
    lines = [(line, Section(heading)) for line, heading in _lines() if heading in _HEADINGS]
    said = tree_of(((line, section) for line, section in lines if section not in _NOT_SAID), same)
    singles = [word for word, node in said.items() if node.get(_END) in _CORRECTED]
    known = {word for line, section in lines if section not in _NOT_SAID for word in words_of(line)}
    return Lexicon(
        said=said,
        asked=tree_of(((line, section) for line, section in lines if section in AGENT_SECTIONS), same),
        sets={name: _words_under(name, lines) for name in _WORD_SETS},
        known=frozenset(known.union(*same.values())),
        long=LongWords([*singles, *_words_under(Section.FORGIVEN, lines)]),
        short=ShortWords(word for line, section in lines if section in _SLIPPED for word in words_of(line)),
    )


@cache
def spellings() -> Spellings:
    """The words that chats spell in several ways, each with all its spellings."""
    groups = [words_of(line) for line, heading in _lines() if heading == _SAME_WORD]
    return {group[0]: tuple(group) for group in groups}


@cache
def marks_of(language: str) -> frozenset[str]:
    """The words that are used in this language and in neither of the other two."""
    marking = (line for line, heading in _read(language) if heading == _MARKS_LANGUAGE)
    return frozenset(word for line in marking for word in words_of(line))


@cache
def _lines() -> tuple[tuple[str, str], ...]:
    return tuple(line for language in LANGUAGES for line in _read(language))


def _read(language: str) -> Iterator[tuple[str, str]]:
    text = (files("owner.models") / "closure_words" / f"{language}.txt").read_text("utf-8")
    heading = ""
    slots: dict[str, str] = {}
    for line in text.splitlines():
        entry = line.partition("#")[0].strip()
        name, is_slot, choices = entry.partition("=")
        if entry.startswith("=="):
            heading = entry.strip("= ").lower()
        elif is_slot:
            slots[name.strip()] = f"({_filled(choices, slots).strip()})"
        elif entry:
            yield _filled(entry, slots), heading


def _filled(entry: str, slots: Mapping[str, str]) -> str:
    return _SLOT.sub(lambda slot: slots.get(slot.group(), slot.group()), entry)


def _words_under(section: Section, lines: Iterable[tuple[str, Section]]) -> frozenset[str]:
    return frozenset(word for line, heading in lines if heading is section for word in words_of(line))


class _Step(NamedTuple):
    """A word at its place in a line; what may follow is known by number, as lines share no places."""

    word: str
    following: frozenset[int]


def tree_of(lines: Iterable[tuple[str, Section]], same: Spellings | None = None) -> dict[str, Any]:
    """All lines as one tree of words, equal branches shared.

    A line with brackets stands for up to millions of phrases, so they are never spelled out: each word is a
    place that knows which places may follow, and a node of the tree is the set of places reached so far.
    """
    steps: list[_Step | Section] = []
    first: frozenset[int] = frozenset()
    for line, section in lines:
        end = len(steps)
        steps.append(section)
        first |= _Parser(line, steps, same or {}).parse(frozenset({end})) - {end}
    return _node(first, steps, {})


def _node(
    places: frozenset[int], steps: list[_Step | Section], made: dict[frozenset[int], dict[str, Any]]
) -> dict[str, Any]:
    if places in made:
        return made[places]
    node: dict[str, Any] = {}
    made[places] = node
    ended: list[Section] = []
    following: dict[str, frozenset[int]] = {}
    for place in places:
        step = steps[place]
        if isinstance(step, Section):
            ended.append(step)
        else:
            following[step.word] = following.get(step.word, frozenset()) | step.following
    if ended:
        node[_END] = min(ended, key=_RANK.__getitem__)
    for word, reached in following.items():
        node[word] = _node(reached, steps, made)
    return node


class _Parser:
    """Reads one line from its end, since a word must know what follows it."""

    def __init__(self, line: str, steps: list[_Step | Section], same: Spellings) -> None:
        self.line = line
        self.steps = steps
        self.same = same
        self.parts = [part.strip() for part in _MARKS.split(line) if part.strip()]

    def parse(self, following: frozenset[int]) -> frozenset[int]:
        """The places where the line may begin, if `following` may come after it."""
        first = self._choice(following)
        if self.parts:
            raise ValueError(f"A bracket without its partner: {self.line}")
        return first

    def _choice(self, following: frozenset[int]) -> frozenset[int]:
        found: frozenset[int] = frozenset()
        first = following
        while self.parts and self.parts[-1] not in ("[", "("):
            part = self.parts.pop()
            if part == "/":
                found, first = found | first, following
            elif part in ("]", ")"):
                first = self._bracket(part, first)
            else:
                for word in reversed(words_of(part)):
                    first = self._step(word, first)
        return found | first

    def _step(self, word: str, following: frozenset[int]) -> frozenset[int]:
        start = len(self.steps)
        self.steps.extend(_Step(spelling, following) for spelling in self.same.get(word, (word,)))
        return frozenset(range(start, len(self.steps)))

    def _bracket(self, closing: str, following: frozenset[int]) -> frozenset[int]:
        inner = self._choice(following)
        opening = self.parts.pop() if self.parts else ""
        if (opening, closing) not in (("[", "]"), ("(", ")")):
            raise ValueError(f"A bracket without its partner: {self.line}")
        return inner | following if opening == "[" else inner
