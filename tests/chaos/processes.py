"""The product's processes, each under a supervisor that starts it again whenever it ends, as systemd would."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from e2e.stage import HOST

START_AGAIN_AFTER: Final = 0.2  # seconds
LOOK_EVERY: Final = 0.05
PORT_IS_FREE_WITHIN: Final = 30.0  # seconds: what is left of a killed server finishes its answers first
ENDS_WITHIN: Final = 40.0


class Supervised:
    """One `owner …` command, its children, and its log over all its lives."""

    def __init__(
        self,
        name: str,
        *arguments: str,
        env: Mapping[str, str],
        folder: Path,
        port: int | None = None,
    ) -> None:
        self.name = name
        self.arguments = arguments
        self.env = dict(env)
        self.log = folder / f"{name}.log"
        self.port = port
        self.starts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._groups: list[int] = []
        self._is_stopping = False

    async def run(self) -> None:
        """Start it, and again whenever it has ended, until `stop`."""
        while not self._is_stopping:
            process = await self._start()
            await process.wait()
            await self._leftovers_end()
            await asyncio.sleep(START_AGAIN_AFTER)

    async def restart(self, env: Mapping[str, str]) -> None:
        """As a rolling upgrade does; returns once it is started anew, with more in its environment."""
        starts = self.starts
        self.env |= env
        with suppress(ProcessLookupError):
            if self._process is not None:
                self._process.send_signal(signal.SIGTERM)
        while self.starts == starts and not self._is_stopping:  # noqa: ASYNC110 - it is started by `run`
            await asyncio.sleep(LOOK_EVERY)

    async def stop(self) -> int | None:
        """As an operator does: SIGTERM, and patience. Its exit code, or None if it had to be killed."""
        self._is_stopping = True
        process = self._process
        if process is None:
            return None
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            return await asyncio.wait_for(process.wait(), ENDS_WITHIN)
        return None

    def destroy(self) -> None:
        """Leave nothing of any of its lives."""
        self._is_stopping = True
        for group in self._groups:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)

    @property
    def parent(self) -> psutil.Process | None:
        with suppress(psutil.NoSuchProcess):
            if self._process is not None and self._process.returncode is None:
                return psutil.Process(self._process.pid)
        return None

    def children(self) -> list[psutil.Process]:
        """The processes that serve; the resource tracker is a child as well, and does nothing."""
        parent = self.parent
        if parent is None:
            return []
        found = []
        with suppress(psutil.NoSuchProcess):
            for child in parent.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if "spawn_main" in " ".join(child.cmdline()):
                        found.append(child)
        return found

    def somebody(self, rng: random.Random) -> psutil.Process | None:
        """Any process of it that runs."""
        family = [*self.children(), *([parent] if (parent := self.parent) else [])]
        return rng.choice(family) if family else None

    async def _start(self) -> asyncio.subprocess.Process:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("OWNER_")}
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "owner", *self.arguments),
                env={**outside, "PYTHONUNBUFFERED": "1", **self.env},
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.starts += 1
        self._groups.append(self._process.pid)
        return self._process

    async def _leftovers_end(self) -> None:
        """Children of a killed server end by themselves; whoever stays on its port too long is killed."""
        give_up_at = time.monotonic() + PORT_IS_FREE_WITHIN
        while self.port is not None and _is_taken(self.port):
            if time.monotonic() > give_up_at:
                with suppress(ProcessLookupError):
                    os.killpg(self._groups[-1], signal.SIGKILL)
            await asyncio.sleep(LOOK_EVERY)


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False
