"""How well the conversation so far supports an end: the context score."""

from typing import Final

from owner.models.closure_agent import SILENT
from owner.models.closure_case import FULL, Case, ClosureSignal
from owner.models.closure_sections import AGREES, STRONG, Section

SERVED: Final = 0.9  # "I'm here if you need anything": nothing is asked, nothing is open
THANKED_FOR_ASKING: Final = 0.7  # "obrigado" to "posso encerrar?" is nearly a yes
SETTLED: Final = 0.5  # the agent reported a result
SAID_SOMETHING: Final = 0.3
NO_SUPPORT: Final = 0.0


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
