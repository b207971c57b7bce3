"""The three scores of a message: what it says, how it is built, and what came before it."""

from typing import Final

from owner.models.closure_agent import SILENT
from owner.models.closure_case import TURNS_A_GREETING, Case, ClosureSignal
from owner.models.closure_phrases import Item, lexicon, tells_no_more
from owner.models.closure_reading import Reading
from owner.models.closure_sections import AGREES, COMMANDS, DECLINES, LEAVES, POLITE, STRONG, Section

FULL: Final = 1.0

# What one phrase is worth by itself, as keyword score.
WORTH: Final[dict[Section, float]] = {
    **dict.fromkeys(STRONG, FULL),
    Section.GOODBYE_OR_VERB: 1.0,
    Section.GREETING: 0.7,  # "boa noite" alone also begins
    Section.THANKS: 0.7,  # after a statement they end between 0.6 and 0.8: worth a question, not a closing
    Section.SAME_TO_YOU: 0.7,
    Section.THAT_IS_IT: 0.7,  # "é isso" also means "that's right"
    Section.PRAISE: 0.3,
    Section.ACKNOWLEDGEMENT: 0.2,  # "ok" says nothing
    Section.YES: 0.0,  # an answer counts only with its question
    Section.NO: 0.0,
}

IN_DOUBT: Final = 0.7  # "encerar" for "encerrar", "fim" while the agent waits for an answer
THANKS_INSTEAD: Final = 0.5  # the agent asked something else and still waits

# How much of a closing remains in the shape of a message, as pattern score.
NAMED_GOODBYE: Final = 0.9  # "tchau, Joana"
UNSURE_NAME: Final = 0.3  # "bye bye money": nobody is called that
NAMED_THANKS: Final = 0.7  # "obrigado, Joana", or is it "obrigado, comprovante"?
PUT_OFF: Final = 1.0  # "é só isso. Reservo mais tarde."
STATED_FIRST: Final = 0.8  # "Já chegou aqui. Obrigado, tchau."
LEAVE_TAKEN: Final = 1.0  # the same with thanks and a goodbye in their own clauses: nobody says more
SHORT_ANSWER: Final = 3  # phrases; "calabresa, tchau" may only answer the agent's question
RUN_ON: Final = 0.6  # the same without a mark
TOLD_FIRST: Final = 0.3  # "Às 15:00, tchau": that was an answer, somebody may have to act on it
DECLINED_ONLY: Final = 0.3  # "I don't want to pay for parking", without thanks, may be a wish
DECLINED_AND_STATED: Final = 0.5  # "Não, esse serve, obrigado", to an offer of more help
DECLINED_AND_NAMED: Final = 0.3  # "No, on Tuesday, thanks" may mend what was said: just short of closing
HARDLY: Final = 0.1
PENDING_ACTIONS: Final = 0.6  # an integrator knows of something unfinished: ask, don't close

# How well the conversation so far supports an end, as context score.
SERVED: Final = 0.9  # "I'm here if you need anything": nothing is asked, nothing is open
THANKED_FOR_ASKING: Final = 0.7  # "obrigado" to "posso encerrar?" is nearly a yes
SETTLED: Final = 0.5  # the agent reported a result
SAID_SOMETHING: Final = 0.3
NO_SUPPORT: Final = 0.0

# What the length of a conversation takes away.
FIRST_MESSAGE: Final = 0.5  # "bom dia, tudo de bom!" opens; nobody closes what has not begun
UNANSWERED: Final = 0.9  # the customer asked and thanks before anybody answered

_SHOWN_AT_MOST: Final = 12  # phrases in an explanation

