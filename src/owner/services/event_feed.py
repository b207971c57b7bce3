"""Hands what happened to those who make something of it, in order, each event once."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import Enum
from typing import Final, Protocol

from owner.db.database import Connection, Database
from owner.logs import get_logger
from owner.models.errors import DatabaseUnavailable
from owner.models.event import BEGINNING, Event
from owner.repositories.directory import Directory
from owner.repositories.event_cursors import EventCursorRepository
from owner.repositories.events import EventRepository
from owner.services.ports import Clock

log = get_logger(__name__)

BATCH: Final = 500  # events of one transaction
BATCHES_IN_TURN: Final = 20  # then the other owners have their turn
OWNERS_AT_ONCE: Final = 4  # connections that the feed may hold
LONGEST_REST: Final = timedelta(minutes=5)  # of a reader that fails again and again


class EventReader(Protocol):
    """Makes something of events: search entries, facts, deliveries.

    `name` is the reader's own place in the feed. What `read` writes is committed together with that place, so each
    event is read exactly once; an error means that the same events come again later. A reader that is new begins
    with the oldest event that is kept, or, where it `starts_now`, with what happens from then on.
    """

    name: str
    starts_now: bool

    async def read(self, connection: Connection, owner_id: int, events: Sequence[Event]) -> None: ...


class Progress(Enum):
    """How an owner's turn ended."""

    DONE = "DONE"  # every reader has read everything
    MORE = "MORE"  # there is more than one turn allows
    WAITS = "WAITS"  # a reader has failed and rests, or another process moves it on
    APART = "APART"  # none: one reader is so far behind that the others shall not wait for it


class EventFeedService:
    """Moves every reader on, for every owner; any number of processes may do so at once."""

    def __init__(self, database: Database, *, clock: Clock, readers: Sequence[EventReader]) -> None:
        self.database = database
        self.clock = clock
        self.readers = readers

    async def sweep(self) -> None:
        """Bring every owner up to date of whom some reader has not read everything."""
        if self.readers:
            await self.advance_all(await self.owners_behind())

    async def owners_behind(self) -> set[int]:
        """Whose events some reader has not read: one look at each owner."""
        async with self.database.system() as connection:
            return set(await Directory(connection).owners_behind([reader.name for reader in self.readers]))

    async def advance_all(self, owner_ids: Iterable[int]) -> dict[int, Progress]:
        """Bring these owners up to date, a few at a time."""
        places = asyncio.Semaphore(OWNERS_AT_ONCE)

        async def in_turn(owner_id: int) -> tuple[int, Progress]:
            async with places:
                return owner_id, await self.advance(owner_id)

        try:
            async with asyncio.TaskGroup() as group:
                turns = [group.create_task(in_turn(owner_id)) for owner_id in owner_ids]
        except ExceptionGroup as problems:
            raise problems.exceptions[0] from problems
        return dict(turn.result() for turn in turns)

    async def advance(self, owner_id: int) -> Progress:
        """Let each reader read what is new; one that fails is no matter to the others.

        They read in one transaction. When it fails, or one is far behind, each reads by itself: then one fails alone,
        and keeps nobody waiting.
        """
        try:
            end = await self._advance(self.readers, owner_id)
        except DatabaseUnavailable:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, it comes again for the reader whose it is
            end = Progress.APART
        if end is not Progress.APART:
            return end
        ends = {await self._advance_alone(reader, owner_id) for reader in self.readers}
        return next((end for end in (Progress.MORE, Progress.WAITS) if end in ends), Progress.DONE)

    async def _advance_alone(self, reader: EventReader, owner_id: int) -> Progress:
        try:
            return await self._advance([reader], owner_id)
        except DatabaseUnavailable:
            raise
        except Exception as problem:  # noqa: BLE001 - whatever is wrong with one reader, the others go on
            await self._rest(reader, owner_id, problem)
            return Progress.WAITS

    async def _advance(self, readers: Sequence[EventReader], owner_id: int) -> Progress:
        for _ in range(BATCHES_IN_TURN):
            end = await self._read_batch(readers, owner_id)
            if end is not Progress.MORE:
                return end
        return Progress.MORE

    async def _read_batch(self, readers: Sequence[EventReader], owner_id: int) -> Progress:
        async with self.database.owner(owner_id) as connection:
            cursors = EventCursorRepository(connection)
            positions = await cursors.claim([reader.name for reader in readers], now=self.clock.now())
            others = [reader for reader in readers if reader.name not in positions]
            if Progress.MORE in {await self._start(reader, owner_id, connection) for reader in others}:
                return Progress.MORE
            end = Progress.WAITS if others else Progress.DONE
            if not positions:
                return end
            # Read after the locks are held, so that it shows what the holder before has left.
            events = await EventRepository(connection).list_after(min(positions.values()), limit=BATCH)
            if not events:
                return end
            if len(events) == BATCH and len(set(positions.values())) > 1:
                return Progress.APART
            last = events[-1].position
            behind = [reader for reader in readers if positions.get(reader.name, last) < last]
            for reader in behind:
                position = positions[reader.name]
                new = [event for event in events if event.position > position]
                await reader.read(connection, owner_id, new)
            await cursors.save([reader.name for reader in behind], last)
        # What has come meanwhile has a notice of its own.
        return Progress.MORE if len(events) == BATCH else end

    async def _start(self, reader: EventReader, owner_id: int, connection: Connection) -> Progress:
        """Give a new reader its place, committed before it reads: nobody waits for its first, long read."""
        beginning = await EventRepository(connection).newest_position() if reader.starts_now else BEGINNING
        is_new = await EventCursorRepository(connection).start(owner_id, reader.name, at=beginning)
        return Progress.MORE if is_new else Progress.WAITS

    async def _rest(self, reader: EventReader, owner_id: int, problem: Exception) -> None:
        async with self.database.owner(owner_id) as connection:
            cursors = EventCursorRepository(connection)
            failures = await cursors.count_failures(reader.name)
            rest = min(timedelta(seconds=2 ** min(failures, 10)), LONGEST_REST)
            await cursors.note_failure(reader.name, next_attempt_at=self.clock.now() + rest)
        log.warning(
            "event_reader_failed",
            reader=reader.name,
            owner_id=owner_id,
            failures=failures + 1,
            problem=type(problem).__name__,
        )
