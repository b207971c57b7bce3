"""How a message is built, and how much of a closing remains in that shape: the pattern score."""

from typing import Final

from owner.models.closure_agent import SILENT
from owner.models.closure_case import FULL, SHOWN_AT_MOST, Case, ClosureSignal
from owner.models.closure_phrases import Item, names_need, tells_no_more
from owner.models.closure_reading import Reading
from owner.models.closure_sections import FAREWELL, LEAVES, POLITE, STRONG, Section

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
    if reading.is_polite and reading.find({Section.PLAN}) and tells_no_more(reading.left_over):
        is_strong = True  # "too late for me, I'll come tomorrow then. Thanks"
    if reading.left_over:
        return _shape_with_rest(case, is_strong=is_strong), _join(reading.left_over)
    if reading.deferred:
        return _shape_put_off(case, is_strong=is_strong), _join(reading.deferred)
    if reading.name:
        name = reading.name.words
        return _shape_with_name(case, name, is_strong=is_strong), name
    return FULL, ""


def _shape_put_off(case: Case, *, is_strong: bool) -> float:
    if is_strong or case.reading.find({Section.GIVES_UP, Section.PLAN}) or _has_what_they_need(case.reading):
        return PUT_OFF
    if not case.is_more_declined:
        return HARDLY
    is_plain = any(item.section is Section.NO and " " not in item.words for item in case.reading.evidence)
    return PUT_OFF if case.reading.is_polite or (is_plain and case.reading.puts_off) else DECLINED_ONLY


def _has_what_they_need(reading: Reading) -> bool:
    """They say that it was what they needed: "era essa a minha dúvida, vou pensar. Obrigado"."""
    return reading.is_polite and any(
        item.section is Section.THAT_IS_IT and names_need(item) for item in reading.evidence
    )


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
        says_both = reading.find(POLITE) and reading.find(LEAVES)  # "I'll check tomorrow thanks bye"
        return STATED_FIRST if says_both and not case.agent.asks_something_else else RUN_ON
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
        and not case.agent.asks_how_it_went
    )
    is_kind = reading.is_polite or reading.find({Section.DONE}) is not None
    return is_kind and reading.find(FAREWELL) is not None and not is_only_an_answer


def _join(items: list[Item]) -> str:
    return " ".join(item.words for item in items[:SHOWN_AT_MOST])
