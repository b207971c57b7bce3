"""What the agent said last, as far as it explains a short answer: "não" means nothing without its question."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import takewhile
from typing import Final, NamedTuple

from owner.models.closure_phrases import lexicon, longest
from owner.models.closure_sections import CLOSES_KINDLY, EVIDENCE, NEUTRAL, Section
from owner.models.closure_text import Clause, clauses_of, words_of

_READ_AT_MOST: Final = 600  # characters from the end; what counts is asked there
_READINGS_KEPT: Final = 1_000  # an agent's message is read again with each answer, and many say the same
_CLOSING_STEMS: Final = (
    "encer",
    "fech",
    "finali",
    "termin",
    "conclu",
    "cer",
    "ciera",
    "ciere",
    "ciero",
    "clos",
    "finish",
)
_STEM_OF_CONVERSATIONS: Final = "encer"  # nobody says "encerrar" of a shopping cart without naming it
_HELPING_STEMS: Final = ("ajud", "ayud", "help", "assist", "serv")
_LONGEST_LEAVE: Final = 5  # words of "e uma boa noite Ana Paula"
_UNTIL: Final = frozenset({"ate", "hasta", "until"})  # "até amanhã" after other words is a date
_OR: Final = frozenset({"ou", "or", "o", "u"})
_ONCE_MORE: Final = frozenset({"again", "novo", "nuevo", "novamente", "nuevamente"})
_GREETS_OR_LEAVES: Final = frozenset(  # take leave where nothing follows, and greet before anything else
    " ".join(words_of(greeting))
    for greeting in (
        "bom dia",
        "boa tarde",
        "boa noite",
        "good day",
        "good morning",
        "good afternoon",
        "good evening",
        "buenas tardes",
        "buenas noches",
        "buen dia",
        "buenos dias",
    )
)
_ABOUT_THE_END: Final = (Section.ASKS_TO_CLOSE, Section.ASKS_MORE, Section.ASKS_ALL)
_QUESTIONS: Final = frozenset({*_ABOUT_THE_END, Section.ASKS_ITEMS, Section.WANTS_TO_KNOW})
_OFFERS: Final = frozenset({Section.ASKS_MORE, Section.ASKS_ALL, Section.ASKS_OTHER})
_ASKS_WHAT_IS_LEFT: Final = frozenset({Section.ASKS_MORE, Section.ASKS_ALL})
_WISHES: Final = frozenset({Section.WISHES_WELL, Section.SAYS_GOODBYE})
_ACTS_OF_THE_END: Final = _WISHES | {
    *_ABOUT_THE_END,
    Section.ASKS_OTHER,
    Section.AT_YOUR_SERVICE,
    Section.SETTLED,
}
_COURTESIES: Final = NEUTRAL | CLOSES_KINDLY | {Section.SAME_TO_YOU, Section.GREETING, Section.YES}
_SHORT_FAREWELL: Final = 2  # words; longer ones say themselves what they are
_BEGINS_ANOTHER: Final = frozenset({Section.ASKS_MORE, Section.ASKS_OTHER})
_SIGNS_OF_THE_END: Final = frozenset(
    {Section.SETTLED, Section.WISHES_WELL, Section.SAYS_GOODBYE, Section.AT_YOUR_SERVICE}
)
# "Thanks for contacting us, somebody will be with you shortly": nothing ends before that is done.
_ENDINGS: Final = _SIGNS_OF_THE_END | {Section.ASKS_MORE, Section.ASKS_ALL, Section.ASKS_OTHER}


class AgentTurn(NamedTuple):
    """The last agent message."""

    acts: dict[Section, str]  # what it did last, with the words that show it
    is_question: bool  # it waits for an answer
    text: str = ""

    @property
    def closes_other(self) -> bool:
        """It speaks of closing an order, a deal, a menu item: "pode fechar" answers that."""
        return any(_closes_other(clause.words) for clause in _clauses_of_the_end(self.text))

    @property
    def offers_information(self) -> bool:
        """It asks whether to tell more about something: "would you like more information on that hotel?"."""
        asked, sets = self.acts.get(Section.ASKS_ITEMS, "").split(), lexicon().sets
        is_about_it = not sets[Section.INFORMATION_WORD].isdisjoint(asked)
        return is_about_it and sets[Section.TELLING_WORD].isdisjoint(words_of(self.text))

    def did(self, *sections: Section) -> bool:
        return not self.acts.keys().isdisjoint(sections)

    def without_question_to_close(self) -> "AgentTurn":
        acts = dict(self.acts)
        acts.pop(Section.ASKS_TO_CLOSE, None)
        return self._replace(acts=acts)

    @property
    def asks_how_it_went(self) -> bool:
        """Who says yes needs nothing more for that: "Is it working now?"."""
        return self.is_question and self.did(Section.ASKS_RESULT)

    @property
    def wants_a_fact(self) -> bool:
        """It asks neither for a wish nor whether something suits: "Have you tried another cable?"."""
        clauses = _clauses_of_the_end(self.text)
        last = max((clause.sentence for clause in clauses if clause.is_asked), default=None)
        asked = {word for clause in clauses if clause.sentence == last for word in clause.words}
        sets = lexicon().sets
        return (
            last is not None
            and sets[Section.OFFER_WORD].isdisjoint(asked)
            and sets[Section.PROPOSAL_WORD].isdisjoint(asked)
        )

    @property
    def asks_something_else(self) -> bool:
        """It waits for an answer that has nothing to do with the end of the conversation."""
        return self.is_question and (self.did(Section.ASKS_ITEMS) or not self.did(*_ABOUT_THE_END))


SILENT: Final = AgentTurn({}, is_question=False)


@lru_cache(maxsize=_READINGS_KEPT)
def read_agent(text: str) -> AgentTurn:
    """What an agent message asks and does, judged by its last question and what follows it."""
    clauses = _clauses_of_the_end(text)
    said = [
        (section, words, clause.sentence)
        for position, clause in enumerate(clauses)
        for section, words in _acts(clause)
        if not (section is Section.ASKS_ALL and not _is_asked(clauses, position))
        and not (words in _GREETS_OR_LEAVES and _goes_on_after(clauses, position))
        and not (section is Section.SAYS_GOODBYE and (clause.is_asked or _has_more_to_say(clauses, position)))
    ]
    asked = [clause.sentence for clause in clauses if clause.is_asked]
    found = _without_early_endings(said, asked)
    since = _start_of_last_question(asked)
    acts = {section: words for section, words, sentence in found if sentence >= since}
    if not _ASKS_WHAT_IS_LEFT.isdisjoint(acts) and _fills_an_order(clauses, found):
        asks_all = acts.pop(Section.ASKS_ALL, "")
        acts[Section.ASKS_ITEMS] = acts.pop(Section.ASKS_MORE, "") or asks_all
    if clauses and all(_is_wish(clause, found) for clause in clauses):
        acts.setdefault(Section.SAYS_GOODBYE, acts.get(Section.WISHES_WELL, ""))
    is_settled = any(section in _SIGNS_OF_THE_END for section, _, _ in found)
    if not (asked and is_settled) or Section.ASKS_ITEMS in acts:
        other = acts.pop(Section.ASKS_OTHER, None)  # "Changed. Any other worries?" may end it
        asked_last = {word for clause in clauses if clause.sentence >= since for word in clause.words}
        if other is not None and lexicon().sets[Section.OFFER_WORD].isdisjoint(asked_last):
            acts.setdefault(Section.WANTS_TO_KNOW, other)  # "Any other colour?" not
    if Section.ASKS_TO_CLOSE in acts and _names_a_deal(clauses):
        del acts[Section.ASKS_TO_CLOSE]
    return AgentTurn(acts, is_question=bool(asked) or not _QUESTIONS.isdisjoint(acts), text=text)


def _without_early_endings(
    said: list[tuple[Section, str, int]], asked: list[int]
) -> list[tuple[Section, str, int]]:
    """Without what is said up to the sentence after "let me check"; only a question right behind it counts."""
    at_work = max((sentence for section, _, sentence in said if section is Section.WORKS_ON_IT), default=None)
    if at_work is None:
        return said
    return [act for act in said if act[0] not in _ENDINGS or act[2] > at_work + (act[2] not in asked)]


def _clauses_of_the_end(text: str) -> list[Clause]:
    return clauses_of(text[-_READ_AT_MOST:])


def _names_a_deal(clauses: list[Clause]) -> bool:
    """The question to close means the deal: "It is 300 reais. Shall we close?"."""
    return any(_closes_other(clause.words) for clause in clauses) and any(
        word[0].isdigit() for clause in clauses for word in clause.words
    )


def _fills_an_order(clauses: list[Clause], found: list[tuple[Section, str, int]]) -> bool:
    """The next item is asked for: "It is in your cart. Anything else?", but not "… I can help you with?"."""
    offers_help = any(word.startswith(_HELPING_STEMS) for clause in clauses for word in clause.words)
    return not offers_help and any(section is Section.FILLS_ORDER for section, _, _ in found)


def _goes_on_after(clauses: list[Clause], position: int) -> bool:
    """More follows than a name or a smile: "Bom dia, tudo bem?", but not "De nada, bom dia, Ana 🙂"."""
    clause, following = clauses[position], clauses[position + 1 :]
    if len(clause.words) > _LONGEST_LEAVE:
        return True
    return any(after.is_asked or _says_more_than_a_name(after.words) for after in following)


def _has_more_to_say(clauses: list[Clause], position: int) -> bool:
    """No farewell yet: "Thank you for your patience. I am checking it now."."""
    return not all(clause.is_asked or _is_about_the_end(clause) for clause in clauses[position + 1 :])


def _is_about_the_end(clause: Clause) -> bool:
    acts = {section for section, _ in _acts(clause)}
    if not acts.isdisjoint(_ACTS_OF_THE_END):
        return True
    return not _says_more_than_a_name(clause.words, besides=_COURTESIES)


def _says_more_than_a_name(words: list[str], *, besides: frozenset[Section] = NEUTRAL) -> bool:
    told = [item.section for item in lexicon().items(words) if item.section not in besides]
    return told not in ([], [Section.LEFT_OVER])


def _is_asked(clauses: list[Clause], position: int) -> bool:
    """A question mark ends it, or a tag does: "that is all, right?". "That is all we have" only tells."""
    clause = clauses[position]
    if clause.is_asked or position + 1 == len(clauses):
        return clause.is_asked
    tag = clauses[position + 1]
    is_tag = lexicon().sets[Section.TAG_QUESTION].issuperset(tag.words)
    return is_tag and tag.is_asked and tag.sentence == clause.sentence


def _is_wish(clause: Clause, found: list[tuple[Section, str, int]]) -> bool:
    """A wish and nothing more, with which an agent takes leave: "Have a safe ride!"."""
    said = " ".join(clause.words)
    return not clause.is_asked and any(section in _WISHES and words == said for section, words, _ in found)


def _start_of_last_question(asked: list[int]) -> int:
    """The sentence of the last question; of the one before when the two stand side by side."""
    if not asked:
        return 0
    return asked[-2] if len(asked) > 1 and asked[-1] - asked[-2] == 1 else asked[-1]


def _acts(clause: Clause) -> list[tuple[Section, str]]:
    """What a clause does; "did you notice anything else?" wants to know and offers nothing."""
    acts = list(_found(clause.words))
    kinds = {section for section, _ in acts}
    if Section.WANTS_TO_KNOW not in kinds:
        return acts
    is_asked = clause.is_asked or not kinds.isdisjoint(_OFFERS)  # "tell me if the box is wet" only tells
    dropped = _OFFERS if is_asked else {Section.WANTS_TO_KNOW}
    return [(section, words) for section, words in acts if section not in dropped]


def _found(words: list[str]) -> Iterator[tuple[Section, str]]:
    tree, between = lexicon().asked, lexicon().sets[Section.BETWEEN]
    start = 0
    while start < len(words):
        begins = words[start] in tree
        section, end = longest(tree, words, start, between) if begins else (None, start)
        if section is None:
            start += 1
            continue
        if section is Section.ASKS_MORE and not _is_offer(words, end):
            section = Section.ASKS_OTHER
        if _is_meant(section, words, start, end):
            yield section, " ".join(words[start:end])
        # "Anything else" may begin "anything else to drink", which ends otherwise.
        start = start + 1 if section in _BEGINS_ANOTHER else end


def _is_meant(section: Section, words: list[str], start: int, end: int) -> bool:
    if section is Section.SAYS_GOODBYE and (words[start] in _UNTIL or end - start <= _SHORT_FAREWELL):
        around = lexicon().items(words[:start]) + lexicon().items(words[end:])
        return all(item.section in NEUTRAL | EVIDENCE for item in around)
    if section is Section.ASKS_ALL:  # "is everything right with the order?" asks about the order
        return _is_offer(words, end) and lexicon().sets[Section.ORDER_WORD].isdisjoint(words[end:])
    return section is not Section.ASKS_TO_CLOSE or _means_conversation(words, end)


def _is_offer(words: list[str], end: int) -> bool:
    """Help is offered ("anything else you need?") or no more is said; "anything else on the screen?" wants to know."""
    if not lexicon().sets[Section.OFFER_WORD].isdisjoint(words):
        return True
    rest = takewhile(lambda word: word not in _OR, words[end:])
    return all(item.section in NEUTRAL for item in lexicon().items(list(rest)))


def _means_conversation(words: list[str], end: int) -> bool:
    """It is "may I close?" or "… the chat?", not "… the deal?"."""
    sets = lexicon().sets
    if not _ONCE_MORE.isdisjoint(words[end:]):
        return False  # "shall I end your session and log you in again?"
    if not sets[Section.ORDER_WORD].isdisjoint(words):
        return sets[Section.ORDER_WORD].isdisjoint(words[end:]) and not _closes_other(words)
    if not _closes_other(words):
        return True
    rest = words[end:]
    return not rest or rest[0] in _OR or all(item.section is Section.FILLER for item in lexicon().items(rest))


def _closes_other(words: list[str]) -> bool:
    stems = [word for word in words if word.startswith(_CLOSING_STEMS)]
    if not stems:
        return False
    sets = lexicon().sets
    if not sets[Section.ORDER_WORD].isdisjoint(words):
        return True
    if not sets[Section.CONVERSATION_WORD].isdisjoint(words):
        return False
    return not any(word.startswith(_STEM_OF_CONVERSATIONS) for word in stems)
