"""A message in its conversation: what the scores are given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from owner.models.closure_agent import AgentTurn
from owner.models.closure_message import Reading
from owner.models.closure_sections import DECLINES, LEAVES, Section

TURNS_A_GREETING: Final = frozenset(
    {
        Section.THANKS,
        Section.DONE,
        Section.NO,
        Section.GIVES_UP,
        Section.GOODBYE,
        Section.ACKNOWLEDGEMENT,
        Section.PRAISE,
        Section.THAT_IS_IT,
    }
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
    has_spoken: bool = True  # the customer wrote before: "boa noite" to "boa noite" is no longer a welcome
    knows_name: bool = True  # the word after the goodbye was heard as a name before

    @property
    def is_offered(self) -> bool:
        """The agent asks for nothing but a last wish, or for none."""
        offered = self.agent.did(Section.ASKS_MORE, Section.AT_YOUR_SERVICE, Section.SAYS_GOODBYE)
        return (offered or self.is_perhaps_offered) and not self.agent.did(Section.ASKS_ITEMS)

    @property
    def is_perhaps_offered(self) -> bool:
        """To "any other worries?" a bare "no" may go on with the task; with thanks or a goodbye it ends it."""
        reading = self.reading
        takes_leave = reading.is_polite or reading.find(LEAVES) is not None
        return self.agent.did(Section.ASKS_OTHER) and takes_leave

    @property
    def ends_with_greeting(self) -> bool:
        """They answer, tell something and then say "boa noite": nobody begins like that."""
        reading = self.reading
        is_answer = reading.opens_with in TURNS_A_GREETING and not self.agent.asks_something_else
        return self.has_spoken and is_answer and reading.find({Section.GREETING}) is not None

    @property
    def is_more_declined(self) -> bool:
        """A "no" to an offer of more help."""
        offered = self.is_offered or self.agent.did(Section.SEARCHES_AGAIN)
        return offered and self.reading.opens_with in DECLINES
