"""A program that takes webhooks, as an integrator would write it, with the faults that one can have."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook
from starlette.types import Receive, Scope, Send

from serving import serving


@dataclass(frozen=True)
class Delivered:
    """One request as it came."""

    headers: dict[str, str]
    body: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def type(self) -> str:
        return str(self.content["type"])

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content

    @property
    def conversation(self) -> int | None:
        return self.content["data"]["conv_id"]  # type: ignore[no-any-return]

    @property
    def sequence(self) -> int | None:
        return self.content["data"]["sequence"]  # type: ignore[no-any-return]

    def is_signed_by(self, secret: str) -> bool:
        """Whether the package's own signature is among those that came, whatever the clock says."""
        at = datetime.fromtimestamp(int(self.headers["webhook-timestamp"]), UTC)
        return Webhook(secret).sign(self.id, at, self.body) in self.headers["webhook-signature"].split(" ")


@dataclass
class Consumer:
    """Answers what `answer` says; waits for `lets_go` before it does."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b"ok"
    received: list[Delivered] = field(default_factory=list)
    lets_go: asyncio.Event = field(default_factory=asyncio.Event)
    _calls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    at_once: int = 0
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self.lets_go.set()

    @property
    def types(self) -> list[str]:
        return [delivered.type for delivered in self.received]

    @property
    def ids(self) -> list[str]:
        return [delivered.id for delivered in self.received]

    async def is_called(self, times: int = 1) -> None:
        """Wait until so many more requests have come."""
        for _ in range(times):
            await self._calls.acquire()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.received.append(Delivered(headers, body.decode()))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self._calls.release()
        await self.lets_go.wait()
        self.at_once -= 1
        answered = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": answered})
        await send({"type": "http.response.body", "body": self.answer})


@asynccontextmanager
async def consuming(**faults: Any) -> AsyncIterator[Consumer]:
    """A consumer behind a real socket of this machine."""
    consumer = Consumer(**faults)
    async with serving(consumer) as url:
        consumer.url = f"{url}/hooks"
        yield consumer
        consumer.lets_go.set()


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        kind = message["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
