"""Says how sure we are that a customer considers the conversation over, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import islice, takewhile
from typing import Any, Final

from owner.models.closure_agent import SILENT, AgentTurn, read_agent
from owner.models.closure_case import FULL, Case, ClosureSignal, Turn
from owner.models.closure_context_score import context_score
from owner.models.closure_echo import without_echo
from owner.models.closure_keyword_score import keyword_score
from owner.models.closure_keywords import DEFAULT, ClosureKeywords, check_keywords, own_tree
from owner.models.closure_menu import ends_by_menu
from owner.models.closure_message import read_message
from owner.models.closure_pattern_score import pattern_score
from owner.models.closure_phrases import Item, tells_no_more
from owner.models.closure_reading import Reading
from owner.models.closure_sections import (
    AGENT_SECTIONS,
    AGREES,
    COMMANDS,
    DECLINES,
    POLITE,
    SOFT,
    STRONG,
    Section,
)
from owner.models.closure_text import words_of
from owner.models.closure_typed import TypedText
from owner.models.closure_veto import is_explicit, other_meanings, veto

__all__ = [
    "CLOSE_AT",
    "CLOSE_BUTTON",
    "CONFIRM_AT",
    "DEFAULT",
    "DETECTOR_VERSION",
    "KEEP_OPEN_BUTTON",
    "QUESTION_LAPSES_AFTER",
    "WEIGHTS",
    "ClosureDecision",
    "ClosureKeywords",
    "ClosureScore",
    "ClosureSignal",
    "Turn",
    "answers_closing_question",
    "check_keywords",
    "is_courtesy",
    "score",
]

DETECTOR_VERSION: Final = "rules-7"

KEYWORD_WEIGHT: Final = 0.5  # what the message says
PATTERN_WEIGHT: Final = 0.3  # how much of it is about the end
CONTEXT_WEIGHT: Final = 0.2  # what came before
WEIGHTS: Final = (KEYWORD_WEIGHT, PATTERN_WEIGHT, CONTEXT_WEIGHT)
assert sum(WEIGHTS) == FULL

# What the length of a conversation takes away.
FIRST_MESSAGE: Final = 0.5  # "bom dia, tudo de bom!" opens; nobody closes what has not begun
UNANSWERED: Final = 0.9  # the customer asked and thanks before anybody answered

CONFIRM_AT: Final = 0.6  # at or above: ask the customer, where the owner wants it
CLOSE_AT: Final = 0.8  # at or above: close without asking
PLACES: Final = 4  # 0.5 + 0.3 is 0.8 only when rounded

UNANSWERED_AT_MOST: Final = 3  # messages of the customer's that are read again
READINGS_KEPT: Final = 1_000
LONGEST_KEPT: Final = 600  # characters; a reading takes a hundred times the memory of what was read
QUESTION_LAPSES_AFTER: Final = timedelta(hours=1)  # "may I close?" waits no longer for its answer
STALE_AFTER: Final = timedelta(hours=8)  # a greeting after so long opens a new day
CLOSE_BUTTON: Final = "closure:close"  # payloads of the buttons under "may I close?"
KEEP_OPEN_BUTTON: Final = "closure:keep_open"


class ClosureDecision(StrEnum):
    """What a confidence means for the conversation."""

    NONE = "NONE"  # goes on
    CONFIRM = "CONFIRM"  # noted; the customer may be asked
    CLOSE = "CLOSE"  # over


@dataclass(frozen=True, slots=True)
class ClosureScore:
    """How sure the detector is, what that decides, and everything that led there."""

    confidence: float
    decision: ClosureDecision
    keyword_score: float
    pattern_score: float
    context_score: float
    duration_modifier: float
    found: tuple[ClosureSignal, ...] = ()  # with the words in the spelling of the lists
    detector_version: str = DETECTOR_VERSION
    said: str = field(default="", compare=False, repr=False)
    asked: str = field(default="", compare=False, repr=False)

    @property
    def signals(self) -> tuple[ClosureSignal, ...]:
        """What was found, with the words of customer and agent as they typed them."""
        said, asked = TypedText(self.said), TypedText(self.asked)
        return tuple(
            replace(signal, words=(asked if signal.name in AGENT_SECTIONS else said).spells(signal.words))
            for signal in self.found
        )

    def as_dict(self) -> dict[str, Any]:
        """The score as JSON values."""
        return {
            "confidence": self.confidence,
            "decision": self.decision.value,
            "keyword_score": self.keyword_score,
            "pattern_score": self.pattern_score,
            "context_score": self.context_score,
            "duration_modifier": self.duration_modifier,
            "signals": [
                {"name": signal.name, "weight": signal.weight, "words": signal.words}
                for signal in self.signals
            ],
            "detector_version": self.detector_version,
        }


def score(
    history: Sequence[Turn],
    text: str,
    *,
    keywords: ClosureKeywords = DEFAULT,
    context: Mapping[str, object] | None = None,
    age: timedelta | None = None,
    confirm_at: float = CONFIRM_AT,
    close_at: float = CLOSE_AT,
) -> ClosureScore:
    """Judge a customer's message after `history`; `age` is the time since the message before it.

    `context` may hold what integrators and AI know: `button` (the payload of a pressed button),
    `can_close`, `goal_achieved` and `pending_actions`.
    """
    context = context or {}
    read = _button_reading(context) or _menu_reading(history, text) or _read(text, keywords)
    agent = _agent_before(history, read, age)
    reading = without_echo(read, agent)
    case = Case(
        reading,
        agent,
        context,
        history,
        is_stale=age is not None and age >= STALE_AFTER,
    )
    modifier = _duration_modifier(history, case)
    scores, signals = _scores(case)
    confidence = round(
        (KEYWORD_WEIGHT * scores[0] + PATTERN_WEIGHT * scores[1] + CONTEXT_WEIGHT * scores[2]) * modifier,
        PLACES,
    )
    decision = _decide(confidence, confirm_at, close_at)
    return ClosureScore(
        confidence, decision, *scores, modifier, tuple(signals), said=text, asked=case.agent.text
    )


def _decide(confidence: float, confirm_at: float, close_at: float) -> ClosureDecision:
    if confidence >= close_at:
        return ClosureDecision.CLOSE
    return ClosureDecision.CONFIRM if confidence >= confirm_at else ClosureDecision.NONE


def _scores(case: Case) -> tuple[tuple[float, float, float], list[ClosureSignal]]:
    forbidden = veto(case)
    if forbidden is not None:
        return (0.0, 0.0, 0.0), [forbidden]
    if is_explicit(case):
        command = case.reading.find(COMMANDS)
        return (FULL, FULL, FULL), [ClosureSignal("asks to close", FULL, command.words if command else "")]
    keyword, said = keyword_score(case)
    if keyword == 0:
        return (0.0, 0.0, 0.0), other_meanings(case.reading)
    pattern, shape = pattern_score(case)
    support, before = context_score(case)
    return (keyword, pattern, support), [*said, *shape, *before]


def _read(text: str, keywords: ClosureKeywords) -> Reading:
    if keywords is DEFAULT or keywords == DEFAULT:
        return _read_again(text)
    reading = read_message(text, own_tree(keywords))
    if keywords.replaces_lists:
        own = (Section.OWN_KEYWORD, Section.YES, Section.NO, Section.ACKNOWLEDGEMENT)
        reading.evidence = [item for item in reading.evidence if item.section in own]
    return reading


def _read_again(text: str) -> Reading:
    """The reading of a message, which nobody changes: it is wanted when the message comes, and with each that follows."""
    return _read_and_keep(text) if len(text) <= LONGEST_KEPT else read_message(text)


@lru_cache(maxsize=READINGS_KEPT)
def _read_and_keep(text: str) -> Reading:
    return read_message(text)


def _button_reading(context: Mapping[str, object]) -> Reading | None:
    """A pressed button is the whole message, whatever its caption says; None for buttons that we don't know."""
    payload = context.get("button")
    if not isinstance(payload, str):
        return None
    if payload == CLOSE_BUTTON:
        return Reading(evidence=[Item(Section.CLOSE_NOW, payload)])
    if payload == KEEP_OPEN_BUTTON:
        return read_message("não encerrar")
    reading = read_message(payload.replace("_", " "))
    return reading if reading.find(COMMANDS) and reading.is_explained else None


