"""A small TCP proxy before a server, that can lose connections, refuse them, or let nothing through any more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
CHUNK = 64 * 1024


class Proxy:
    """Passes bytes on both ways, until it is told otherwise."""

    def __init__(self, dial: Dial, *, delay: float = 0.0) -> None:
        self.port = 0
        self.delay = delay  # seconds that each piece takes, each way
        self.accepted = 0
        self._dial = dial
        self._server: asyncio.Server | None = None
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def hold(self) -> None:
        """Let nothing through, and say nothing: as a server does whose machine is gone, or that stands still."""
        self._flows.clear()

    def flow(self) -> None:
        """Let everything through again, also what waited."""
        self._flows.set()

    def cut(self) -> int:
        """Reset every connection; new ones are welcome."""
        for writer in self._writers:
            writer.transport.abort()
        return len(self._writers) // 2

    async def refuse(self) -> None:
        """Listen no more, and reset every connection: as a server does that was stopped."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    async def listen(self) -> None:
        """Listen on a port, the same as before if there was one."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        await self.refuse()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.accepted += 1
        self._writers.add(writer)
        try:
            await self._flows.wait()
            far_reader, far_writer = await self._dial()
            self._writers.add(far_writer)
            try:
                await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))
            finally:
                self._writers.discard(far_writer)
                far_writer.transport.abort()
        except (OSError, asyncio.CancelledError):
            return  # whoever was connected learns it by the end of the connection
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(CHUNK):
            await self._flows.wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            writer.write(piece)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()


@asynccontextmanager
async def proxy_before(dial: Dial, *, delay: float = 0.0) -> AsyncIterator[Proxy]:
    """A proxy that listens, and that is gone after the block."""
    proxy = Proxy(dial, delay=delay)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.aclose()


@asynccontextmanager
async def proxied_database(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy before the Postgres of a URL that names a socket's folder, and the URL that leads through it."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    socket = f"{query['host'][0]}/.s.PGSQL.{query.get('port', ['5432'])[0]}"
    async with proxy_before(lambda: asyncio.open_unix_connection(socket)) as proxy:
        user = parts.username or ""
        yield proxy, f"postgresql://{user}@127.0.0.1:{proxy.port}{parts.path}?sslmode=disable"
