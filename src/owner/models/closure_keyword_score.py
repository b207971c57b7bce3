"""What a message says of the end: the keyword score."""

from typing import Final

from owner.models.closure_case import FULL, SHOWN_AT_MOST, TURNS_A_GREETING, Case, ClosureSignal
from owner.models.closure_phrases import Item, names_need, puts_off_an_answer, writes_to_agent
from owner.models.closure_reading import Reading
from owner.models.closure_sections import COMMANDS, DECLINES, FAREWELL, LEAVES, POLITE, SOFT, STRONG, Section
from owner.models.closure_text import words_of

# What one phrase is worth by itself, as keyword score.
WORTH: Final[dict[Section, float]] = {
    **dict.fromkeys(STRONG, FULL),
    Section.GOODBYE_OR_VERB: 1.0,
    Section.GREETING: 0.7,  # "boa noite" alone also begins
    Section.THANKS: 0.7,  # after a statement they end between 0.6 and 0.8: worth a question, not a closing
    Section.SAME_TO_YOU: 0.7,
    Section.PLAN: 0.7,  # "I'll come by tomorrow": what they do afterwards
    Section.SUCCESS: 0.3,  # "it works now"
    Section.THAT_IS_IT: 0.7,  # "é isso" also means "that's right"
    Section.PRAISE: 0.3,
    Section.ACKNOWLEDGEMENT: 0.2,  # "ok" says nothing
    Section.YES: 0.0,  # an answer counts only with its question
    Section.NO: 0.0,
}

IN_DOUBT: Final = 0.7  # "encerar" for "encerrar", "fim" while the agent waits for an answer
PLAN_ALONE: Final = 0.5  # "chego na sexta", to "anything else?", may go on with the booking
THANKS_INSTEAD: Final = 0.5  # the agent asked something else and still waits

_OF_ONESELF: Final = ("im ", "i am ", "were ", "we are ")  # "we're good" does not mean "that's right"
_LONGEST_RIGHT: Final = len("it will be that")  # "yes, that's all" may say that a summary is right
_RIGHT_AWAY: Final = frozenset({"now", "agora", "ahora"})
_WAVE: Final = "👋"  # hello and goodbye
_OF_THE_WHOLE: Final = ("thats it", "that is it", "era iso")  # "ok, that's it": said of everything
_NOT_NOW: Final = frozenset(words_of("was era eran eram foi fue will would será seria sería serían"))
_OF_ALL: Final = frozenset(
    words_of(
        "all everything it tudo só apenas todo solo nada nothing done finished terminei terminado terminé"
    )
)
_LOOKS_BACK: Final = "era iso"  # "that was it": with thanks nobody says so of what goes on
_ONLY: Final = frozenset({"so", "solo", "apenas", "somente", "solamente", "only", "just"})
_BARE_GOODBYE: Final = frozenset({Section.GOODBYE, Section.UNTIL_DAY, Section.ACKNOWLEDGEMENT})
_TAKES_LEAVE: Final = frozenset({Section.GOODBYE, Section.GOOD_WISHES})
_QUIET: Final = frozenset({Section.PRAISE, Section.ACKNOWLEDGEMENT, Section.YES, Section.NO})
_MAY_ANSWER: Final = frozenset({Section.GOODBYE_OR_VERB, Section.MEETING, Section.UNTIL_DAY})
_SETTLES: Final = POLITE | LEAVES | {Section.ACKNOWLEDGEMENT, Section.PRAISE}  # beside a plan
_MAKES_A_FAREWELL: Final = frozenset(
    {
        Section.THANKS,
        Section.PRAISE,
        Section.ACKNOWLEDGEMENT,
        Section.DONE,
        Section.GOODBYE,
        Section.GOOD_WISHES,
        Section.NO,
        Section.THAT_IS_IT,
        Section.SAME_TO_YOU,
    }
)


def keyword_score(case: Case) -> tuple[float, list[ClosureSignal]]:
    """The best phrase of the message."""
    signals = [
        ClosureSignal(item.section.value, weight, item.words)
        for position, item in enumerate(case.reading.evidence)
        if (weight := _worth(item, position, case)) > 0
    ]
    best = max((signal.weight for signal in signals), default=0.0)
    reading = case.reading
    is_declined = reading.opens_with is Section.NO and case.is_offered and reading.find(FAREWELL) is not None
    if reading.runs_on and not (reading.is_polite or is_declined) and len(reading.evidence) == 1:
        best /= 2
    return best, signals[:SHOWN_AT_MOST]