def _menu_reading(history: Sequence[Turn], text: str) -> Reading | None:
    """The choice of a menu that ends the conversation asks to close it, whatever the word is."""
    if not history or history[-1].speaker != "agent" or not ends_by_menu(history[-1].text, text):
        return None
    return Reading(evidence=[Item(Section.OWN_KEYWORD, " ".join(words_of(text)))])


def _agent_before(history: Sequence[Turn], reading: Reading, age: timedelta | None) -> AgentTurn:
    """The last agent message, read only when the customer's message gives it something to explain."""
    if reading.vetoes or not (reading.evidence or reading.opens_with in DECLINES):
        return SILENT
    if _has_gone_on(history):
        return SILENT
    for turn in reversed(history):
        if turn.speaker == "agent":
            agent = read_agent(turn.text)
            if not agent.did(Section.ASKS_AGAIN):
                return agent.without_question_to_close() if _has_lapsed(history, age) else agent
    return SILENT


def _has_gone_on(history: Sequence[Turn]) -> bool:
    """They asked for something since the agent wrote: what the agent had asked is past."""
    unanswered = takewhile(lambda turn: turn.speaker == "user", reversed(history))
    return any(_read_again(turn.text).vetoes for turn in islice(unanswered, UNANSWERED_AT_MOST))


