"""Stores together what comes in together: one transaction for many, and those of one key one after the other."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Generic, TypeVar

from owner.models.errors import Unavailable
from owner.models.outage_errors import Collision, Overloaded
from owner.services.turns import Turns

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

AT_ONCE: Final = 64  # items of one transaction
SIDE_BY_SIDE: Final = 1  # transactions of one process
AT_MOST: Final = 2_000  # items that wait; those beyond are told to come again
AT_MOST_OF_OWNER: Final = 1_000  # so that there is room for those of others
PAUSE: Final = 0.01  # seconds until what somebody else was at work on is tried again
PATIENCE: Final = 10.0  # seconds of such tries; who sent it waits little longer


@dataclass(slots=True, eq=False)
class _Ticket(Generic[Item, Outcome]):
    """Somebody's item, and what they wait for."""

    item: Item
    key: int
    owner_id: int
    outcome: "asyncio.Future[Outcome]"
    since: float = field(default_factory=monotonic)


class GroupCommit(Generic[Item, Outcome]):
    """A queue without a timer: what comes while nothing goes on begins at once, what comes meanwhile goes together.

    Of more than go together, each owner has one before any has two.

    `commit` stores some items, no two with one key, in a transaction of their own. It returns an outcome for each,
    None where somebody else is at work on the key.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Awaitable[Sequence[Outcome | None]]],
        *,
        at_once: int = AT_ONCE,
        side_by_side: int = SIDE_BY_SIDE,
        at_most: int = AT_MOST,
        at_most_of_owner: int = AT_MOST_OF_OWNER,
    ) -> None:
        self.commit = commit
        self.at_once = at_once
        self.side_by_side = side_by_side
        self.at_most = at_most
        self.at_most_of_owner = at_most_of_owner
        self._lanes: dict[int, deque[_Ticket[Item, Outcome]]] = {}  # by key; the first of each is the next
        self._ready: Turns[int] = Turns()  # keys whose next item may begin
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self._count_of: Counter[int] = Counter()  # by owner
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    async def put(self, item: Item, *, key: int, owner_id: int) -> Outcome:
        """Have an item stored, after those of the same key that came before; committed when this returns.

        Whoever stops waiting harms nobody: the item is stored all the same.

        Raises:
            Overloaded: too many wait already, or somebody else was at work on the key for too long.
        """
        if self._count >= self.at_most or self._count_of[owner_id] >= self.at_most_of_owner:
            raise Overloaded
        ticket = _Ticket[Item, Outcome](item, key, owner_id, asyncio.get_running_loop().create_future())
        self._count += 1
        self._count_of[owner_id] += 1
        self._is_empty.clear()
        if (lane := self._lanes.get(key)) is not None:
            lane.append(ticket)
        else:
            self._lanes[key] = deque([ticket])
            self._begin(ticket)
        return await ticket.outcome

    async def finish(self) -> None:
        """Wait until all that has come in is stored."""
        await self._is_empty.wait()

    def _begin(self, ticket: _Ticket[Item, Outcome]) -> None:
        self._ready.add(ticket.key, owner_id=ticket.owner_id)
        if self._running < self.side_by_side:
            self._running += 1
            # In no context: the transaction is nobody's request.
            task = asyncio.create_task(self._run(), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        try:
            while self._ready:
                await self._store([self._lanes[key][0] for key in self._ready.take(self.at_once)])
        finally:
            self._running -= 1

    async def _store(self, tickets: Sequence[_Ticket[Item, Outcome]], *, is_last_try: bool = False) -> None:
        """Give each ticket what is its own: what fails is tried once more, each alone, and then fails alone."""
        try:
            outcomes = await self.commit([ticket.item for ticket in tickets])
        except Exception as problem:  # noqa: BLE001 - whatever it is, it belongs to who waits for the item
            is_everybodys = isinstance(problem, Unavailable) and not isinstance(problem, Collision)
            for ticket in tickets:
                if is_everybodys or is_last_try:
                    self._fail(ticket, problem)
                else:
                    await self._store([ticket], is_last_try=True)
        else:
            for ticket, outcome in zip(tickets, outcomes, strict=True):
                if outcome is None:
                    self._try_later(ticket)
                else:
                    self._leave(ticket)
                    if not ticket.outcome.done():
                        ticket.outcome.set_result(outcome)

    def _try_later(self, ticket: _Ticket[Item, Outcome]) -> None:
        if monotonic() - ticket.since > PATIENCE:
            self._fail(ticket, Overloaded())
        else:
            asyncio.get_running_loop().call_later(PAUSE, self._begin, ticket)

    def _fail(self, ticket: _Ticket[Item, Outcome], problem: Exception) -> None:
        self._leave(ticket)
        if not ticket.outcome.done():
            ticket.outcome.set_exception(problem)

    def _leave(self, ticket: _Ticket[Item, Outcome]) -> None:
        """Make way for the next of the same key."""
        self._count -= 1
        self._count_of[ticket.owner_id] -= 1
        lane = self._lanes[ticket.key]
        lane.popleft()
        if lane:
            self._begin(lane[0])
        else:
            del self._lanes[ticket.key]
            if not self._lanes:
                self._is_empty.set()