def _worth(item: Item, position: int, case: Case) -> float:
    section = item.section
    if section in _QUIET:
        return _worth_of_answer(section, case)
    if section is Section.GREETING:
        return _worth_of_greeting(position, case)
    if section is Section.THAT_IS_IT:
        return _worth_of_that_is_it(item, case)
    if section is Section.PLAN:
        return _worth_of_plan(item, case)
    if section in (Section.GIVES_UP, Section.THANKS_ANYWAY) and not _is_bare_thanks(case):
        return _worth_of_giving_up(case)
    return _worth_of_thanks(case) if section in POLITE else _worth_of_leaving(item, case)


def _worth_of_leaving(item: Item, case: Case) -> float:
    if _is_in_doubt(item, case):
        return IN_DOUBT
    return FULL if item.section is Section.SAME_TO_YOU and _answers_wishes(case) else WORTH[item.section]


def _is_in_doubt(item: Item, case: Case) -> bool:
    if item.is_corrected and item.section in COMMANDS:
        return True
    if item.words == _WAVE and (case.reading.says_hello or not case.has_spoken):
        return True
    if item.section in _MAY_ANSWER and _follows_thanks(item, case):
        return False
    if item.section is Section.UNTIL_DAY and not (case.is_offered or _is_kind(case)):
        return True
    return case.agent.asks_something_else and (
        item.section in _MAY_ANSWER or _only_answers(item, case) or _is_asked_for_more(item, case)
    )


def _is_asked_for_more(item: Item, case: Case) -> bool:
    """The agent has to act or to ask again before a goodbye counts: "Shall I book it?" "Yes please, bye"."""
    reading = case.reading
    if case.agent.did(Section.ASKS_WORDING):
        return reading.opens_with is not Section.NO  # "What should the card say?" "Thanks and goodbye"
    if not reading.is_explained:
        return False
    if case.agent.asks_how_it_went:
        return reading.opens_with is Section.NO
    says_yes = reading.opens_with is Section.YES or reading.evidence[0].words.startswith("yes ")
    if item.section is Section.DONE:
        agrees = says_yes or reading.opens_with is Section.THAT_IS_IT
        answers = agrees or (case.agent.wants_a_fact and not reading.find({Section.SUCCESS}))
        return answers and _may_be_right(item, reading)
    return says_yes or all(map(_is_no_answer, reading.evidence))


def _may_be_right(item: Item, reading: Reading) -> bool:
    """A bare "that's all" says of what was asked that there is no more, or that it is right."""
    if len(item.words) > _LONGEST_RIGHT or reading.says_what_for:
        return False
    words = item.words.split()
    return _NOT_NOW.isdisjoint(words) and not _OF_ALL.isdisjoint(words)


def _is_no_answer(item: Item) -> bool:
    """It is no more than "bye" to "What does it show?", or "I don't want to" before it: not "no"."""
    return item.section in _BARE_GOODBYE or (item.section is Section.NO and " " in item.words)


def _follows_thanks(item: Item, case: Case) -> bool:
    """Who takes leave says the day last ("obrigada, até quinta"); who answers says it first."""
    said = case.reading.evidence
    return any(before.section in POLITE for before in said[: said.index(item)])


def _is_kind(case: Case) -> bool:
    """More than "até sexta", which alone may be a date; with "combinado" or thanks it takes leave."""
    return case.reading.find(_MAKES_A_FAREWELL) is not None


def _answers_wishes(case: Case) -> bool:
    """To a farewell, or with thanks, "you too" says that somebody wished something."""
    return case.agent.did(Section.SAYS_GOODBYE, Section.WISHES_WELL) or (
        case.reading.is_polite and not case.agent.asks_something_else
    )


def _only_answers(item: Item, case: Case) -> bool:
    """To a question about something else, "that's everything" alone is an answer to it."""
    if item.section is not Section.DONE or case.reading.find(POLITE | _TAKES_LEAVE):
        return False
    names_one = not _ONLY.isdisjoint(item.words.split()[:2])  # "não, é só isso", of what was asked
    return names_one or case.reading.find({Section.NO}) is None