def _has_lapsed(history: Sequence[Turn], age: timedelta | None) -> bool:
    """A "sim" long after "may I close?", or after another message, does not answer it."""
    return history[-1].speaker == "user" or (age is not None and age >= QUESTION_LAPSES_AFTER)


def _duration_modifier(history: Sequence[Turn], case: Case) -> float:
    if is_explicit(case) and (history or not case.reading.says_hello):
        return FULL
    if not history:
        return FIRST_MESSAGE  # "oi, quero encerrar": something else than a conversation that just began
    last = history[-1]
    if last.speaker == "user" and _waits_for_answer(_read_again(last.text), case):
        return UNANSWERED
    return FULL


def _waits_for_answer(reading: Reading, case: Case) -> bool:
    """More than "oh okay, sounds like I can do that", said to an agent who asked nothing."""
    if reading.is_explained:
        return False
    is_comment = reading.opens_with in SOFT | POLITE and tells_no_more(reading.left_over + reading.deferred)
    return bool(reading.vetoes) or case.agent is SILENT or case.agent.is_question or not is_comment


def is_courtesy(text: str) -> bool:
    """A message that only thanks or says goodbye (or that they are done): it belongs to what is closed."""
    reading = read_message(text)
    kind = STRONG - COMMANDS | {Section.THANKS, Section.SAME_TO_YOU}
    return reading.is_explained and not reading.turned_round and reading.find(kind) is not None


def answers_closing_question(text: str) -> bool | None:
    """Yes or no to "may I close?"; None for anything else."""
    reading = read_message(text)
    strong = reading.find(STRONG)
    if (
        any(item.section in (Section.WAIT, Section.NEGATION) for item in reading.vetoes)
        or reading.turned_round
    ):
        return False
    if not strong and reading.opens_with in DECLINES:
        return False
    if not reading.is_explained:
        return None
    agreed = strong or reading.find(AGREES)
    return True if agreed else None
