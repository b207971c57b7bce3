"""Reads a customer's message clause by clause: what it says of the end, and what is left over."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

from owner.models.closure_phrases import Item, Section, lexicon
from owner.models.closure_text import Clause, clauses_of

STRONG: Final = frozenset(
    {Section.CLOSE_NOW, Section.OWN_KEYWORD, Section.GOODBYE, Section.GOOD_WISHES, Section.DONE}
)
AGREES: Final = frozenset(  # to "may I close?"
    {Section.YES, Section.ACKNOWLEDGEMENT, Section.PRAISE, Section.THAT_IS_IT}
)
COMMANDS: Final = frozenset({Section.CLOSE_NOW, Section.OWN_KEYWORD})
_EVIDENCE: Final = STRONG | {
    Section.GOODBYE_OR_VERB,
    Section.THAT_IS_IT,
    Section.SAME_TO_YOU,
    Section.THANKS,
    Section.GREETING,
    Section.PRAISE,
    Section.ACKNOWLEDGEMENT,
    Section.YES,
    Section.NO,
}
_SOFT: Final = frozenset({Section.PRAISE, Section.ACKNOWLEDGEMENT, Section.YES, Section.NO})
_NEUTRAL: Final = frozenset({Section.FILLER, Section.PICTURE, Section.HELLO})
_LOUD: Final = frozenset({Section.WAIT, Section.REQUEST, Section.PROBLEM, Section.NEVER_CLOSES})
_CLOSES_KINDLY: Final = frozenset(
    {Section.THANKS, Section.PRAISE, Section.GOODBYE, Section.GOOD_WISHES, Section.ACKNOWLEDGEMENT}
)
_TAKES_A_NAME: Final = frozenset({Section.THANKS, Section.GOODBYE})
_TAKES_A_TAIL: Final = frozenset({Section.DONE, Section.THAT_IS_IT, Section.AFTER_DONE})
_ENDS_A_REASON: Final = _LOUD | STRONG | {Section.THANKS, Section.BUT, Section.NUMBER}
_ENDS_A_TAIL: Final = _ENDS_A_REASON - {Section.REQUEST} | {Section.AFTER_DONE}
_ENDS_A_NEGATION: Final = frozenset({Section.THANKS, Section.DONE})
_PRECEDES_AN_ORDER: Final = _EVIDENCE - {Section.NO, Section.DONE}
_SAYS_MORE: Final = _LOUD | {
    Section.NEGATION,
    Section.NUMBER,
    Section.QUESTION,
    Section.IMPERATIVE,
    Section.BUT,
}
_NEGATED: Final = STRONG | {Section.THAT_IS_IT}  # after "don't"
_FIRST_PERSON: Final = frozenset({"i", "we", "id", "im", "ill", "il", "eu", "yo"})
_LONGEST_TAIL: Final = 5  # words after "that is all I need"
_SPACES_OF_A_DECLINE: Final = 2
_LONGEST_REASON: Final = 8  # words after "thanks for" that are read as what the thanks are for


@dataclass(slots=True)
class Reading:
    """A message taken apart."""

    evidence: list[Item] = field(
        default_factory=list
    )  # what speaks for the end and has nothing open after it
    vetoes: list[Item] = field(
        default_factory=list
    )  # what keeps the conversation open, whatever else is said
    left_over: list[Item] = field(default_factory=list)  # what no list explains
    deferred: list[Item] = field(default_factory=list)  # left over too, but put off: "I'll book it later"
    turned_round: list[Item] = field(default_factory=list)  # "não é só isso": or is it "não, é só isso"?
    name: Item | None = None  # a word after thanks or goodbye that is read as somebody's name
    opens_with: Section | None = None  # the first evidence, even if left-over words followed
    is_polite: bool = False  # thanks somewhere
    runs_on: bool = False  # evidence follows left-over words with no mark between them
    says_hello: bool = False

    def find(self, sections: Iterable[Section]) -> Item | None:
        """The first evidence under one of these headings."""
        return next((item for item in self.evidence if item.section in sections), None)

    @property
    def is_explained(self) -> bool:
        """Every word stands in a list, and nothing keeps the conversation open."""
        return not (self.left_over or self.deferred or self.vetoes)


def read_message(text: str, own: dict[str, Any] | None = None) -> Reading:
    """The reading of a message; `own` holds the owner's phrases."""
    reading = Reading()
    for clause in clauses_of(text):
        _ClauseReader(clause, lexicon().items(clause.words, own), reading).read()
    return reading


class _Role(Enum):
    EVIDENCE = auto()
    NEUTRAL = auto()
    OPEN = auto()  # left over
    VETO = auto()  # left over, and forbids to close


def _puts_off(items: Iterable[Item]) -> bool:
    """Says "later", "myself", or a "no" of several words that tells to what: "no need to book"."""
    for item in items:
        if item.section is Section.DEFERRAL:
            return True
        if item.section is Section.NO and item.words.count(" ") >= _SPACES_OF_A_DECLINE:
            return True
    return False