_OF_ONESELF: Final = ("im ", "i am ", "were ", "we are ")  # "we're good" does not mean "that's right"
_WAVE: Final = "👋"  # hello and goodbye
_OF_THE_WHOLE: Final = ("thats it", "that is it", "era iso")  # "ok, that's it": said of everything
_LOOKS_BACK: Final = "era iso"  # "that was it": with thanks nobody says so of what goes on
_ONLY: Final = frozenset({"so", "solo", "apenas", "somente", "solamente", "only", "just"})
_TAKES_LEAVE: Final = frozenset({Section.GOODBYE, Section.GOOD_WISHES})
_QUIET: Final = frozenset({Section.PRAISE, Section.ACKNOWLEDGEMENT, Section.YES, Section.NO})
_FAREWELL: Final = LEAVES - {Section.DONE} | {Section.GREETING}
_MAY_ANSWER: Final = frozenset({Section.GOODBYE_OR_VERB, Section.MEETING, Section.UNTIL_DAY})
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


def veto(case: Case) -> ClosureSignal | None:
    """What forbids to close, if anything does."""
    reading, agent = case.reading, case.agent
    if reading.vetoes:
        item = reading.vetoes[0]
        return ClosureSignal(item.section.value, -FULL, item.words)
    if reading.turned_round:
        turned = reading.turned_round[0]
        if turned.section is Section.THAT_IS_IT or not agent.did(Section.ASKS_MORE, Section.AT_YOUR_SERVICE):
            return ClosureSignal("negation", -FULL, turned.words)
    if case.context.get("can_close") is False:
        return ClosureSignal("may not close", -FULL, "can_close")
    return _answer_veto(case) or _subject_veto(case)


def _answer_veto(case: Case) -> ClosureSignal | None:
    """The customer answers "no" to "may I close?", or "yes" to "anything else?"."""
    reading, agent = case.reading, case.agent
    if reading.find(STRONG):
        return None
    no, yes = reading.find(DECLINES), reading.find({Section.YES})
    if no and agent.did(Section.ASKS_TO_CLOSE, Section.ASKS_ALL) and not agent.did(Section.ASKS_MORE):
        return ClosureSignal("wants to go on", -FULL, no.words)
    offers = agent.did(Section.ASKS_MORE, Section.ASKS_OTHER)
    if yes and offers and not agent.did(Section.ASKS_ALL, Section.ASKS_TO_CLOSE):
        return ClosureSignal("wants to go on", -FULL, yes.words)
    return None


def _subject_veto(case: Case) -> ClosureSignal | None:
    """It is about something else: "finalizar" to a menu that closes orders, "só isso" to "mais algum item?"."""
    reading, agent = case.reading, case.agent
    if agent.did(Section.ASKS_ITEMS, Section.WANTS_TO_KNOW) and not agent.did(Section.ASKS_TO_CLOSE):
        listed = reading.find(DECLINES | {Section.DONE, Section.THAT_IS_IT})
        if listed and not reading.find(_FAREWELL):
            return ClosureSignal("ends the list", -FULL, listed.words)
    command = reading.find({Section.CLOSE_NOW, Section.GOODBYE_OR_VERB})
    if command and agent.closes_other and not agent.did(Section.ASKS_TO_CLOSE) and not names_it(command):
        return ClosureSignal("other meanings", -FULL, command.words)
    return None


def other_meanings(reading: Reading) -> list[ClosureSignal]:
    """Closing words that mean something else here, for the explanation: "encerrar minha conta"."""
    found = [item for item in reading.left_over if item.section is Section.OTHER_MEANING]
    return [ClosureSignal(item.section.value, -FULL, item.words) for item in found[:_SHOWN_AT_MOST]]


def names_it(command: Item) -> bool:
    """The command says what is to be closed: "encerrar o atendimento"."""
    return not lexicon().sets[Section.CONVERSATION_WORD].isdisjoint(command.words.split())


def is_explicit(case: Case) -> bool:
    """The whole message asks for the end, and nothing else."""
    command = case.reading.find(COMMANDS)
    return command is not None and not command.is_corrected and case.reading.is_explained


def keyword_score(case: Case) -> tuple[float, list[ClosureSignal]]:
    """The best phrase of the message."""
    signals = [
        ClosureSignal(item.section.value, weight, item.words)
        for position, item in enumerate(case.reading.evidence)
        if (weight := _worth(item, position, case)) > 0
    ]
    best = max((signal.weight for signal in signals), default=0.0)
    reading = case.reading
    is_declined = reading.opens_with is Section.NO and case.is_offered and reading.find(_FAREWELL) is not None
    if reading.runs_on and not (reading.is_polite or is_declined) and len(reading.evidence) == 1:
        best /= 2
    return best, signals[:_SHOWN_AT_MOST]


