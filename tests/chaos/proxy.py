"""A TCP proxy that misbehaves when it is told to: it cuts, delays, swallows, refuses, and loses answers."""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

from e2e.stage import HOST, listening

Address = tuple[str, int] | str  # a port of this machine, or a Unix socket
RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST, as a crashed machine's network does
MOST_WAITING: Final = 1 << 20  # bytes that one side has not taken yet; the other one is not read meanwhile


@dataclass
class Mood:
    """How the proxy behaves now; faults change it and change it back."""

    delay: float = 0.0  # seconds, for each piece and direction
    refuses: bool = False
    swallows: bool = False
    loses_answers_to: bytes | None = (
        None  # to the next request with these bytes: it arrives, its answer does not
    )
    cuts_requests_with: bytes | None = None  # half of the next request with these bytes arrives


class Proxy:
    """Connections come in at `port` and go on to one of the targets, tried in random order."""

    def __init__(self, targets: Callable[[], Sequence[Address]], rng: random.Random) -> None:
        self.targets = targets
        self.rng = rng
        self.mood = Mood()
        self.connections: set[Connection] = set()
        self.lost_answers = 0
        self.port = 0

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator["Proxy"]:
        """Connections are taken inside the block; none is left after it."""
        listener = listening() if port == 0 else socket.create_server((HOST, port), backlog=2048)
        self.port = int(listener.getsockname()[1])
        server = await asyncio.get_running_loop().create_server(lambda: Connection(self), sock=listener)
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def cut(self) -> int:
        """Reset every connection, whatever is on its way; how many there were."""
        cut = list(self.connections)
        for connection in cut:
            connection.reset()
        return len(cut)

    def say(self, data: bytes) -> None:
        """To every caller, as if it came from the target."""
        for connection in self.connections:
            connection.answered(data)

    @property
    def is_misbehaving(self) -> bool:
        return self.mood != Mood()

    @contextmanager
    def misbehaving(self, **mood: Any) -> Iterator[None]:
        """A mood that passes with the block; one at a time."""
        self.mood = Mood(**mood)
        try:
            yield
        finally:
            self.mood = Mood()


class Connection(asyncio.Protocol):
    """The caller's side; what comes before the target answers waits in `early`."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.near: Side | None = None
        self.far: Side | None = None
        self.early: list[bytes] = []
        self.loses_answer = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.near = Side(cast("asyncio.Transport", transport))
        self.proxy.connections.add(self)
        if self.proxy.mood.refuses:
            self.reset()
            return
        self.connecting = asyncio.create_task(self._connect())

    def data_received(self, data: bytes) -> None:
        mood = self.proxy.mood
        if mood.swallows:
            return
        if mood.cuts_requests_with and mood.cuts_requests_with in data:
            mood.cuts_requests_with = None
            self._forward(data[: len(data) // 2])
            asyncio.get_running_loop().call_later(0.01, self.reset)
            return
        if mood.loses_answers_to and mood.loses_answers_to in data:
            mood.loses_answers_to = None
            self.loses_answer = True
        self._forward(data)

    def answered(self, data: bytes) -> None:
        """The target said something."""
        if self.loses_answer:
            self.proxy.lost_answers += 1
            self.reset()
        elif not self.proxy.mood.swallows and self.near is not None:
            self.near.write(data, delay=self.proxy.mood.delay)

    def eof_received(self) -> None:
        if self.far is not None:
            self.far.finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self.proxy.connections.discard(self)
        if self.far is not None:
            self.far.finish()

    def pause_writing(self) -> None:
        if self.far is not None:
            self.far.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.far is not None:
            self.far.transport.resume_reading()

    def reset(self) -> None:
        """Both sides see a reset, not an end."""
        self.proxy.connections.discard(self)
        for side in (self.near, self.far):
            if side is not None:
                side.reset()

    def _forward(self, data: bytes) -> None:
        if self.far is None:
            self.early.append(data)
        else:
            self.far.write(data, delay=self.proxy.mood.delay)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        targets = list(self.proxy.targets())
        self.proxy.rng.shuffle(targets)
        for target in targets:
            try:
                if isinstance(target, str):
                    transport, _ = await loop.create_unix_connection(lambda: Answers(self), target)
                else:
                    transport, _ = await loop.create_connection(lambda: Answers(self), *target)
            except OSError:
                continue
            self.far = Side(transport)
            if self.near is None or self.near.transport.is_closing():
                self.far.reset()
            for data in self.early:
                self.far.write(data, delay=0.0)
            self.early.clear()
            return
        self.reset()


class Answers(asyncio.Protocol):
    """The target's side."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def data_received(self, data: bytes) -> None:
        self.connection.answered(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.connection.near is not None:
            self.connection.near.finish()

    def pause_writing(self) -> None:
        if self.connection.near is not None:
            self.connection.near.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.connection.near is not None:
            self.connection.near.transport.resume_reading()


@dataclass
class Side:
    """One of the two sockets; what is delayed keeps its order."""

    transport: asyncio.Transport
    free_at: float = field(default=0.0)

    def __post_init__(self) -> None:
        self.transport.set_write_buffer_limits(high=MOST_WAITING)

    def write(self, data: bytes, *, delay: float) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self.free_at = max(now + delay, self.free_at)
        if self.free_at <= now:
            self._write(data)
        else:
            loop.call_at(self.free_at, self._write, data)

    def finish(self) -> None:
        """Close once what was delayed has gone out."""
        loop = asyncio.get_running_loop()
        loop.call_at(max(self.free_at, loop.time()), self.transport.close)

    def reset(self) -> None:
        connection: socket.socket | None = self.transport.get_extra_info("socket")
        if connection is not None and connection.family != socket.AF_UNIX and not self.transport.is_closing():
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    def _write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)
