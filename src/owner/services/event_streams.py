"""One hub per process: what is new of an owner is read once and handed to all who listen."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple

from prometheus_client import Gauge
from pydantic_core import from_json

from owner.db.database import Database
from owner.logs import get_logger
from owner.models.errors import DatabaseUnavailable
from owner.models.event import SYSTEM, Actor, FeedPosition
from owner.models.outage_errors import TooManyStreams
from owner.repositories.event_pages import shown
from owner.repositories.events import EventRepository
from owner.services.event_follower import NewEvents
from owner.waiting import is_set_within

log = get_logger(__name__)

POLL: Final = 1.0  # seconds; for what no notice told
BATCH: Final = 200  # events of one read
LONGEST_QUEUE: Final = 20  # batches that wait for a slow listener; then it reads for itself
READS_AT_ONCE: Final = 3  # connections of the pool that all streams together may hold
_ENDS_ACCESS: Final = frozenset(
    {"api_key.revoked", "owner.suspended", "session.ended", "user.password_set", "user.updated"}
)
LISTENERS: Final = Gauge("owner_event_stream_listeners", "Event streams that are open")


class StreamedEvent(NamedTuple):
    """An event as it goes out, written once for all who listen."""

    position: FeedPosition
    type: str
    conv_id: int | None
    json: str


def may_end_access(event: StreamedEvent, of: Actor) -> bool:
    """Whether somebody may have lost, by this event, the right to hear the next."""
    if event.type not in _ENDS_ACCESS:
        return False
    told = from_json(event.json)
    return event.type == "owner.suspended" or of.id in (told["actor_id"], *told["data"].values())


class Wanted(NamedTuple):
    """Which events a listener wants; None does not matter."""

    types: frozenset[str] | None = None
    conv_id: int | None = None

    def includes(self, event: StreamedEvent) -> bool:
        is_type = self.types is None or event.type in self.types
        return is_type and (self.conv_id is None or event.conv_id == self.conv_id)


EVERYTHING: Final = Wanted()
COME_BACK_AFTER: Final = 10  # seconds, where too many streams are open


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """How many streams may be open in one process; 0 turns a limit off."""

    per_caller: int = 250  # of one API key or one person
    per_owner: int = 1_000


class EventStreamService:
    """Holds no connection of its own: it is woken by the process's notices, and looks once a second."""

    def __init__(self, database: Database, *, limits: StreamLimits = StreamLimits()) -> None:
        self.database = database
        self.limits = limits
        self.is_ended = False
        self._channels: dict[int, _Channel] = {}
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        self._due: set[int] = set()
        self._woken = asyncio.Event()
        self._hub: asyncio.Task[None] | None = None

    def refuse_too_many(self, owner_id: int, by: Actor) -> None:
        """Raise `TooManyStreams` where one more would be too many."""
        open_now = self._channels[owner_id].listeners if owner_id in self._channels else ()
        for limit, there_are in (
            (self.limits.per_caller, sum(listener.by == by for listener in open_now)),
            (self.limits.per_owner, len(open_now)),
        ):
            if limit and there_are >= limit:
                raise TooManyStreams(limit=limit, remaining=0, retry_after=COME_BACK_AFTER)

    @asynccontextmanager
    async def listening(
        self,
        owner_id: int,
        *,
        by: Actor = SYSTEM,
        after: FeedPosition | None = None,
        wanted: Wanted = EVERYTHING,
    ) -> AsyncIterator["Listener"]:
        """What happens to an owner after a place in the feed, or from now on.

        Raises:
            TooManyStreams: as many as are allowed were opened since this one was let in.
            DatabaseUnavailable: nobody can say where the feed ends now.
        """
        self.refuse_too_many(owner_id, by)
        # Enlisted before the place is known: whatever the hub reads from here on is handed over.
        channel = self._channels.setdefault(owner_id, _Channel())
        listener = Listener(self, owner_id, by, wanted, is_behind=after is not None)
        channel.listeners.add(listener)
        LISTENERS.inc()
        try:
            now = await self.now()
            listener.position = now if after is None else after.seen_from(now)
            if channel.position is None:
                channel.position = now
            elif listener.position < channel.position:
                listener.fall_behind()
            self._start(owner_id)
            yield listener
        finally:
            LISTENERS.dec()
            channel.listeners.discard(listener)
            if not channel.listeners:
                self._channels.pop(owner_id, None)
            if not self._channels and self._hub is not None:
                self._hub.cancel()
                self._hub = None

    async def now(self) -> FeedPosition:
        """Where the feed ends: what is read after this, and heard from here on, has no gap."""
        async with self._reads, self.database.system() as connection:
            return await EventRepository(connection).newest_position()

    def end(self) -> None:
        """Let every stream end now, so that the process can."""
        self.is_ended = True
        for channel in self._channels.values():
            for listener in channel.listeners:
                listener.wake()

    async def read_after(self, owner_id: int, position: FeedPosition) -> Sequence[StreamedEvent]:
        async with self._reads, self.database.owner(owner_id) as connection:
            events = await EventRepository(connection).list_after(position, limit=BATCH)
        return [
            StreamedEvent(event.position, event.type, event.conv_id, shown(event).model_dump_json())
            for event in events
        ]

    def _start(self, owner_id: int) -> None:
        """Have the owner looked at once: since its place was asked for, a look may have passed it over."""
        self._hear([owner_id])
        if self._hub is None:
            self._hub = asyncio.create_task(self._run())

    def _hear(self, owner_ids: Collection[int]) -> None:
        heard = self._channels.keys() & owner_ids
        if heard:
            self._due |= heard
            self._woken.set()

    async def _run(self) -> None:
        new_events = NewEvents(self.database)
        next_look = 0.0
        with self.database.notices.heard_by(self._hear):
            while True:
                try:
                    if (now := asyncio.get_running_loop().time()) >= next_look:
                        next_look = now + POLL
                        self._hear(await new_events.owner_ids())
                    await self._read_due()
                except DatabaseUnavailable:  # which it says itself, once
                    next_look = asyncio.get_running_loop().time() + POLL
                except Exception as problem:  # noqa: BLE001 - whatever it is, the streams must not fall silent for good
                    log.warning("streams_wait", problem=type(problem).__name__)
                self._woken.clear()
                patience = max(0.0, next_look - asyncio.get_running_loop().time())
                await is_set_within(self._woken, patience)

    async def _read_due(self) -> None:
        due, self._due = self._due, set()
        results = await asyncio.gather(*map(self._read, due), return_exceptions=True)
        failed = {owner_id: problem for owner_id, problem in zip(due, results, strict=True) if problem}
        self._due |= failed.keys()
        for problem in failed.values():
            raise problem

    async def _read(self, owner_id: int) -> None:
        channel = self._channels.get(owner_id)
        while channel is not None and channel.listeners and channel.position is not None:
            events = await self.read_after(owner_id, channel.position)
            if not events:
                return
            channel.position = events[-1].position
            for listener in channel.listeners:
                listener.offer(events)


