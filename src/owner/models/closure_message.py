"""Reads a customer's message clause by clause: what it says of the end, and what is left over."""

from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Any, Final

from owner.models.closure_phrases import Item, lexicon, next_items, tells_only
from owner.models.closure_reading import Reading
from owner.models.closure_sections import (
    CLOSES_KINDLY,
    COMMANDS,
    DECLINES,
    ENDS_A_NEGATION,
    ENDS_A_REASON,
    ENDS_A_TAIL,
    EVIDENCE,
    LEAVES,
    LOUD,
    NEGATED,
    NEUTRAL,
    POLITE,
    PRECEDES_AN_ORDER,
    SOFT,
    TAKES_A_NAME,
    TAKES_A_TAIL,
    TAKES_ANY_NAME,
    Section,
)
from owner.models.closure_text import Clause, clauses_of, words_of

_READ_AT_MOST: Final = 5_000  # characters from the end, where a goodbye is; channels carry fewer
_ASKS_IF_MORE_FOLLOWS: Final = frozenset({"need", "preciso"})
_OF_A_SENTENCE_BEFORE: Final = frozenset({"que"})  # opens a question, or goes on after a comma
_WILL: Final = frozenset(words_of("will shall"))  # "I will try that one" orders nothing
_ONLY_AT_THE_BEGINNING: Final = frozenset({"yet"})  # "yet I wonder", but not "I am not ready yet"
_CONDITIONS: Final = frozenset({"if"})  # "if that is all, I'd like to pay"
_FIRST_PERSON: Final = frozenset({"i", "we", "id", "im", "ill", "il", "eu", "yo"})
_PRONOUNS: Final = frozenset({"me", "te", "se"})  # "no sé" at the end tells nothing, unlike "no quiero"
_FOR_ONESELF: Final = _FIRST_PERSON | {"me", "us", "my", "our"}
_LONGEST_TAIL: Final = 5  # words after "that is all I need"
_SPACES_OF_A_DECLINE: Final = 2
_LONGEST_REASON: Final = 8  # words after "thanks for" that are read as what the thanks are for
_JOINED: Final = [Section.GREETING, Section.THANKS]
_LONGEST_SLIP: Final = 2  # words
_LONGEST_MEETING: Final = 4  # words after "see you at"
_LONGEST_SIGNATURE: Final = 3  # words after "kind regards"
_MAY_TURN: Final = frozenset({Section.DONE, Section.THAT_IS_IT, Section.GIVES_UP})
_SAYS_NOTHING: Final = frozenset({Section.FILLER, Section.PLEASE, Section.PICTURE})
_MAY_TELL_WHEN: Final = frozenset({"when", "quando", "cuando"})  # "when I am back I will see to it"
_EXCLAIMED: Final = frozenset({"que"})  # "que queridos!" asks for nothing


def read_message(text: str, own: dict[str, Any] | None = None) -> Reading:
    """The reading of a message up to what forbids to close: nothing after it counts. `own` holds the owner's phrases."""
    reading = Reading()
    for clause in clauses_of(text[-_READ_AT_MOST:]):
        _ClauseReader(clause, lexicon().items(clause.words, own), reading).read()
        if reading.vetoes:
            return reading
    if not reading.evidence and 0 < len(reading.left_over) <= _LONGEST_SLIP:
        _read_slip(text, reading)
    if reading.looks_back is not None and not reading.find(LEAVES):
        reading.vetoes.append(reading.looks_back)
    return reading


def _read_slip(text: str, reading: Reading) -> None:
    """A message that is nothing but a short goodbye or thanks with a slip in it: "tchsu", "hasta lugo"."""
    words = words_of(text)
    if len(words) > _LONGEST_SLIP:
        return
    section = lexicon().slip(words)
    if section is not None:
        reading.left_over.clear()
        reading.evidence.append(Item(section, " ".join(words), is_corrected=True))


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