def _worth_of_thanks(case: Case) -> float:
    """Thanks decline an offer of more help as well as a "no, thanks" does."""
    name = case.reading.name
    if case.is_offered and (name is None or case.knows(name.words)):
        return FULL
    is_well = case.agent.asks_how_it_went and case.reading.opens_with in (Section.YES, Section.SUCCESS)
    return THANKS_INSTEAD if case.agent.asks_something_else and not is_well else WORTH[Section.THANKS]


def _worth_of_greeting(position: int, case: Case) -> float:
    before = case.reading.evidence[:position]
    if case.reading.says_hello or case.is_stale:
        return 0.0
    if case.ends_with_greeting or any(item.section in TURNS_A_GREETING for item in before):
        return FULL
    if not case.has_spoken:
        return WORTH[Section.GREETING]
    if case.agent.did(Section.SAYS_GOODBYE):
        return FULL
    if case.agent.did(Section.SETTLED) and not case.agent.is_question and case.reading.is_joined:
        return FULL
    return WORTH[Section.GREETING] if len(case.reading.evidence) == 1 else 0.0


def _worth_of_that_is_it(item: Item, case: Case) -> float:
    reading, agent = case.reading, case.agent
    if agent.asks_something_else and reading.find({Section.YES}):
        return 0.0  # "two nights?" "yes, that's it, bye"
    if reading.find(FAREWELL - {Section.GREETING}) or agent.did(Section.ASKS_MORE, Section.ASKS_TO_CLOSE):
        return FULL
    if reading.find({Section.NO}):
        return IN_DOUBT if agent.asks_something_else else FULL
    is_well = agent.asks_how_it_went and reading.find({Section.SUCCESS}) is not None
    if reading.find({Section.YES}) or (agent.asks_something_else and not is_well):
        return 0.0
    means_everything = item.words.startswith(_OF_THE_WHOLE) and reading.find(
        POLITE | {Section.ACKNOWLEDGEMENT, Section.PRAISE}
    )
    is_satisfied = agent.did(Section.SETTLED) or item.words.startswith((*_OF_ONESELF, _LOOKS_BACK))
    if means_everything or (reading.is_polite and (is_satisfied or names_need(item))):
        return FULL
    return WORTH[Section.THAT_IS_IT]


def _is_bare_thanks(case: Case) -> bool:
    """Not a word more than "thanks anyway": it may follow a refusal, or be a habit."""
    reading = case.reading
    said = [item.section for item in reading.evidence]
    return said == [Section.THANKS_ANYWAY] and reading.is_explained and not reading.regrets


def _worth_of_giving_up(case: Case) -> float:
    """It ends what was asked for: "never mind", "thanks anyway"; alone, or to "fries with that?", perhaps only a part of it."""
    reading = case.reading
    is_settled = reading.deferred or reading.find({Section.PLAN})
    if case.is_more_declined or case.is_offer_refused or is_settled:
        return FULL
    if case.agent.asks_something_else:
        return IN_DOUBT if reading.is_polite else 0.0
    return FULL if reading.is_polite else IN_DOUBT


def _worth_of_plan(item: Item, case: Case) -> float:
    """It ends what the agent only told; to a question it may be the answer, and "ok, I'll let you know" to an instruction."""
    if case.is_offered:
        return FULL if case.reading.find(_SETTLES | DECLINES) else PLAN_ALONE
    if case.agent.asks_something_else:
        return _worth_of_plan_instead(item, case)
    settles = _SETTLES - SOFT if writes_to_agent(item) else _SETTLES
    if not _RIGHT_AWAY.isdisjoint(item.words.split()):
        return WORTH[Section.PLAN]  # "heading over now": they may write on the way
    return FULL if case.reading.find(settles) else WORTH[Section.PLAN]


def _worth_of_plan_instead(item: Item, case: Case) -> float:
    """To "shall I book it?" an "I'll ask at home and let you know, thanks" puts all off; to "anything else with it?" one item."""
    if case.reading.is_polite and puts_off_an_answer(item) and not case.agent.did(Section.ASKS_ITEMS):
        return FULL
    return IN_DOUBT if case.reading.opens_with in DECLINES else 0.0


def _worth_of_answer(section: Section, case: Case) -> float:
    agent = case.agent
    if section is Section.NO:
        return FULL if case.is_more_declined else 0.0
    if agent.did(Section.ASKS_TO_CLOSE) and not agent.did(Section.ASKS_MORE):
        return FULL
    if section is Section.YES and agent.did(Section.ASKS_ALL):
        return FULL
    return WORTH[section] if not agent.asks_something_else else 0.0
