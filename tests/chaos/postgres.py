"""A Postgres of the run's own, which can be killed and started again."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import conninfo

from owner.db import migrate
from owner.db.embedded import EmbeddedServer

BOUNDED = "ALTER SYSTEM SET max_wal_size = '512MB'"  # a run is bounded on the disk, too


class Postgres:
    """The embedded server, its processes and what an operator sees in it."""

    def __init__(self, home: Path) -> None:
        self.server = EmbeddedServer(home)
        self.starts = 0
        self._changes = asyncio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Postgres"]:
        """It is migrated and up inside the block, unless a fault has it."""
        await asyncio.to_thread(self._make)
        try:
            yield self
        finally:
            await asyncio.to_thread(self.server.stop)

    @property
    def data(self) -> Path:
        return (self.server.home / "postgres").resolve()

    @property
    def socket(self) -> str:
        """Where it listens, for the proxy."""
        where = conninfo.conninfo_to_dict(self.server.url("owner_service"))
        return f"{where['host']}/.s.PGSQL.{where['port']}"

    async def kill(self) -> None:
        """`kill -9` the postmaster; once its children have noticed, the server is started again and recovers."""
        async with self._changes:
            with suppress(ProcessLookupError, FileNotFoundError):
                os.kill(self._postmaster(), signal.SIGKILL)
            await self._start()

    def kill_backend(self, rng: random.Random) -> bool:
        """`kill -9` a connection's process: the postmaster ends all the others and recovers."""
        backends = []
        with suppress(psutil.NoSuchProcess, FileNotFoundError):
            for child in psutil.Process(self._postmaster()).children():
                with suppress(psutil.NoSuchProcess):
                    if "owner_service" in " ".join(child.cmdline()):
                        backends.append(child)
        if not backends:
            return False
        with suppress(psutil.NoSuchProcess):
            rng.choice(backends).kill()
        return True

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """As the superuser, who sees everything."""
        with psycopg.connect(self.server.url("postgres"), connect_timeout=5) as connection:
            return connection.execute(query.encode()).fetchall()

    async def _start(self) -> None:
        await asyncio.to_thread(self.server.start_and_leave)
        self.starts += 1

    def _make(self) -> None:
        self.server.start_and_leave()
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute(BOUNDED)
            connection.execute("SELECT pg_reload_conf()")
        migrate.upgrade(self.server.url("owner_admin"), application_role="owner_service")

    def _postmaster(self) -> int:
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])
