"""Work for many owners at once, and for none of them so much that the others wait."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from owner.logs import get_logger
from owner.models.errors import DatabaseUnavailable
from owner.repositories.directory import Key

log = get_logger(__name__)

Work: TypeAlias = Callable[[Key], Awaitable[None]]


class Lanes:
    """A lane is a piece of work that goes on; the next one is for who has the fewest lanes.

    `at_once` of them are open in this process, `of_owner` for one owner, so that some are always left.
    """

    def __init__(self, work: Work, *, at_once: int, of_owner: int, name: str) -> None:
        self._work = work
        self._at_once = at_once
        self._of_owner = of_owner
        self._name = name
        self._waiting: dict[int, deque[Key]] = {}
        self._known: set[Key] = set()
        self._again: set[Key] = set()
        self._open: dict[asyncio.Task[None], Key] = {}
        self._open_of: Counter[int] = Counter()
        self._is_ending = False

    @property
    def has_room(self) -> bool:
        """Whether more could be offered usefully: fewer wait than could begin at once."""
        return len(self._known) - len(self._open) < self._at_once

    def offer(self, key: Key) -> None:
        """Have it worked on, once; if it is being worked on, once more after that."""
        if self._is_ending:
            return
        if key not in self._known:
            self._known.add(key)
            self._waiting.setdefault(key.owner_id, deque()).append(key)
            self._fill()
        elif key in self._open.values():
            self._again.add(key)

    async def finish(self) -> None:
        """Begin nothing more, and wait for what goes on."""
        self._is_ending = True
        self._waiting.clear()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _fill(self) -> None:
        while len(self._open) < self._at_once and (owner_id := self._next_owner()) is not None:
            line = self._waiting.pop(owner_id)
            key = line.popleft()
            if line:
                self._waiting[owner_id] = line  # behind the others who have as many lanes
            lane = asyncio.create_task(self._run(key))
            self._open[lane] = key
            self._open_of[owner_id] += 1
            lane.add_done_callback(self._close)

    def _next_owner(self) -> int | None:
        owner_id = min(self._waiting, key=lambda owner: self._open_of[owner], default=None)
        return owner_id if owner_id is not None and self._open_of[owner_id] < self._of_owner else None

    async def _run(self, key: Key) -> None:
        try:
            await self._work(key)
        except DatabaseUnavailable:  # which says so itself, once
            return
        except Exception as problem:  # noqa: BLE001 - it is offered again by whoever looks for what is due
            problem_name = type(problem).__name__
            log.warning(
                "lane_failed", lane=self._name, owner_id=key.owner_id, id=key.id, problem=problem_name
            )

    def _close(self, lane: asyncio.Task[None]) -> None:
        key = self._open.pop(lane)
        self._open_of[key.owner_id] -= 1
        if not self._open_of[key.owner_id]:
            del self._open_of[key.owner_id]
        self._known.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.offer(key)
        if not self._is_ending:
            self._fill()
