"""An application behind a real socket of this machine, for as long as a test needs it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from owner.api.http_protocol import BoundedProtocol
from owner.inbox.app import create_site
from owner.services.catalog import Services


class _Server(uvicorn.Server):
    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(app, http=BoundedProtocol, lifespan="on", log_level="critical", ws="none")
        )
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    # The protocol is named: without it asyncio leaves Nagle's algorithm on, 40 ms a request.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = _Server(app)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await server.is_up.wait()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


@asynccontextmanager
async def serving_api(services: Services) -> AsyncIterator[str]:
    """The product's own API over use cases that are open already."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Services]:
        yield services

    async with serving(create_site(connect)) as url:
        yield url
        services.event_streams.end()  # an answer without an end would keep the server
