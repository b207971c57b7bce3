"""A message on which the detector is tried, and what it says about it."""

from typing import Any, Final, Literal

from pydantic import ConfigDict, Field

from owner.models.closure import ClosureDecision
from owner.models.entity import DTO

LONGEST_TEXT: Final = 10_000
MOST_TURNS: Final = 100


class TrialTurn(DTO):
    """What one side said before."""

    speaker: Literal["user", "agent"]
    text: str = Field(max_length=LONGEST_TEXT)


class ClosureTrial(DTO):
    """A customer's message and what was said before it; nothing of it is stored."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "history": [{"speaker": "agent", "text": "Posso ajudar em mais alguma coisa?"}],
                    "text": "Não, era só isso. Obrigada!",
                    "context": {"goal_achieved": True},
                }
            ]
        }
    )

    history: list[TrialTurn] = Field(
        default_factory=list, max_length=MOST_TURNS, description="What was said before, oldest first."
    )
    text: str = Field(max_length=LONGEST_TEXT)
    context: dict[str, Any] = Field(
        default_factory=dict, description="`button`, `can_close`, `goal_achieved`, `pending_actions`."
    )


class ClosureSignalResponse(DTO):
    """One thing that the detector noticed, and the words that caused it."""

    name: str
    weight: float
    words: str


class ClosureScoreResponse(DTO):
    """How sure it is that the customer is done, and why; the same as a line of `owner closure score`."""

    confidence: float
    decision: ClosureDecision
    keyword_score: float
    pattern_score: float
    context_score: float
    duration_modifier: float
    signals: list[ClosureSignalResponse]
    detector_version: str
