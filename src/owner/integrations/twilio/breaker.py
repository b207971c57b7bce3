"""Stops calling for an account that Twilio does not answer for, and tries again now and then."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

OPENS_AFTER: Final = 5  # calls in a row without an answer
FIRST_REST: Final = 5.0  # seconds without a call, doubled by each trial that fails
LONGEST_REST: Final = 60.0
TRIAL: Final = 30.0  # seconds after which a trial that nobody told the end of is forgotten


@dataclass(slots=True)
class _Circuit:
    silences: int = 0
    rest: float = 0.0  # none: calls go out
    closed_until: float = 0.0
    trial_until: float = 0.0


class AccountBreakers:
    """A circuit for each account, in this process only; an answer of any kind, a refusal too, mends it."""

    def __init__(
        self,
        *,
        opens_after: int = OPENS_AFTER,
        first_rest: float = FIRST_REST,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._opens_after = opens_after
        self._first_rest = first_rest
        self._now = now
        self._circuits: dict[int, _Circuit] = {}

    def admits(self, account_id: int) -> bool:
        """As the port says: everything while the account answers, else one trial after each rest."""
        circuit = self._circuits.get(account_id)
        if circuit is None or not circuit.rest:
            return True
        now = self._now()
        if now < max(circuit.closed_until, circuit.trial_until):
            return False
        circuit.trial_until = now + TRIAL
        return True

    def rest_of(self, account_id: int) -> float:
        circuit = self._circuits.get(account_id)
        if circuit is None or not circuit.rest:
            return 0.0
        return max(circuit.closed_until, circuit.trial_until) - self._now()

    def resting(self) -> list[int]:
        return [account_id for account_id in self._circuits if self.rest_of(account_id) > 0]

    def note_answer(self, account_id: int) -> None:
        self._circuits.pop(account_id, None)

    def note_silence(self, account_id: int) -> bool:
        """As the port says. Calls that were under way when the circuit opened make the rest no longer."""
        circuit = self._circuits.setdefault(account_id, _Circuit())
        circuit.silences += 1
        is_trial = circuit.trial_until > 0
        if circuit.silences < self._opens_after or (circuit.rest and not is_trial):
            return False
        is_new = not circuit.rest
        circuit.rest = min(circuit.rest * 2, LONGEST_REST) if circuit.rest else self._first_rest
        circuit.closed_until, circuit.trial_until = self._now() + circuit.rest, 0.0
        return is_new
