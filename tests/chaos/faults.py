"""What goes wrong, and when: the seed decides."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
import psycopg

from chaos.listeners import Manner
from chaos.proxy import Proxy
from chaos.world import World
from owner.integrations.simulator.faults import FaultKind
from owner.services.deliveries import CLAIM

AT_ONCE: Final = 3  # faults that last, beside those that are over at once
PROVIDER_FAULTS: Final = (
    FaultKind.HTTP_429,
    FaultKind.HTTP_500,
    FaultKind.HTTP_503,
    FaultKind.HTTP_500_AFTER,
    FaultKind.TIMEOUT_BEFORE,
    FaultKind.TIMEOUT_AFTER,
    FaultKind.RESET_BEFORE,
    FaultKind.RESET_AFTER,
    FaultKind.LATENCY,
    FaultKind.CALLBACKS_LATE,
    FaultKind.CALLBACKS_DOUBLED,
    FaultKind.CALLBACKS_REVERSED,
    FaultKind.CALLBACKS_FIRST,
)


@dataclass
class Storm:
    """Faults at random moments, until it is over; each leaves the world as it found it."""

    world: World
    rng: random.Random
    kill_every: float  # seconds, on average
    strike_every: float  # seconds between other misfortunes, on average
    journal: Path  # when which fault was over, to be read beside the logs
    struck: Counter[str] = field(default_factory=Counter)

    @property
    def kills(self) -> int:
        return sum(count for name, count in self.struck.items() if name.startswith("kill"))

    async def rage(self, seconds: float) -> None:
        """Kills and other misfortunes side by side; returns once all of them have passed."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(self._kills(), seconds, every=self.kill_every))
            for _ in range(AT_ONCE):
                group.create_task(
                    self._repeat(self._misfortunes(), seconds, every=self.strike_every * AT_ONCE)
                )

    async def _repeat(
        self, faults: "Mapping[Callable[[], Awaitable[bool]], int]", seconds: float, *, every: float
    ) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        while True:
            pause = self.rng.uniform(0.2, 1.8) * every
            await asyncio.sleep(min(pause, max(ends_at - loop.time(), 0)))
            if loop.time() >= ends_at:
                return
            [fault] = self.rng.choices(list(faults), weights=list(faults.values()))
            name, begun_at = fault.__name__.removeprefix("_").replace("_", " "), loop.time()
            if await fault():
                self.struck[name] += 1
                ended_at = datetime.now(UTC).isoformat(timespec="milliseconds")
                with self.journal.open("a") as journal:
                    journal.write(f"{ended_at} {name} ({loop.time() - begun_at:.1f} s)\n")

    def _kills(self) -> "Mapping[Callable[[], Awaitable[bool]], int]":
        return {
            self._kill_api_worker: 5,
            self._kill_api_server: 2,
            self._kill_job_worker: 5,
            self._kill_postgres: 1,
            self._kill_database_connection: 1,
        }

    def _misfortunes(self) -> "Mapping[Callable[[], Awaitable[bool]], int]":
        return {
            self._pause_a_process: 3,
            self._stop_a_job_worker_for_longer_than_its_claims: 1,
            self._fill_connections: 1,
            self._lock_tables: 1,
            self._cut_database_connections: 2,
            self._delay_database: 2,
            self._swallow_database: 1,
            self._refuse_database: 1,
            self._lose_answers_to_commits: 4,
            self._cut_commits_in_half: 2,
            self._cut_provider_connections: 1,
            self._delay_provider: 1,
            self._lose_answers_of_provider: 2,
            self._upset_provider: 6,
            self._cut_front: 1,
            self._lose_answers_of_front: 2,
            self._upset_consumer: 2,
        }

    # Killed as by the kernel when memory runs out: no handler runs.

    async def _kill_api_worker(self) -> bool:
        return self._kill(self.rng.choice(self.rng.choice(self.world.servers).children() or [None]))

    async def _kill_api_server(self) -> bool:
        return self._kill(self.rng.choice(self.world.servers).parent)

    async def _kill_job_worker(self) -> bool:
        return self._kill(self.rng.choice(self.world.workers).parent)

    async def _kill_postgres(self) -> bool:
        await self.world.postgres.kill()
        return True

    async def _kill_database_connection(self) -> bool:
        return self.world.postgres.kill_backend(self.rng)

    def _kill(self, process: psutil.Process | None) -> bool:
        if process is None:
            return False
        try:
            process.kill()
        except psutil.NoSuchProcess:
            return False
        return True

    # Alive, and yet not there.

    async def _pause_a_process(self) -> bool:
        process = self.rng.choice(self.world.processes).somebody(self.rng)
        if process is None:
            return False
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self.rng.uniform(0.5, 8.0))
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)
        return True

    async def _stop_a_job_worker_for_longer_than_its_claims(self) -> bool:
        """What it had in hand goes to another meanwhile; then it goes on as if nothing had been."""
        process = self.rng.choice(self.world.workers).parent
        if process is None:
            return False
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(CLAIM.total_seconds() + self.rng.uniform(1.0, 5.0))
            process.send_signal(signal.SIGCONT)
        return True

    # The database.

    async def _fill_connections(self) -> bool:
        """Take every connection that the server has left."""
        taken: list[psycopg.AsyncConnection[tuple[object, ...]]] = []
        url = self.world.postgres.server.url("owner_service")
        with suppress(psycopg.Error):
            while True:
                taken.append(await psycopg.AsyncConnection.connect(url, connect_timeout=5))
        await asyncio.sleep(self.rng.uniform(1.0, 4.0))
        for connection in taken:
            with suppress(psycopg.Error):
                await connection.close()
        return bool(taken)

    async def _lock_tables(self) -> bool:
        """Somebody's long transaction holds a table, and with it whatever connection wants it."""
        with suppress(psycopg.Error):
            url = self.world.postgres.server.url("owner_admin")
            async with await psycopg.AsyncConnection.connect(url, connect_timeout=5) as connection:
                table = self.rng.choice(
                    ["messages", "conversations", "events", "jobs.pgqueuer", "webhook_endpoints"]
                )
                await connection.execute("SET LOCAL lock_timeout = '5s'")
                await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
                await asyncio.sleep(self.rng.uniform(1.0, 4.0))
            return True
        return False

    async def _cut_database_connections(self) -> bool:
        return self.world.database_link.cut() > 0

    async def _delay_database(self) -> bool:
        return await self._for_a_while(self.world.database_link, delay=self.rng.uniform(0.005, 0.05))

    async def _swallow_database(self) -> bool:
        """Packets go nowhere; the connections are reset in the end, as a firewall does that forgot them."""
        has_struck = await self._for_a_while(self.world.database_link, swallows=True)
        return has_struck and self.world.database_link.cut() > 0

    async def _refuse_database(self) -> bool:
        return await self._for_a_while(self.world.database_link, refuses=True)

    async def _lose_answers_to_commits(self) -> bool:
        """The database commits and nobody hears of it."""
        return await self._lose_answers(self.world.database_link, b"COMMIT")

    async def _cut_commits_in_half(self) -> bool:
        self.world.database_link.mood.cuts_requests_with = b"COMMIT"
        return True

    # The provider.

    async def _cut_provider_connections(self) -> bool:
        return self.world.provider_link.cut() > 0

    async def _delay_provider(self) -> bool:
        return await self._for_a_while(self.world.provider_link, delay=self.rng.uniform(0.1, 1.0))

    async def _lose_answers_of_provider(self) -> bool:
        return await self._lose_answers(self.world.provider_link, b"POST ")

    async def _upset_provider(self) -> bool:
        kind = self.rng.choice(PROVIDER_FAULTS)
        delay = self.rng.uniform(1.0, 14.0) if "timeout" in kind or "late" in kind else None
        await self.world.simulator.fault(kind, count=self.rng.randint(1, 4), delay=delay)
        return True

    # Callers and those who are called.

    async def _cut_front(self) -> bool:
        return self.world.front.cut() > 0

    async def _lose_answers_of_front(self) -> bool:
        return await self._lose_answers(self.world.front, b"POST ")

    async def _upset_consumer(self) -> bool:
        consumer = self.rng.choice(self.world.consumers)
        manner = self.rng.choice([Manner.WITH_500, Manner.NOT_AT_ALL, None])
        if manner is None:
            await consumer.die()
        else:
            consumer.manner = manner
        await asyncio.sleep(self.rng.uniform(0.5, 4.0))
        consumer.manner = Manner.WELL
        if manner is None:
            await consumer.start()
        return True

    async def _for_a_while(self, proxy: Proxy, **mood: object) -> bool:
        if proxy.is_misbehaving:
            return False
        with proxy.misbehaving(**mood):
            await asyncio.sleep(self.rng.uniform(0.5, 4.0))
        return True

    async def _lose_answers(self, proxy: Proxy, request: bytes) -> bool:
        if proxy.is_misbehaving:
            return False
        for _ in range(self.rng.randint(1, 5)):
            proxy.mood.loses_answers_to = request
            await asyncio.sleep(self.rng.uniform(0.05, 0.5))
        proxy.mood.loses_answers_to = None
        return True
