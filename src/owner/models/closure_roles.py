"""What a phrase of a customer's message does where it stands: speaks for the end, keeps it open, or nothing."""

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final

from owner.models.closure_phrases import Item, lexicon, next_items, tells_only, writes_to_agent
from owner.models.closure_reading import Reading
from owner.models.closure_sections import (
    CLOSES_KINDLY,
    DECLINES,
    ENDS_A_NEGATION,
    ENDS_A_REASON,
    ENDS_A_TAIL,
    EVIDENCE,
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
from owner.models.closure_text import Clause, words_of

_ASKS_IF_MORE_FOLLOWS: Final = frozenset({"need", "preciso"})
_OF_A_SENTENCE_BEFORE: Final = frozenset({"que"})  # opens a question, or goes on after a comma
_WILL: Final = frozenset(words_of("will shall"))  # "I will try that one" orders nothing
_ONLY_AT_THE_BEGINNING: Final = frozenset({"yet"})  # "yet I wonder", but not "I am not ready yet"
_CONDITIONS: Final = frozenset({"if"})  # "if that is all, I'd like to pay"
_FIRST_PERSON: Final = frozenset({"i", "we", "id", "im", "ill", "il", "eu", "yo"})
_PRONOUNS: Final = frozenset({"me", "te", "se"})  # "no sé" at the end tells nothing, unlike "no quiero"
_FOR_ONESELF: Final = _FIRST_PERSON | {"me", "us", "my", "our"}
_LONGEST_PLAN: Final = 4  # words besides "I'll come by" and its times
_NO_PLAN_WITH: Final = frozenset({"now", "agora", "ahora"})  # "I'll call you now": it goes on
_NO_PLAN_BEFORE: Final = frozenset({"me", "us", "nos", "mim", "se", "si"})  # "I'll come by, keep two for me"
_ARTICLES: Final = frozenset({"o", "os", "el", "la", "los", "las"})  # "passo amanhã o número" hands it over
_GOES_ON: Final = _ARTICLES | {
    "vou",
    "vamos",
    "voy",
    "irei",
    "ire",
}  # "amanhã vou reclamar", "busco la primera"
_NAMES_NOBODY: Final = tuple(  # "the courier will come by"
    f"{word} " for word in words_of("will be there heading coming swinging popping dropping stopping")
)
_LONGEST_TAIL: Final = 5  # words after "that is all I need"
_SPACES_OF_A_DECLINE: Final = 2
_LONGEST_REASON: Final = 8  # words after "thanks for" that are read as what the thanks are for
_LONGEST_MEETING: Final = 4  # words after "see you at"
_MAY_TURN: Final = frozenset({Section.DONE, Section.THAT_IS_IT, Section.GIVES_UP})
_MAY_TELL_WHEN: Final = frozenset({"when", "quando", "cuando"})  # "when I am back I will see to it"
_TELLS_WHEN: Final = ("quando ", "asim que ", "logo que ")
_EXCLAIMED: Final = frozenset({"que"})  # "que queridos!" asks for nothing


class Role(Enum):
    """What a phrase is to the reading of its message."""

    EVIDENCE = auto()  # speaks for the end
    NEUTRAL = auto()
    OPEN = auto()  # left over
    VETO = auto()  # left over, and forbids to close


def _puts_off(items: Sequence[Item]) -> bool:
    """Says "later", "myself", what they plan, or a "no" of several words that tells to what: "no need to book"."""
    for position, item in enumerate(items):
        if item.section is Section.DEFERRAL:
            return True
        if item.section is Section.PLAN:
            return _only_plans(items, position)
        if item.section is Section.NO and item.words.count(" ") >= _SPACES_OF_A_DECLINE:
            return all(before.section is not Section.LEFT_OVER for before in items[:position])
    return False


def _only_plans(items: Sequence[Item], position: int) -> bool:
    """Little more is told than when and where ("I'll come by on Friday at six"), and nothing is wanted."""
    plan, before, follows = items[position], items[:position], items[position + 1 :]
    if before and before[-1].words in _MAY_TELL_WHEN:
        return False  # "when will I call you"
    if not _NO_PLAN_BEFORE.isdisjoint(_words(follows)):
        return False
    times = lexicon().sets[Section.TIME_OR_NUMBER]
    names_time = not times.isdisjoint(plan.words.split())
    if names_time and follows and follows[0].words.split()[0] in _ARTICLES:
        return False
    told = [item for item in items if item.section is Section.LEFT_OVER and item.words not in times]
    if follows and follows[0] in told and plan.words.rpartition(" ")[2] in _GOES_ON:
        return False
    if writes_to_agent(plan) and not _only_writes(before, follows, told):
        return False
    return len(told) <= _LONGEST_PLAN


def _only_writes(before: Sequence[Item], follows: Sequence[Item], told: Sequence[Item]) -> bool:
    """They will write again some time: neither "I'll call you now" nor "I'll mail you the photos"."""
    if not _NO_PLAN_WITH.isdisjoint(_words([*before, *follows])):
        return False
    tells_when = any(item.words in _MAY_TELL_WHEN for item in [*before, *follows])
    return not told or tells_when or any(item.section is Section.GIVES_UP for item in before)


def _words(items: Sequence[Item]) -> set[str]:
    return {word for item in items for word in item.words.split()}


class ClauseRoles:
    """What the phrases of one clause do, each by what stands before and after it."""

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

    def role(self, item: Item, position: int) -> Role:
        if self.absorbs > 0 and item.section not in self.absorbed_until:
            self.absorbs -= 1
            return Role.NEUTRAL
        self.absorbs = 0
        if item.section is Section.LEFT_OVER and self.previous not in TAKES_A_NAME:
            return Role.OPEN  # by far the most words
        special = _SPECIAL.get(item.section)
        if special is not None:
            return special(self, item, position)
        if item.section in EVIDENCE:
            self.is_negated = self.is_negated and item.section not in ENDS_A_NEGATION
            return Role.EVIDENCE
        if item.section in NEUTRAL:
            self.reading.says_hello = self.reading.says_hello or item.section is Section.HELLO
            self.reading.regrets = self.reading.regrets or item.section is Section.REGRET
            return Role.NEUTRAL
        return Role.VETO if item.section in LOUD else Role.OPEN

    def no(self, item: Item, position: int) -> Role:
        following = self.items[position + 1] if position + 1 < len(self.items) else None
        self.is_negated = True
        if following is not None and " " in item.words and following.section is Section.LEFT_OVER:
            return Role.OPEN  # "de momento não consigo entrar"
        if following is not None and self._turns_round(following):  # "não, mano, deixa quieto" does not
            is_second = self.reading.opens_with is Section.NO  # "não, não é só isso"
            turned = self.reading.vetoes if is_second else self.reading.turned_round
            turned.append(Item(following.section, f"{item.words} {following.words}"))
        return Role.OPEN if self.has_open else Role.EVIDENCE

    def negation(self, item: Item, position: int) -> Role:
        following = self._following(position)
        self.is_negated = True
        if following is None:
            return Role.OPEN if item.words.rpartition(" ")[2] in _PRONOUNS else self._declined(item)
        if following.section in NEGATED:
            return Role.VETO
        if following.section in CLOSES_KINDLY and following.section not in SOFT:
            return self._declined(item)
        return Role.OPEN

    def _declined(self, item: Item) -> Role:
        """A "no" in more words: "não quero, obrigado"."""
        if self.has_open:
            return Role.OPEN
        self.reading.evidence.append(Item(Section.NO, item.words))
        self.reading.opens_with = self.reading.opens_with or Section.NO
        return Role.NEUTRAL

    def command(self, _item: Item, _position: int) -> Role:
        return Role.VETO if self.is_negated else Role.EVIDENCE

    def plan(self, item: Item, _position: int) -> Role:
        is_denied = self.previous in (Section.NO, Section.NEGATION)
        is_of_others = self.previous is Section.LEFT_OVER and item.words.startswith(_NAMES_NOBODY)
        return Role.EVIDENCE if self.is_deferral and not (is_denied or is_of_others) else Role.OPEN

    def but(self, item: Item, position: int) -> Role:
        if position > 0 and item.words in _ONLY_AT_THE_BEGINNING:
            return Role.OPEN
        following = self._following(position)
        harmless = CLOSES_KINDLY | {Section.NO, Section.DONE, Section.GOODBYE_OR_VERB, Section.GIVES_UP}
        if item.words in _CONDITIONS:
            harmless -= {Section.DONE}
        return Role.NEUTRAL if following is not None and following.section in harmless else Role.VETO

    def goodbye_or_verb(self, item: Item, position: int) -> Role:
        """A leave ("I need to go") unless more follows ("I need to go to Leeds")."""
        following = self._following(position)
        if following is None or following.section in EVIDENCE:
            return Role.EVIDENCE
        return Role.OPEN if _ASKS_IF_MORE_FOLLOWS.isdisjoint(item.words.split()) else Role.VETO

    def question(self, item: Item, _position: int) -> Role:
        begins = self.previous is None or self.previous in EVIDENCE
        if not self.opens_sentence and item.words in _OF_A_SENTENCE_BEFORE:
            begins = False
        if self.clause.is_exclaimed and item.words in _EXCLAIMED:
            begins = False
        is_put_off = self.is_deferral and item.words in _MAY_TELL_WHEN  # not "how do I do it myself, bye"
        return Role.VETO if begins and not is_put_off else Role.OPEN

    def request(self, item: Item, _position: int) -> Role:
        """After a "no" nothing is wanted ("não preciso do número"), unless it is "no, I need a cab"."""
        if self._takes_a_tail(item) and item.words.partition(" ")[0] in _FIRST_PERSON:
            self.reading.says_what_for = True
            return self._absorb(_LONGEST_TAIL, until=ENDS_A_TAIL)
        negated = self.previous in (Section.NO, Section.NEGATION)
        if negated and item.words.partition(" ")[0] not in _FIRST_PERSON:
            self.is_deferral = self.puts_off = True
            return Role.OPEN
        return Role.VETO

    def imperative(self, _item: Item, position: int) -> Role:
        """Asks at the beginning ("get me the number"), unless it is put off ("book it myself later")."""
        if position > 0 and not _WILL.isdisjoint(self.items[position - 1].words.split()):
            return Role.OPEN
        if self.previous is Section.DEFERRAL and self.previous_words.startswith(_TELLS_WHEN):
            return Role.VETO  # "quando chegar manda a nota"
        begins = self.previous is None or self.previous in PRECEDES_AN_ORDER
        follows = _words(self.items[position + 1 :])
        is_put_off = self.is_deferral and _FOR_ONESELF.isdisjoint(follows)  # not "book it and I'll pay later"
        return Role.VETO if begins and not is_put_off else Role.OPEN

    def after_done(self, item: Item, position: int) -> Role:
        """Tells no more after "that is all" ("I need"), and asks for something anywhere else."""
        if not self._takes_a_tail(item):
            is_relative = self.has_open and self._following(position) is None  # "you gave me the info I need"
            return Role.OPEN if is_relative else Role.VETO
        self.reading.says_what_for = True
        return self._absorb(_LONGEST_TAIL, until=ENDS_A_TAIL)

    def _takes_a_tail(self, item: Item) -> bool:
        """After "that is all" follows what was needed; after "that is fine" a new sentence may begin: "I need …"."""
        if self.previous is Section.AFTER_DONE or item.words.partition(" ")[0] not in _FIRST_PERSON:
            return self.previous in TAKES_A_TAIL
        last = self.previous_words.rpartition(" ")[2]
        return self.previous in TAKES_A_TAIL and last in lexicon().sets[Section.TAKES_A_TAIL]

    def only_wanted(self, item: Item, _position: int) -> Role:
        """Looks back after a "no" or before a goodbye, and opens a request anywhere else."""
        if self.reading.opens_with in DECLINES and not self.reading.left_over:
            return self._absorb(_LONGEST_REASON, until=ENDS_A_REASON)
        self.reading.looks_back = item
        return Role.OPEN

    def meeting(self, _item: Item, position: int) -> Role:
        """A leave where only times follow ("see you at six"); "see you at the store" may be anything."""
        if self.is_negated or self.previous is Section.LEFT_OVER:
            return Role.OPEN
        sets = lexicon().sets
        told = [item.words for item in self.items[position + 1 :] if item.section is Section.LEFT_OVER]
        if told and told[-1] in sets[Section.NAME]:
            told.pop()
        if not sets[Section.TIME_OR_NUMBER].issuperset(told):
            return Role.OPEN
        self._absorb(_LONGEST_MEETING, until=ENDS_A_REASON - {Section.NUMBER})
        return Role.EVIDENCE

    def until_day(self, _item: Item, _position: int) -> Role:
        """A leave, or a date where words lead up to it: "pago até quinta"."""
        return Role.OPEN if self.previous is Section.LEFT_OVER else Role.EVIDENCE

    def after_thanks(self, _item: Item, _position: int) -> Role:
        if self.previous not in POLITE:
            return Role.OPEN
        return self._absorb(_LONGEST_REASON, until=ENDS_A_REASON)

    def _absorb(self, phrases: int, *, until: frozenset[Section]) -> Role:
        self.absorbs, self.absorbed_until = phrases, until
        return Role.NEUTRAL

    def before_praise(self, _item: Item, position: int) -> Role:
        following = self._following(position)
        kind = following.section if following is not None else None
        return Role.NEUTRAL if kind in (Section.PRAISE, Section.ACKNOWLEDGEMENT) else Role.OPEN

    def left_over(self, item: Item, position: int) -> Role:
        is_name = self.previous in TAKES_ANY_NAME or item.words in lexicon().sets[Section.NAME]
        if self.reading.name or not is_name or self._following(position) is not None:
            return Role.OPEN
        self.reading.name = item
        return Role.NEUTRAL

    def _following(self, position: int) -> Item | None:
        """The next phrase of the clause, fillers aside."""
        if self.next_items is None:
            self.next_items = next_items(self.items)
        return self.next_items[position]

    def _turns_round(self, item: Item) -> bool:
        turned = lexicon().sets[Section.TURNED_ROUND]
        return item.section in _MAY_TURN and item.words.partition(" ")[0] in turned


_SPECIAL: Final[dict[Section, Callable[[ClauseRoles, Item, int], Role]]] = {
    Section.NO: ClauseRoles.no,
    Section.NEGATION: ClauseRoles.negation,
    Section.CLOSE_NOW: ClauseRoles.command,
    Section.OWN_KEYWORD: ClauseRoles.command,
    Section.PLAN: ClauseRoles.plan,
    Section.BUT: ClauseRoles.but,
    Section.QUESTION: ClauseRoles.question,
    Section.REQUEST: ClauseRoles.request,
    Section.IMPERATIVE: ClauseRoles.imperative,
    Section.AFTER_DONE: ClauseRoles.after_done,
    Section.ONLY_WANTED: ClauseRoles.only_wanted,
    Section.AFTER_THANKS: ClauseRoles.after_thanks,
    Section.MEETING: ClauseRoles.meeting,
    Section.UNTIL_DAY: ClauseRoles.until_day,
    Section.GOODBYE_OR_VERB: ClauseRoles.goodbye_or_verb,
    Section.BEFORE_PRAISE: ClauseRoles.before_praise,
    Section.LEFT_OVER: ClauseRoles.left_over,
}
