"""Serves applications inside this process, as the demo does with the API and the simulator."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import uvicorn

from owner.models.errors import Misconfigured

HOST: Final = "127.0.0.1"
TRIED_PORTS: Final = 20


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave Ctrl-C to whoever runs several servers at once."""
        yield


def listen(port: int) -> socket.socket:
    """A listening socket on the port, or on the next free one; never a taken one.

    Raises:
        Misconfigured: none of the next ports is free.
    """
    for candidate in range(port, port + TRIED_PORTS):
        # With the protocol named, asyncio switches off Nagle's delay on what it accepts.
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((HOST, candidate))
        except OSError:
            found.close()
            continue
        found.listen(2048)
        return found
    raise Misconfigured(
        f"None of the ports {port} to {port + TRIED_PORTS - 1} is free: choose another with --port."
    )


def url_of(listening: socket.socket) -> str:
    return f"http://{HOST}:{listening.getsockname()[1]}"


@asynccontextmanager
async def serving(app: Any, listening: socket.socket) -> AsyncIterator[None]:
    """The application answers inside the block, and has finished what it was doing after it."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            if task.done():
                await task
                raise Misconfigured("A server of the demo did not start; its log says why.")
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