def _worth(item: Item, position: int, case: Case) -> float:
    section = item.section
    if section in _QUIET:
        return _worth_of_answer(section, case)
    if section is Section.GREETING:
        return _worth_of_greeting(position, case)
    if section is Section.THAT_IS_IT:
        return _worth_of_that_is_it(item, case)
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
    if item.section is Section.UNTIL_DAY and not (case.is_offered or _is_kind(case)):
        return True
    return case.agent.asks_something_else and (item.section in _MAY_ANSWER or _only_answers(item, case))


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
    return THANKS_INSTEAD if case.agent.asks_something_else else WORTH[Section.THANKS]


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
    if reading.find(_FAREWELL - {Section.GREETING}) or agent.did(Section.ASKS_MORE, Section.ASKS_TO_CLOSE):
        return FULL
    if reading.find({Section.NO}):
        return IN_DOUBT if agent.asks_something_else else FULL
    if reading.find({Section.YES}) or agent.asks_something_else:
        return 0.0
    means_everything = item.words.startswith(_OF_THE_WHOLE) and reading.find(
        POLITE | {Section.ACKNOWLEDGEMENT, Section.PRAISE}
    )
    is_satisfied = agent.did(Section.SETTLED) or item.words.startswith((*_OF_ONESELF, _LOOKS_BACK))
    if means_everything or (reading.is_polite and (is_satisfied or _names_need(item))):
        return FULL
    return WORTH[Section.THAT_IS_IT]


def _has_what_they_need(reading: Reading) -> bool:
    """They say that it was what they needed: "era essa a minha dúvida, vou pensar. Obrigado"."""
    return reading.is_polite and any(
        item.section is Section.THAT_IS_IT and _names_need(item) for item in reading.evidence
    )


def _names_need(item: Item) -> bool:
    return not lexicon().sets[Section.NEED_WORD].isdisjoint(item.words.split())


def _is_bare_thanks(case: Case) -> bool:
    """Not a word more than "thanks anyway": it may follow a refusal, or be a habit."""
    reading = case.reading
    said = [item.section for item in reading.evidence]
    return said == [Section.THANKS_ANYWAY] and reading.is_explained and not reading.regrets


def _worth_of_giving_up(case: Case) -> float:
    """It ends what was asked for: "never mind", "thanks anyway"; alone, or to "fries with that?", perhaps only a part of it."""
    reading = case.reading
    if case.is_more_declined or reading.deferred:
        return FULL
    if case.agent.asks_something_else:
        return IN_DOUBT if reading.is_polite else 0.0
    return FULL if reading.is_polite else IN_DOUBT


def _worth_of_answer(section: Section, case: Case) -> float:
    agent = case.agent
    if section is Section.NO:
        return FULL if case.is_more_declined else 0.0
    if agent.did(Section.ASKS_TO_CLOSE) and not agent.did(Section.ASKS_MORE):
        return FULL
    if section is Section.YES and agent.did(Section.ASKS_ALL):
        return FULL
    return WORTH[section] if not agent.asks_something_else else 0.0


def pattern_score(case: Case) -> tuple[float, list[ClosureSignal]]:
    """How much of the message the closing explains."""
    shape, words = _shape(case)
    if case.context.get("pending_actions"):
        shape = min(shape, PENDING_ACTIONS)
    return shape, [ClosureSignal("left over", round(shape - FULL, 2), words)] if words else []