class _ClauseReader:
    """Goes through one clause and adds to the reading."""

    def __init__(self, clause: Clause, items: list[Item], reading: Reading) -> None:
        self.clause = clause
        self.opens_sentence = clause.sentence != reading.sentence
        self.items = items
        self.reading = reading
        self.previous: Section | None = None  # the phrase before, fillers aside
        self.previous_words = ""
        self.absorbs = 0  # phrases that may still belong to "thanks for …" or "that is all I need …"
        self.absorbed_until: frozenset[Section] = frozenset()
        self.next_items: list[Item | None] | None = None
        self.is_negated = False
        self.has_open = False
        self.puts_off = _puts_off(items)
        self.is_deferral = (self.puts_off or self._adds_to_a_decline()) and LOUD.isdisjoint(
            [item.section for item in items]
        )

    def _adds_to_a_decline(self) -> bool:
        """A clause after "no, thanks" that tells something and wants nothing: "your service is superb"."""
        is_declined = self.reading.opens_with in DECLINES and bool(self.reading.evidence)
        return is_declined and tells_only(self.items)

    def read(self) -> None:
        reading = self.reading
        if self.clause.is_asked and not self._asks_nothing():
            reading.vetoes.append(Item(Section.QUESTION, "?"))
            return
        if reading.evidence and (self._is_signature() or self._is_name()):
            reading.name = self.items[0]
            return
        self._read_items()
        if reading.vetoes:
            return
        reading.sentence = self.clause.sentence
        if self.items[0].section is Section.GREETING:
            said = [item.section for item in self.items if item.section not in NEUTRAL]
            reading.is_joined = reading.is_joined or said == _JOINED
        if self.has_open and not self.is_deferral:
            self._ask_politely()

    def _read_items(self) -> None:
        reading = self.reading
        for position, item in enumerate(self.items):
            section = item.section
            if section in _SAYS_NOTHING and not self.absorbs:
                continue
            if section is Section.LEFT_OVER and self.previous is Section.LEFT_OVER and self._rambles():
                reading.left_over.append(item)
                continue
            role = self._role(item, position)
            if role is not _Role.NEUTRAL:
                self._take(item, role)
            if reading.vetoes:
                return
            if section not in NEUTRAL:
                self.previous, self.previous_words = section, item.words

    def _rambles(self) -> bool:
        """One more word of no list after another changes nothing: most words are read here."""
        return self.has_open and self.absorbs == 0 and not self.is_deferral

    def _ask_politely(self) -> None:
        """A "please" beside words that no list explains asks for what they say."""
        please = next((item for item in self.items if item.section is Section.PLEASE), None)
        if please is not None:
            self.reading.vetoes.append(please)

    def _take(self, item: Item, role: _Role) -> None:
        reading = self.reading
        if role is _Role.EVIDENCE:
            if item not in reading.evidence:  # said twice counts once, and keeps hostile repeats cheap
                reading.evidence.append(item)
            reading.opens_with = reading.opens_with or item.section
            if item.section not in SOFT:
                reading.runs_on = self.has_open
            reading.is_polite = reading.is_polite or item.section in POLITE
        elif role is _Role.VETO:
            reading.vetoes.append(item)
        elif role is _Role.OPEN and self.is_deferral:
            reading.deferred.append(item)
            reading.puts_off = reading.puts_off or self.puts_off
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
        if item.section is Section.LEFT_OVER and self.previous not in TAKES_A_NAME:
            return _Role.OPEN  # by far the most words
        special = _SPECIAL.get(item.section)
        if special is not None:
            return special(self, item, position)
        if item.section in EVIDENCE:
            self.is_negated = self.is_negated and item.section not in ENDS_A_NEGATION
            return _Role.EVIDENCE
        if item.section in NEUTRAL:
            self.reading.says_hello = self.reading.says_hello or item.section is Section.HELLO
            self.reading.regrets = self.reading.regrets or item.section is Section.REGRET
            return _Role.NEUTRAL
        return _Role.VETO if item.section in LOUD else _Role.OPEN

    def no(self, item: Item, position: int) -> _Role:
        following = self._following(position)
        self.is_negated = True
        if following is not None and self._turns_round(following):
            is_second = self.reading.opens_with is Section.NO  # "não, não é só isso"
            turned = self.reading.vetoes if is_second else self.reading.turned_round
            turned.append(Item(following.section, f"{item.words} {following.words}"))
        return _Role.OPEN if self.has_open else _Role.EVIDENCE

    def negation(self, item: Item, position: int) -> _Role:
        following = self._following(position)
        self.is_negated = True
        if following is None:
            return _Role.OPEN if item.words.rpartition(" ")[2] in _PRONOUNS else self._declined(item)
        if following.section in NEGATED:
            return _Role.VETO
        if following.section in CLOSES_KINDLY and following.section not in SOFT:
            return self._declined(item)
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

    def but(self, item: Item, position: int) -> _Role:
        if position > 0 and item.words in _ONLY_AT_THE_BEGINNING:
            return _Role.OPEN
        following = self._following(position)
        harmless = CLOSES_KINDLY | {Section.NO, Section.DONE, Section.GOODBYE_OR_VERB}
        if item.words in _CONDITIONS:
            harmless -= {Section.DONE}
        return _Role.NEUTRAL if following is not None and following.section in harmless else _Role.VETO

    def goodbye_or_verb(self, item: Item, position: int) -> _Role:
        """A leave ("I need to go") unless more follows ("I need to go to Leeds")."""
        following = self._following(position)
        if following is None or following.section in EVIDENCE:
            return _Role.EVIDENCE
        return _Role.OPEN if _ASKS_IF_MORE_FOLLOWS.isdisjoint(item.words.split()) else _Role.VETO

    def question(self, item: Item, _position: int) -> _Role:
        begins = self.previous is None or self.previous in EVIDENCE
        if not self.opens_sentence and item.words in _OF_A_SENTENCE_BEFORE:
            begins = False
        if self.clause.is_exclaimed and item.words in _EXCLAIMED:
            begins = False
        is_put_off = self.is_deferral and item.words in _MAY_TELL_WHEN  # not "how do I do it myself, bye"
        return _Role.VETO if begins and not is_put_off else _Role.OPEN

    def request(self, item: Item, _position: int) -> _Role:
        """After a "no" nothing is wanted ("não preciso do número"), unless it is "no, I need a cab"."""
        if self._takes_a_tail(item) and item.words.partition(" ")[0] in _FIRST_PERSON:
            return self._absorb(_LONGEST_TAIL, until=ENDS_A_TAIL)
        negated = self.previous in (Section.NO, Section.NEGATION)
        if negated and item.words.partition(" ")[0] not in _FIRST_PERSON:
            self.is_deferral = self.puts_off = True
            return _Role.OPEN
        return _Role.VETO

    def imperative(self, _item: Item, position: int) -> _Role:
        """Asks at the beginning ("get me the number"), unless it is put off ("book it myself later")."""
        if position > 0 and not _WILL.isdisjoint(self.items[position - 1].words.split()):
            return _Role.OPEN
        begins = self.previous is None or self.previous in PRECEDES_AN_ORDER
        follows = {word for item in self.items[position + 1 :] for word in item.words.split()}
        is_put_off = self.is_deferral and _FOR_ONESELF.isdisjoint(follows)  # not "book it and I'll pay later"
        return _Role.VETO if begins and not is_put_off else _Role.OPEN

    def after_done(self, item: Item, position: int) -> _Role:
        """Tells no more after "that is all" ("I need"), and asks for something anywhere else."""
        if not self._takes_a_tail(item):
            is_relative = self.has_open and self._following(position) is None  # "you gave me the info I need"
            return _Role.OPEN if is_relative else _Role.VETO
        return self._absorb(_LONGEST_TAIL, until=ENDS_A_TAIL)

    def _takes_a_tail(self, item: Item) -> bool:
        """After "that is all" follows what was needed; after "that is fine" a new sentence may begin: "I need …"."""
        if self.previous is Section.AFTER_DONE or item.words.partition(" ")[0] not in _FIRST_PERSON:
            return self.previous in TAKES_A_TAIL
        last = self.previous_words.rpartition(" ")[2]
        return self.previous in TAKES_A_TAIL and last in lexicon().sets[Section.TAKES_A_TAIL]

    def only_wanted(self, item: Item, _position: int) -> _Role:
        """Looks back after a "no" or before a goodbye, and opens a request anywhere else."""
        if self.reading.opens_with in DECLINES and not self.reading.left_over:
            return self._absorb(_LONGEST_REASON, until=ENDS_A_REASON)
        self.reading.looks_back = item
        return _Role.OPEN

    def meeting(self, _item: Item, position: int) -> _Role:
        """A leave where only times follow ("see you at six"); "see you at the store" may be anything."""
        times = lexicon().sets[Section.TIME_OR_NUMBER]
        told = (item for item in self.items[position + 1 :] if item.section is Section.LEFT_OVER)
        if any(item.words not in times for item in told):
            return _Role.OPEN
        self._absorb(_LONGEST_MEETING, until=ENDS_A_REASON - {Section.NUMBER})
        return _Role.EVIDENCE

    def after_thanks(self, _item: Item, _position: int) -> _Role:
        if self.previous not in POLITE:
            return _Role.OPEN
        return self._absorb(_LONGEST_REASON, until=ENDS_A_REASON)

    def _absorb(self, phrases: int, *, until: frozenset[Section]) -> _Role:
        self.absorbs, self.absorbed_until = phrases, until
        return _Role.NEUTRAL

    def before_praise(self, _item: Item, position: int) -> _Role:
        following = self._following(position)
        kind = following.section if following is not None else None
        return _Role.NEUTRAL if kind in (Section.PRAISE, Section.ACKNOWLEDGEMENT) else _Role.OPEN

    def left_over(self, item: Item, position: int) -> _Role:
        is_name = self.previous in TAKES_ANY_NAME or item.words in lexicon().sets[Section.NAME]
        if self.reading.name or not is_name or self._following(position) is not None:
            return _Role.OPEN
        self.reading.name = item
        return _Role.NEUTRAL

    def _following(self, position: int) -> Item | None:
        """The next phrase of the clause, fillers aside."""
        if self.next_items is None:
            self.next_items = next_items(self.items)
        return self.next_items[position]

    def _turns_round(self, item: Item) -> bool:
        turned = lexicon().sets[Section.TURNED_ROUND]
        return item.section in _MAY_TURN and item.words.partition(" ")[0] in turned

    def _asks_nothing(self) -> bool:
        """Leaves nothing to answer: "…, ok?" and "podemos encerrar?"."""
        tags = lexicon().sets[Section.TAG_QUESTION]
        return all(word in tags for word in self.clause.words) or all(
            item.section in COMMANDS or item.section in NEUTRAL for item in self.items
        )

    def _is_name(self) -> bool:
        """One word behind a comma: any after "tchau", a first name after "era só isso"."""
        reading, item = self.reading, self.items[0]
        if len(self.items) > 1 or item.section is not Section.LEFT_OVER:
            return False
        if reading.name is not None or not reading.evidence:
            return False
        before = reading.evidence[-1].section
        is_first_name = before in TAKES_A_NAME - DECLINES and item.words in lexicon().sets[Section.NAME]
        return before in TAKES_ANY_NAME or is_first_name

    def _is_signature(self) -> bool:
        """Words of no list right after "kind regards"."""
        reading = self.reading
        may_sign = reading.name is None and len(self.items) <= _LONGEST_SIGNATURE
        if may_sign and reading.evidence and reading.evidence[-1].section is Section.SIGN_OFF:
            reading.is_signed = all(item.section is Section.LEFT_OVER for item in self.items)
            return reading.is_signed
        return False


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
    Section.MEETING: _ClauseReader.meeting,
    Section.GOODBYE_OR_VERB: _ClauseReader.goodbye_or_verb,
    Section.BEFORE_PRAISE: _ClauseReader.before_praise,
    Section.LEFT_OVER: _ClauseReader.left_over,
}
