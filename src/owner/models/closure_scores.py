"""The three scores of a message: what it says, how it is built, and what came before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from owner.models.closure_agent import AgentTurn
from owner.models.closure_message import COMMANDS, STRONG, Reading
from owner.models.closure_phrases import Item, Section, lexicon

FULL: Final = 1.0

# What one phrase is worth by itself, as keyword score.
WORTH: Final[dict[Section, float]] = {
    **dict.fromkeys(STRONG, FULL),
    Section.GOODBYE_OR_VERB: 1.0,
    Section.GREETING: 0.7,  # "boa noite" alone also begins
    Section.THANKS: 0.7,  # thanks alone reach 0.6 with the other two scores, and not 0.8
    Section.SAME_TO_YOU: 0.7,
    Section.THAT_IS_IT: 0.7,  # "é isso" also means "that's right"
    Section.PRAISE: 0.3,
    Section.ACKNOWLEDGEMENT: 0.2,  # "ok" says nothing
    Section.YES: 0.0,  # an answer counts only with its question
    Section.NO: 0.0,
}

THANKS_INSTEAD_OF_AN_ANSWER: Final = 0.5  # the agent asked something else and still waits

# How much of a closing remains in the shape of a message, as pattern score.
NAMED_GOODBYE: Final = 0.9  # "tchau, Joana"
NAMED_THANKS: Final = 0.6  # "obrigado, Joana", or is it "obrigado, comprovante"?
PUT_OFF: Final = 1.0  # "é só isso. Reservo mais tarde."
STATED_FIRST: Final = 0.8  # "Já chegou aqui. Obrigado, tchau."
RUN_ON: Final = 0.6  # the same without a mark
TOLD_FIRST: Final = 0.3  # "Às 15:00, tchau": that was an answer, somebody may have to act on it
DECLINED_AND_STATED: Final = 0.5  # "Não, esse serve, obrigado", to an offer of more help
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

_QUIET: Final = frozenset({Section.PRAISE, Section.ACKNOWLEDGEMENT, Section.YES, Section.NO})
_FAREWELL_OF_GREETINGS: Final = frozenset(
    {Section.THANKS, Section.DONE, Section.NO, Section.GOODBYE, Section.ACKNOWLEDGEMENT, Section.THAT_IS_IT}
)


@dataclass(frozen=True, slots=True)
class ClosureSignal:
    """One reason for a score: what was found, what it is worth, and the words that show it."""

    name: str
    weight: float
    words: str


@dataclass(slots=True)
class Case:
    """A message in its conversation, ready to be judged."""

    reading: Reading
    agent: AgentTurn
    context: Mapping[str, object]
    is_stale: bool = False  # so much time has passed that "boa noite" opens again

    @property
    def is_more_declined(self) -> bool:
        """A "no" to an offer of more help."""
        offered = self.agent.did(
            Section.ASKS_MORE, Section.SEARCHES_AGAIN, Section.AT_YOUR_SERVICE, Section.SAYS_GOODBYE
        )
        return offered and not self.agent.did(Section.ASKS_ITEMS) and self.reading.opens_with is Section.NO


def veto(case: Case) -> ClosureSignal | None:
    """What forbids to close, if anything does."""
    reading, agent = case.reading, case.agent
    if reading.vetoes:
        item = reading.vetoes[0]
        return ClosureSignal(item.section.value, -FULL, item.words)
    if reading.turned_round and not agent.did(Section.ASKS_MORE, Section.AT_YOUR_SERVICE):
        return ClosureSignal("negation", -FULL, reading.turned_round[0].words)
    if case.context.get("can_close") is False:
        return ClosureSignal("may not close", -FULL, "can_close")
    return _answer_veto(case) or _subject_veto(case)


def _answer_veto(case: Case) -> ClosureSignal | None:
    """ "No" to "may I close?", "yes" to "anything else?"."""
    reading, agent = case.reading, case.agent
    if reading.find(STRONG):
        return None
    no, yes = reading.find({Section.NO}), reading.find({Section.YES})
    if no and agent.did(Section.ASKS_TO_CLOSE, Section.ASKS_ALL) and not agent.did(Section.ASKS_MORE):
        return ClosureSignal("wants to go on", -FULL, no.words)
    if yes and agent.did(Section.ASKS_MORE) and not agent.did(Section.ASKS_ALL, Section.ASKS_TO_CLOSE):
        return ClosureSignal("wants to go on", -FULL, yes.words)
    return None


def _subject_veto(case: Case) -> ClosureSignal | None:
    """ "Finalizar" to a menu that closes orders, "só isso" to "mais algum item?"."""
    reading, agent = case.reading, case.agent
    if agent.did(Section.ASKS_ITEMS) and not agent.did(Section.ASKS_TO_CLOSE):
        listed = reading.find({Section.DONE, Section.THAT_IS_IT, Section.NO})
        if listed and not reading.find({Section.GOODBYE, Section.GOOD_WISHES}):
            return ClosureSignal("ends the list", -FULL, listed.words)
    command = reading.find({Section.CLOSE_NOW, Section.GOODBYE_OR_VERB})
    if command and agent.closes_other and not agent.did(Section.ASKS_TO_CLOSE) and not names_it(command):
        return ClosureSignal("other meanings", -FULL, command.words)
    return None


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
    if reading.runs_on and not reading.is_polite and len(reading.evidence) == 1:
        best /= 2
    return best, signals


def _worth(item: Item, position: int, case: Case) -> float:
    agent, section = case.agent, item.section
    if item.is_corrected and section in COMMANDS:
        return WORTH[Section.THANKS]
    if section is Section.GREETING:
        return _worth_of_greeting(position, case)
    if section is Section.THAT_IS_IT:
        return _worth_of_that_is_it(case)
    if section is Section.THANKS and agent.asks_something_else:
        return THANKS_INSTEAD_OF_AN_ANSWER
    if section is Section.SAME_TO_YOU and agent.did(Section.SAYS_GOODBYE):
        return FULL
    if section is Section.GOODBYE_OR_VERB and agent.asks_something_else:
        return WORTH[Section.THANKS]
    if section in _QUIET:
        return _worth_of_answer(section, case)
    return WORTH[section]


def _worth_of_greeting(position: int, case: Case) -> float:
    before = case.reading.evidence[:position]
    if case.reading.says_hello or case.is_stale:
        return 0.0
    if any(item.section in _FAREWELL_OF_GREETINGS for item in before) or case.agent.did(Section.SAYS_GOODBYE):
        return FULL
    return WORTH[Section.GREETING] if len(case.reading.evidence) == 1 else 0.0


def _worth_of_that_is_it(case: Case) -> float:
    reading, agent = case.reading, case.agent
    if reading.find({Section.NO, Section.GOODBYE, Section.GOOD_WISHES}) or agent.did(Section.ASKS_MORE):
        return FULL
    if reading.find({Section.YES}) or agent.asks_something_else:
        return 0.0
    return WORTH[Section.THAT_IS_IT]


def _worth_of_answer(section: Section, case: Case) -> float:
    agent = case.agent
    if section is Section.NO:
        return FULL if case.is_more_declined else 0.0
    agreed = section is not Section.PRAISE
    if agreed and agent.did(Section.ASKS_TO_CLOSE) and not agent.did(Section.ASKS_MORE):
        return FULL
    if section is Section.YES and agent.did(Section.ASKS_ALL):
        return FULL
    return WORTH[section] if not agent.asks_something_else else 0.0


def pattern_score(case: Case) -> tuple[float, list[ClosureSignal]]:
    """How much of the message the closing explains."""
    reading = case.reading
    shape, words = _shape(case)
    if case.context.get("pending_actions"):
        shape = min(shape, PENDING_ACTIONS)
    return shape, [ClosureSignal("left over", round(shape - FULL, 2), words)] if words else []


def _shape(case: Case) -> tuple[float, str]:
    reading = case.reading
    is_strong = reading.find(STRONG | {Section.GOODBYE_OR_VERB}) is not None
    if reading.left_over:
        return _shape_with_rest(case, is_strong=is_strong), _join(reading.left_over)
    if reading.deferred:
        return (PUT_OFF if is_strong or case.is_more_declined else HARDLY), _join(reading.deferred)
    if reading.name:
        return (NAMED_GOODBYE if is_strong else NAMED_THANKS), reading.name.words
    return FULL, ""


def _shape_with_rest(case: Case, *, is_strong: bool) -> float:
    reading = case.reading
    if any(item.section is Section.NUMBER for item in reading.left_over):
        return TOLD_FIRST if is_strong else HARDLY
    if is_strong:
        return RUN_ON if reading.runs_on else STATED_FIRST
    if case.is_more_declined and reading.is_polite:
        return DECLINED_AND_STATED
    return HARDLY


def _join(items: list[Item]) -> str:
    return " ".join(item.words for item in items)


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
        agrees = reading.find(STRONG | {Section.YES, Section.ACKNOWLEDGEMENT}) is not None
        return (FULL if agrees else THANKED_FOR_ASKING), Section.ASKS_TO_CLOSE
    for act, support in (
        (Section.ASKS_MORE, FULL),
        (Section.ASKS_ALL, FULL),
        (Section.SAYS_GOODBYE, FULL),
        (Section.AT_YOUR_SERVICE, SERVED),
    ):
        if agent.did(act) and not agent.did(Section.ASKS_ITEMS):
            return support, act
    if agent.is_question:
        return NO_SUPPORT, None
    if agent.did(Section.SETTLED):
        return SETTLED, Section.SETTLED
    return SAID_SOMETHING, None
