"""How fast clients go: so many turns a second, shared by all who wait for one, until it is over."""

import asyncio
from typing import Final

CATCHES_UP: Final = 1.0  # seconds of turns that were missed; the rest is gone


class Pace:
    """A turn is given to one caller."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self.is_over = False
        self._next_at = 0.0

    async def turn(self) -> bool:
        """Wait for the next turn; False once it is over."""
        now = asyncio.get_running_loop().time()
        self._next_at = max(self._next_at + 1 / self.per_second, now - CATCHES_UP)
        if self._next_at > now:
            await asyncio.sleep(self._next_at - now)
        return not self.is_over

    def end(self) -> None:
        self.is_over = True
