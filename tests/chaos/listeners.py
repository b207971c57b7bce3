"""Those who are told what happens: a client of the event stream, and a consumer of outbound webhooks."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from chaos.ledger import Ledger
from e2e.stage import address_of, reserved
from factories import Tenant
from owner.models.event import BEGINNING
from owner.repositories.event_pages import write_feed_cursor

SILENCE: Final = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=20)  # a comment comes every 15 s
COME_BACK_AFTER: Final = 0.5  # seconds


@dataclass
class Listener:
    """A client of one tenant's stream: it resumes after the last event that it saw."""

    tenant: Tenant
    url: str
    ledger: Ledger
    session: aiohttp.ClientSession
    last_id: str = field(default_factory=lambda: write_feed_cursor(BEGINNING))
    connections: int = 0

    async def listen(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self._connect()
            except (aiohttp.ClientError, TimeoutError, OSError):
                self.ledger.statuses["stream cut"] += 1
            await asyncio.sleep(COME_BACK_AFTER)

    async def _connect(self) -> None:
        headers = {"Authorization": f"Bearer {self.tenant.api_key}", "Last-Event-ID": self.last_id}
        async with self.session.get(
            f"{self.url}/v1/events/stream", headers=headers, timeout=SILENCE
        ) as response:
            if response.status != HTTPStatus.OK:
                self.ledger.statuses[f"stream {response.status}"] += 1
                return
            self.connections += 1
            await self._read(response.content)

    async def _read(self, content: aiohttp.StreamReader) -> None:
        fields: dict[str, str] = {}
        async for raw in content:
            line = raw.decode().removesuffix("\n")
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
                continue
            if "data" in fields:
                self.ledger.streamed[self.tenant.owner_id].append(int(json.loads(fields["data"])["event_id"]))
            self.last_id = fields.get("id", self.last_id)
            fields = {}


class Manner(StrEnum):
    """How a consumer answers."""

    WELL = "well"
    WITH_500 = "with 500"
    NOT_AT_ALL = "not at all"


@dataclass
class Consumer:
    """An integrator's program for one tenant; it verifies each request and takes each id once."""

    tenant: Tenant
    ledger: Ledger
    manner: Manner = Manner.WELL
    secret: str = ""
    endpoint_id: int = 0
    _runner: web.AppRunner | None = None
    _place: socket.socket = field(default_factory=reserved)

    @property
    def url(self) -> str:
        return f"{address_of(self._place)}/hooks"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Consumer"]:
        await self.start()
        try:
            yield self
        finally:
            await self.die()
            self._place.close()

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/hooks", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, *self._place.getsockname(), reuse_address=True).start()

    async def die(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        manner = self.manner
        if manner is Manner.WITH_500:
            return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)
        if manner is Manner.NOT_AT_ALL:
            await asyncio.sleep(30)
        try:
            event: Any = Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.ledger.problems.append("an outbound webhook was not signed well")
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        self._keep(request.headers["webhook-id"], body, event)
        return web.Response(text="ok")

    def _keep(self, webhook_id: str, body: bytes, event: dict[str, Any]) -> None:
        self.ledger.deliveries += 1
        if self.ledger.bodies.setdefault(webhook_id, body) != body:
            self.ledger.problems.append(f"{webhook_id} came with two bodies")
        told = event["data"]
        if told["owner_id"] != self.tenant.owner_id:
            self.ledger.problems.append(f"{webhook_id} is another owner's")
        self.ledger.delivered[self.tenant.owner_id].add(int(told["event_id"]))
