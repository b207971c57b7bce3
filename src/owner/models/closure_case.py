"""A message in its conversation: what the scores are given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from owner.models.closure_agent import AgentTurn
from owner.models.closure_phrases import lexicon
from owner.models.closure_reading import Reading
from owner.models.closure_sections import DECLINES, LEAVES, Section
from owner.models.closure_text import words_of

FULL: Final = 1.0  # the most that a phrase or a score is worth
SHOWN_AT_MOST: Final = 12  # phrases in an explanation
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


_NAMES_HEARD_AT_MOST: Final = 12  # messages in which a name may have been said
_NAMES_READ_AT_MOST: Final = 600  # characters of each
_GREETING_READ_AT_MOST: Final = 40  # characters, in which an agent who writes first greets
_GREETS: Final = frozenset({Section.HELLO, Section.GREETING})


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said."""

    speaker: Literal["user", "agent"]
    text: str


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
    history: Sequence[Turn]
    is_stale: bool  # so much time has passed that "boa noite" opens again

    @property
    def has_spoken(self) -> bool:
        """The customer wrote before: "boa noite" to "boa noite" is no longer a welcome."""
        return any(turn.speaker == "user" for turn in self.history)

    def knows(self, name: str) -> bool:
        """It is signed, a usual first name, or one that was said before: "aqui é a Jéssica"."""
        if self.reading.is_signed or name in lexicon().sets[Section.NAME]:
            return True
        heard = islice(reversed(self.history), _NAMES_HEARD_AT_MOST)
        return any(name in words_of(turn.text[:_NAMES_READ_AT_MOST]) for turn in heard)

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
        return is_answer and reading.find({Section.GREETING}) is not None and self.has_spoken

    @property
    def is_offer_refused(self) -> bool:
        """They are not interested in what an agent offers who wrote first, and had wanted nothing."""
        if self.has_spoken or not self.agent.asks_something_else or self.reading.opens_with not in DECLINES:
            return False
        opening = words_of(self.history[0].text[:_GREETING_READ_AT_MOST])
        return any(item.section in _GREETS for item in lexicon().items(opening))

    @property
    def is_more_declined(self) -> bool:
        """A "no" to an offer of more help."""
        offered = self.is_offered or self.agent.did(Section.SEARCHES_AGAIN)
        return offered and self.reading.opens_with in DECLINES