class _Channel:
    """One owner's listeners, and how far they have been told."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self.position: FeedPosition | None = None


class Listener:
    """One stream's view of the feed: its own place, and what waits for it.

    One that is too slow, or resumes, is behind: it reads for itself until it has caught up. What was handed over
    meanwhile is told from what it has read by its place, so nothing is missed or told twice.
    """

    def __init__(
        self, hub: EventStreamService, owner_id: int, by: Actor, wanted: Wanted, *, is_behind: bool
    ) -> None:
        self.position = FeedPosition(0, 0)
        self.by = by
        self.is_in_doubt = False  # whether it has to be asked again if they may listen
        self._hub = hub
        self._owner_id = owner_id
        self._wanted = wanted
        self._is_behind = is_behind
        self._waiting: deque[Sequence[StreamedEvent]] = deque()
        self._woken = asyncio.Event()

    @property
    def is_ended(self) -> bool:
        return self._hub.is_ended

    def offer(self, events: Sequence[StreamedEvent]) -> None:
        """Called by the hub; never waits."""
        if self._is_behind:
            return
        if len(self._waiting) < LONGEST_QUEUE:
            self._waiting.append(events)
        else:
            self.fall_behind()
        self._woken.set()

    def fall_behind(self) -> None:
        self._is_behind = True
        self._waiting.clear()

    def wake(self) -> None:
        self._woken.set()

    async def next(self, patience: float) -> list[StreamedEvent]:
        """What came next of the wanted events; nothing where nothing came in `patience` seconds."""
        if not self._is_behind and not self._waiting and not self.is_ended:
            self._woken.clear()
            await is_set_within(self._woken, patience)
        events = await self._catch_up() if self._is_behind else self._take()
        fresh = [event for event in events if event.position > self.position]
        if fresh:
            self.position = fresh[-1].position
            self.is_in_doubt |= any(may_end_access(event, self.by) for event in fresh)
        return [event for event in fresh if self._wanted.includes(event)]

    def _take(self) -> Sequence[StreamedEvent]:
        return self._waiting.popleft() if self._waiting else ()

    async def _catch_up(self) -> Sequence[StreamedEvent]:
        self._is_behind = False  # before it reads: what the hub reads later than this is handed over
        try:
            events = await self._hub.read_after(self._owner_id, self.position)
        except DatabaseUnavailable:
            self.fall_behind()
            await asyncio.sleep(POLL)
            return ()
        if len(events) == BATCH:
            self.fall_behind()
        return events
