"""Sends what waits, conversation by conversation: many at once, few of each owner, none of who gets no answer."""

import asyncio
import random
from time import monotonic
from typing import Final

from owner.db.database import Database
from owner.logs import get_logger
from owner.models.errors import DatabaseUnavailable
from owner.repositories.directory import Directory, Key
from owner.services.deliveries import DeliveryService
from owner.services.lanes import Lanes
from owner.services.ports import Clock
from owner.waiting import is_set_within

log = get_logger(__name__)

OF_SENDER: Final = 100  # conversations that are taken into account of one sender in one look
POLL: Final = 1.0  # seconds; for what a lost notice would have told, and for what waited for its next attempt
PAUSE: Final = 0.02  # seconds between two looks, however much happens
BREATH: Final = 4  # times as long as a look took, so that where much waits most of the time is for sending it


class MessageCourier:
    """Finds conversations with something to send by one query over all owners, woken by what happens."""

    def __init__(
        self, database: Database, *, clock: Clock, deliveries: DeliveryService, at_once: int
    ) -> None:
        self.database = database
        self.clock = clock
        self.deliveries = deliveries
        self._lanes = Lanes(self._deliver, at_once=at_once, of_owner=at_once // 4, name="message")
        self._at_most = 2 * at_once  # conversations of one look
        self._booked: dict[Key, asyncio.TimerHandle] = {}  # their sender's turn is to come
        self._turns: set[Key] = set()  # theirs has come
        self._has_more = False
        self._news = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; what is on its way then is waited for."""
        watcher = asyncio.create_task(self._wake_on(stop))
        with self.database.notices.heard_by(lambda _owner_ids: self.wake()):
            while not stop.is_set():
                began_at = monotonic()
                try:
                    await self.start_due()
                except DatabaseUnavailable:  # which it says itself, once
                    self._news.clear()
                except Exception as problem:  # noqa: BLE001 - whatever it is, messages must not stand still for good
                    log.warning("messages_wait", problem=type(problem).__name__)
                await self._rest(max(PAUSE, BREATH * (monotonic() - began_at)))
        for timer in self._booked.values():
            timer.cancel()
        await asyncio.gather(watcher, self._lanes.finish())

    def wake(self) -> None:
        """Look soon: something may be due."""
        self._news.set()

    async def start_due(self) -> None:
        """Offer a lane to each conversation that something is due for."""
        async with self.database.system() as connection:
            due = await Directory(connection).due_sends(
                now=self.clock.now(),
                resting_accounts=self.deliveries.breaker.resting(),
                of_sender=OF_SENDER,
                limit=self._at_most,
            )
        self._has_more = len(due) == self._at_most
        random.shuffle(due)  # so that workers who look at the same moment don't run after each other
        for key in due:
            if key not in self._booked:
                self._lanes.offer(key)

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._news.set()

    async def _rest(self, pause: float) -> None:
        await asyncio.sleep(min(pause, POLL))
        if await is_set_within(self._news, POLL):
            self._news.clear()

    async def _deliver(self, key: Key) -> None:
        if key in self._booked:  # it was offered again while it booked
            return
        has_turn = key in self._turns
        self._turns.discard(key)
        pause = await self.deliveries.deliver(key.owner_id, key.id, has_turn=has_turn)
        if pause is not None and pause.has_turn:
            delay = pause.after.total_seconds()
            self._booked[key] = asyncio.get_running_loop().call_later(delay, self._take_turn, key)
        if self._has_more and self._lanes.has_room:
            self._has_more = False
            self.wake()

    def _take_turn(self, key: Key) -> None:
        del self._booked[key]
        self._turns.add(key)
        self._lanes.offer(key)
