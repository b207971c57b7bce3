"""Keeps a worker's readers at the heels of what happens: woken by notices, and by a look of its own each second."""

import asyncio
from collections.abc import Collection
from time import monotonic
from typing import Final

from owner.db.database import Database
from owner.logs import get_logger
from owner.models.errors import DatabaseUnavailable
from owner.repositories.directory import Directory
from owner.repositories.events import EventRepository
from owner.services.event_feed import EventFeedService, Progress
from owner.waiting import is_set_within

log = get_logger(__name__)

POLL: Final = 1.0  # seconds; for what a lost notice would have told
BREATH: Final = 4  # times as long as turns took: where much happens, the next ones have more to read at once


class NewEvents:
    """Whose events were settled since it was last asked: one query, however many owners there are."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._asked_until: int | None = None

    async def owner_ids(self) -> set[int]:
        """Nobody at the first time: that is where it begins."""
        async with self.database.system() as connection:
            until = (await EventRepository(connection).newest_position()).xid
            since = self._asked_until if self._asked_until is not None else until
            found = await Directory(connection).owners_with_events(since=since, until=until)
        self._asked_until = until
        return set(found)


class EventFollower:
    """One process's loop over the owners who may have something to read."""

    def __init__(self, database: Database, feed: EventFeedService) -> None:
        self.database = database
        self.feed = feed
        self._new_events = NewEvents(database)
        self._due: set[int] = set()
        self._waits: set[int] = (
            set()
        )  # for the next look: a reader of theirs rests, or another process has it
        self._next_look = 0.0
        self._has_begun = False
        self._is_behind = False  # somebody's events are more than a turn allows
        self._woken = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until `stop` is set, whatever the database does meanwhile."""
        if not self.feed.readers:
            return
        end = asyncio.create_task(self._wake_at(stop))
        with self.database.notices.heard_by(self._hear):
            while not stop.is_set():
                began_at = monotonic()
                try:
                    await self._take_turns()
                except DatabaseUnavailable:  # which it says itself, once
                    self._next_look = monotonic() + POLL
                except Exception as problem:  # noqa: BLE001 - whatever it is, the readers must not stand still for good
                    log.warning("events_wait", problem=type(problem).__name__)
                    self._next_look = monotonic() + POLL
                if not self._is_behind:
                    await self._breathe(stop, BREATH * (monotonic() - began_at))
                await self._until_due(stop)
        end.cancel()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._woken.set()

    def _hear(self, owner_ids: Collection[int]) -> None:
        self._due.update(owner_ids)
        self._woken.set()

    async def _take_turns(self) -> None:
        if monotonic() >= self._next_look:
            await self._look()
        due, self._due = self._due, set()
        try:
            turns = await self.feed.advance_all(due)
        except BaseException:
            self._waits |= due
            raise
        self._is_behind = Progress.MORE in turns.values()
        for owner_id, end in turns.items():
            if end is not Progress.DONE:
                (self._due if end is Progress.MORE else self._waits).add(owner_id)

    async def _look(self) -> None:
        self._due |= await self._new_events.owner_ids() | self._waits
        self._waits = set()
        if not self._has_begun:  # what happened before is told by no notice
            self._due |= await self.feed.owners_behind()
            self._has_begun = True
        self._next_look = monotonic() + POLL

    async def _breathe(self, stop: asyncio.Event, seconds: float) -> None:
        await is_set_within(stop, min(seconds, POLL))

    async def _until_due(self, stop: asyncio.Event) -> None:
        self._woken.clear()
        if self._due or stop.is_set():
            return
        await is_set_within(self._woken, max(0.0, self._next_look - monotonic()))