def _shape(case: Case) -> tuple[float, str]:
    reading = case.reading
    is_strong = (
        reading.find(STRONG | {Section.GOODBYE_OR_VERB}) is not None
        or case.ends_with_greeting
        or (
            reading.is_polite
            and reading.find({Section.GREETING, Section.GIVES_UP, Section.THANKS_ANYWAY}) is not None
        )
    )
    if reading.left_over:
        return _shape_with_rest(case, is_strong=is_strong), _join(reading.left_over)
    if reading.deferred:
        return _shape_put_off(case, is_strong=is_strong), _join(reading.deferred)
    if reading.name:
        name = reading.name.words
        return _shape_with_name(case, name, is_strong=is_strong), name
    return FULL, ""


def _shape_put_off(case: Case, *, is_strong: bool) -> float:
    if is_strong or case.reading.find({Section.GIVES_UP}) or _has_what_they_need(case.reading):
        return PUT_OFF
    if not case.is_more_declined:
        return HARDLY
    is_plain = any(item.section is Section.NO and " " not in item.words for item in case.reading.evidence)
    return PUT_OFF if case.reading.is_polite or (is_plain and case.reading.puts_off) else DECLINED_ONLY


def _shape_with_name(case: Case, name: str, *, is_strong: bool) -> float:
    is_known = case.knows(name)
    if not is_strong and not (is_known and case.is_offered):
        return NAMED_THANKS
    if is_known:
        return NAMED_GOODBYE
    return STATED_FIRST if case.reading.is_polite else UNSURE_NAME


def _shape_with_rest(case: Case, *, is_strong: bool) -> float:
    reading = case.reading
    if any(item.section is Section.NUMBER for item in reading.left_over):
        if not is_strong:
            return HARDLY
        if case.agent.asks_something_else or case.agent is SILENT or reading.runs_on:
            return TOLD_FIRST
    if is_strong and reading.runs_on:
        return RUN_ON
    if is_strong:
        has_let_go = bool(reading.deferred) or reading.opens_with is Section.GIVES_UP
        return LEAVE_TAKEN if has_let_go or _has_taken_leave(case) else STATED_FIRST
    if case.is_more_declined and reading.is_polite:
        return DECLINED_AND_STATED if tells_no_more(reading.left_over) else DECLINED_AND_NAMED
    return HARDLY


def _has_taken_leave(case: Case) -> bool:
    reading = case.reading
    if reading.opens_with is Section.NO and reading.find({Section.DONE}):
        return True
    is_only_an_answer = (
        case.agent.asks_something_else
        and len(reading.left_over) <= SHORT_ANSWER
        and reading.opens_with is not Section.YES
    )
    return reading.is_polite and reading.find(_FAREWELL) is not None and not is_only_an_answer


def _join(items: list[Item]) -> str:
    return " ".join(item.words for item in items[:_SHOWN_AT_MOST])


def context_score(case: Case) -> tuple[float, list[ClosureSignal]]:
    """How well the conversation supports an end here."""
    for key in ("can_close", "goal_achieved"):
        if case.context.get(key) is True:
            return FULL, [ClosureSignal("context", FULL, key)]
    if case.context.get("pending_actions"):
        return NO_SUPPORT, [ClosureSignal("context", NO_SUPPORT, "pending_actions")]
    support, act = _support(case)
    return support, [ClosureSignal(act.value, support, case.agent.acts[act])] if act else []


def _support(case: Case) -> tuple[float, Section | None]:
    agent, reading = case.agent, case.reading
    if agent.did(Section.ASKS_TO_CLOSE):
        agrees = reading.find(STRONG | AGREES) is not None
        return (FULL if agrees else THANKED_FOR_ASKING), Section.ASKS_TO_CLOSE
    for act, support in (
        (Section.ASKS_MORE, FULL),
        (Section.ASKS_ALL, FULL),
        (Section.SAYS_GOODBYE, FULL),
        (Section.AT_YOUR_SERVICE, SERVED),
    ):
        if agent.did(act) and not agent.did(Section.ASKS_ITEMS):
            return support, act
    if case.is_perhaps_offered:
        return FULL, Section.ASKS_OTHER
    if agent.is_question or agent is SILENT:
        return NO_SUPPORT, None
    for act in (Section.SETTLED, Section.WISHES_WELL):
        if agent.did(act):
            return SETTLED, act
    return SAID_SOMETHING, None
