"""Keeps each sender below its rate: one token at a time, first come, first served."""

import asyncio
from typing import Final

from owner.models.addresses import parse_address
from owner.models.enums import Channel

_SWEEP_AT: Final = 1_000  # senders


class SenderRates:
    """Rates in messages a second, for each sender on its own and in this process only."""

    def __init__(self, *, sms: float, whatsapp: float) -> None:
        self._seconds_per_sms = 1 / sms
        self._seconds_per_message = 1 / whatsapp
        self._senders: dict[str, _Sender] = {}
        self._sweep_at = _SWEEP_AT

    async def wait_turn(self, sender: str) -> None:
        """Return when the sender may send; a wait that is cancelled uses nothing up."""
        await self._find_or_add(sender).wait_turn()

    def _find_or_add(self, sender: str) -> "_Sender":
        found = self._senders.get(sender)
        if found is None:
            self._forget_idle()
            found = self._senders[sender] = _Sender(self._spacing(sender))
        return found

    def _spacing(self, sender: str) -> float:
        is_sms = parse_address(sender).channel is Channel.SMS
        return self._seconds_per_sms if is_sms else self._seconds_per_message

    def _forget_idle(self) -> None:
        """Drop the senders whose next token is there anyway; nothing is lost with them."""
        if len(self._senders) < self._sweep_at:
            return
        self._senders = {name: sender for name, sender in self._senders.items() if not sender.is_idle}
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._senders))


class _Sender:
    def __init__(self, spacing: float) -> None:
        self._spacing = spacing
        self._queue = asyncio.Lock()  # wakes its waiters in the order in which they came
        self._free_at = 0.0
        self._waiting = 0

    @property
    def is_idle(self) -> bool:
        return not self._waiting and self._free_at <= asyncio.get_running_loop().time()

    async def wait_turn(self) -> None:
        self._waiting += 1
        try:
            async with self._queue:
                now = asyncio.get_running_loop().time()
                turn = max(self._free_at, now)
                if turn > now:
                    await asyncio.sleep(turn - now)
                self._free_at = turn + self._spacing  # from the turn, not from now: no drift
        finally:
            self._waiting -= 1
