"""A client of the event stream, as a browser's EventSource is one: it remembers where to resume."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from calling import Api

PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a stream."""

    id: str
    type: str
    data: dict[str, Any]


@dataclass
class StreamClient:
    """Connects again and again with the last id that it saw; `told` is all that it ever heard."""

    api: Api
    key: str | None = None
    query: list[tuple[str, str]] = field(default_factory=list)
    last_event_id: str | None = None
    retry: int | None = None
    told: list[Told] = field(default_factory=list)
    comments: int = 0

    @property
    def event_ids(self) -> list[int]:
        return [told.data["event_id"] for told in self.told]

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[AsyncIterator[Told]]:
        """The events of one connection; it begins only once the server has said where it stands."""
        headers = {"Authorization": f"Bearer {self.key or self.api.key}"}
        if self.last_event_id:
            headers["Last-Event-ID"] = self.last_event_id
        timeout = aiohttp.ClientTimeout(total=None, sock_read=PATIENCE)
        async with self.api.session.get(
            f"{self.api.url}/v1/events/stream", headers=headers, params=self.query, timeout=timeout
        ) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            blocks = self._blocks(response.content)
            greeting = await anext(blocks)
            assert greeting is None
            yield self._events(blocks)

    async def hear(self, count: int) -> None:
        """Listen until so many events have been heard in all, coming back as often as the server ends a stream."""
        async with asyncio.timeout(PATIENCE):
            while len(self.told) < count:
                async with self.connected() as events:
                    while len(self.told) < count and await anext(events, None) is not None:
                        pass

    async def _events(self, blocks: AsyncIterator[Told | None]) -> AsyncIterator[Told]:
        async for block in blocks:
            if block is not None:
                yield block

    async def _blocks(self, content: aiohttp.StreamReader) -> AsyncIterator[Told | None]:
        """What is between empty lines: an event, or None for one without data."""
        fields: dict[str, str] = {}
        async for raw in content:
            line = raw.decode().removesuffix("\n")
            if line == "":
                yield self._take(fields)
                fields = {}
            elif line.startswith(":"):
                self.comments += 1
            else:
                name, _, value = line.partition(": ")
                assert name not in fields
                fields[name] = value

    def _take(self, fields: dict[str, str]) -> Told | None:
        self.last_event_id = fields.get("id", self.last_event_id)
        self.retry = int(fields.get("retry", self.retry or 0))
        if "data" not in fields:
            return None
        told = Told(fields["id"], fields["event"], json.loads(fields["data"]))
        self.told.append(told)
        return told
