"""Keeps each sender below its rate: one turn at a time, first come, first served."""

from collections.abc import Callable
from time import monotonic
from typing import Final

from owner.models.addresses import parse_address
from owner.models.enums import Channel

_SWEEP_AT: Final = 1_000  # senders


class SenderRates:
    """Rates in messages a second, for each sender on its own and in this process only."""

    def __init__(self, *, sms: float, whatsapp: float, now: Callable[[], float] = monotonic) -> None:
        self._seconds_per_sms = 1 / sms
        self._seconds_per_message = 1 / whatsapp
        self._now = now
        self._free_at: dict[str, float] = {}
        self._sweep_at = _SWEEP_AT

    def book(self, sender: str) -> float:
        """Take the sender's next turn; how many seconds it is until then."""
        now = self._now()
        if sender not in self._free_at:
            self._forget_idle(now)
        turn = max(self._free_at.get(sender, now), now)
        self._free_at[sender] = turn + self._spacing(sender)  # from the turn, not from now: no drift
        return turn - now

    def _spacing(self, sender: str) -> float:
        is_sms = parse_address(sender).channel is Channel.SMS
        return self._seconds_per_sms if is_sms else self._seconds_per_message

    def _forget_idle(self, now: float) -> None:
        """Drop the senders whose next turn is there anyway; nothing is lost with them."""
        if len(self._free_at) < self._sweep_at:
            return
        self._free_at = {sender: free_at for sender, free_at in self._free_at.items() if free_at > now}
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._free_at))