def tells_only(items: Iterable[Item]) -> bool:
    """The words tell something ("that one is fine"), instead of naming, denying or asking for something."""
    told = lexicon().sets[Section.PLAIN_STATEMENT]
    return tells_no_more(items) and any(not told.isdisjoint(item.words.split()) for item in items)


def tells_no_more(items: Iterable[Item]) -> bool:
    """The words hold no number, day, denial or wish: nothing that somebody would have to act on."""
    times = lexicon().sets[Section.TIME_OR_NUMBER]
    return all(item.section not in _SAYS_MORE and times.isdisjoint(item.words.split()) for item in items)


class _ClauseReader:
    """Goes through one clause and adds to the reading."""

    def __init__(self, clause: Clause, items: list[Item], reading: Reading) -> None:
        self.clause = clause
        self.items = items
        self.reading = reading
        self.previous: Section | None = None  # the phrase before, fillers aside
        self.absorbs = 0  # phrases that may still belong to "thanks for …" or "that is all I need …"
        self.absorbed_until: frozenset[Section] = frozenset()
        self.next_items: list[Item | None] | None = None
        self.is_negated = False
        self.has_open = False
        self.is_deferral = (_puts_off(items) or self._adds_to_a_decline()) and _LOUD.isdisjoint(
            [item.section for item in items]
        )

    def _adds_to_a_decline(self) -> bool:
        """A clause after "no, thanks" that tells something and wants nothing: "your service is superb"."""
        is_declined = self.reading.opens_with is Section.NO and bool(self.reading.evidence)
        return is_declined and tells_only(self.items)

    def read(self) -> None:
        reading = self.reading
        if self.clause.is_asked and not self._asks_nothing():
            reading.vetoes.append(Item(Section.QUESTION, "?"))
        if self._is_name():
            reading.name = self.items[0]
            return
        for position, item in enumerate(self.items):
            role = self._role(item, position)
            self._take(item, role)
            if item.section not in _NEUTRAL:
                self.previous = item.section

    def _take(self, item: Item, role: _Role) -> None:
        reading = self.reading
        if role is _Role.EVIDENCE:
            if item not in reading.evidence:  # said twice counts once, and keeps hostile repeats cheap
                reading.evidence.append(item)
            reading.opens_with = reading.opens_with or item.section
            if item.section not in _SOFT:
                reading.runs_on = self.has_open
            reading.is_polite = reading.is_polite or item.section is Section.THANKS
        elif role is _Role.VETO:
            reading.vetoes.append(item)
        elif role is _Role.OPEN and self.is_deferral:
            reading.deferred.append(item)
        elif role is _Role.OPEN:
            self.has_open = True
            reading.left_over.append(item)
            reading.evidence.clear()
            reading.runs_on = False

    def _role(self, item: Item, position: int) -> _Role:
        if self.absorbs > 0 and item.section not in self.absorbed_until:
            self.absorbs -= 1
            return _Role.NEUTRAL
        self.absorbs = 0
        special = _SPECIAL.get(item.section)
        if special is not None:
            return special(self, item, position)
        if item.section in _EVIDENCE:
            self.is_negated = self.is_negated and item.section not in _ENDS_A_NEGATION
            return _Role.EVIDENCE
        if item.section in _NEUTRAL:
            self.reading.says_hello = self.reading.says_hello or item.section is Section.HELLO
            return _Role.NEUTRAL
        return _Role.VETO if item.section in _LOUD else _Role.OPEN

    def no(self, item: Item, position: int) -> _Role:
        following = self._following(position)
        self.is_negated = True
        if following is not None and self._turns_round(following):
            self.reading.turned_round.append(Item(following.section, f"{item.words} {following.words}"))
        return _Role.OPEN if self.has_open else _Role.EVIDENCE

    def negation(self, item: Item, position: int) -> _Role:
        following = self._following(position)
        self.is_negated = True
        if following is None or following.section in _CLOSES_KINDLY:
            return self._declined(item)
        if following.section in _NEGATED:
            return _Role.VETO
        return _Role.OPEN

    def _declined(self, item: Item) -> _Role:
        """A "no" in more words: "não quero, obrigado"."""
        if self.has_open:
            return _Role.OPEN
        self.reading.evidence.append(Item(Section.NO, item.words))
        self.reading.opens_with = self.reading.opens_with or Section.NO
        return _Role.NEUTRAL

    def command(self, _item: Item, _position: int) -> _Role:
        return _Role.VETO if self.is_negated else _Role.EVIDENCE

    def but(self, _item: Item, position: int) -> _Role:
        following = self._following(position)
        harmless = _CLOSES_KINDLY | {Section.NO, Section.DONE}
        return _Role.NEUTRAL if following is not None and following.section in harmless else _Role.VETO

    def question(self, _item: Item, _position: int) -> _Role:
        begins = self.previous is None or self.previous in _EVIDENCE
        return _Role.VETO if begins and not self.is_deferral else _Role.OPEN

    def request(self, item: Item, _position: int) -> _Role:
        """After a "no" nothing is wanted ("não preciso do número"), unless it is "no, I need a cab"."""
        if self.previous in _TAKES_A_TAIL and item.words.partition(" ")[0] in _FIRST_PERSON:
            return self._absorb(_LONGEST_TAIL, until=_ENDS_A_TAIL)
        negated = self.previous in (Section.NO, Section.NEGATION)
        if negated and item.words.partition(" ")[0] not in _FIRST_PERSON:
            self.is_deferral = True
            return _Role.OPEN
        return _Role.VETO

    def imperative(self, _item: Item, _position: int) -> _Role:
        begins = self.previous is None or self.previous in _PRECEDES_AN_ORDER
        return _Role.VETO if begins and not self.is_deferral else _Role.OPEN

    def after_done(self, _item: Item, _position: int) -> _Role:
        """Tells no more after "that is all" ("I need"), and asks for something anywhere else."""
        if self.previous not in _TAKES_A_TAIL:
            return _Role.VETO
        return self._absorb(_LONGEST_TAIL, until=_ENDS_A_TAIL)

    def only_wanted(self, _item: Item, _position: int) -> _Role:
        """Looks back after a "no" ("no, I just needed the times"), and opens a request anywhere else."""
        if self.reading.opens_with is not Section.NO or self.reading.left_over:
            return _Role.VETO
        return self._absorb(_LONGEST_REASON, until=_ENDS_A_REASON)

    def after_thanks(self, _item: Item, _position: int) -> _Role:
        if self.previous is not Section.THANKS:
            return _Role.OPEN
        return self._absorb(_LONGEST_REASON, until=_ENDS_A_REASON)

    def _absorb(self, phrases: int, *, until: frozenset[Section]) -> _Role:
        self.absorbs, self.absorbed_until = phrases, until
        return _Role.NEUTRAL

    def before_praise(self, _item: Item, position: int) -> _Role:
        following = self._following(position)
        kind = following.section if following is not None else None
        return _Role.NEUTRAL if kind in (Section.PRAISE, Section.ACKNOWLEDGEMENT) else _Role.OPEN

    def left_over(self, item: Item, position: int) -> _Role:
        if self.previous in _TAKES_A_NAME and self._following(position) is None and not self.reading.name:
            self.reading.name = item
            return _Role.NEUTRAL
        return _Role.OPEN

    def _following(self, position: int) -> Item | None:
        """The next phrase of the clause, fillers aside."""
        if self.next_items is None:
            self.next_items = _next_items(self.items)
        return self.next_items[position]

    def _turns_round(self, item: Item) -> bool:
        turned = lexicon().sets[Section.TURNED_ROUND]
        return item.section in (Section.DONE, Section.THAT_IS_IT) and item.words.partition(" ")[0] in turned

    def _asks_nothing(self) -> bool:
        """Leaves nothing to answer: "…, ok?" and "podemos encerrar?"."""
        tags = lexicon().sets[Section.TAG_QUESTION]
        return all(word in tags for word in self.clause.words) or all(
            item.section in COMMANDS or item.section in _NEUTRAL for item in self.items
        )

    def _is_name(self) -> bool:
        reading = self.reading
        return (
            len(self.items) == 1
            and self.items[0].section is Section.LEFT_OVER
            and reading.name is None
            and bool(reading.evidence)
            and reading.evidence[-1].section in _TAKES_A_NAME
        )


def _next_items(items: list[Item]) -> list[Item | None]:
    """For each phrase the next one that is no filler."""
    following: list[Item | None] = []
    next_item: Item | None = None
    for item in reversed(items):
        following.append(next_item)
        if item.section not in _NEUTRAL:
            next_item = item
    following.reverse()
    return following


_SPECIAL: Final[dict[Section, Callable[[_ClauseReader, Item, int], _Role]]] = {
    Section.NO: _ClauseReader.no,
    Section.NEGATION: _ClauseReader.negation,
    Section.CLOSE_NOW: _ClauseReader.command,
    Section.OWN_KEYWORD: _ClauseReader.command,
    Section.BUT: _ClauseReader.but,
    Section.QUESTION: _ClauseReader.question,
    Section.REQUEST: _ClauseReader.request,
    Section.IMPERATIVE: _ClauseReader.imperative,
    Section.AFTER_DONE: _ClauseReader.after_done,
    Section.ONLY_WANTED: _ClauseReader.only_wanted,
    Section.AFTER_THANKS: _ClauseReader.after_thanks,
    Section.BEFORE_PRAISE: _ClauseReader.before_praise,
    Section.LEFT_OVER: _ClauseReader.left_over,
}
