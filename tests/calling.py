"""The REST API as a program calls it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from owner.services.catalog import Services
from serving import serving_api


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said; `body` is JSON, or None where there is none."""

    status: int
    body: Any
    headers: Mapping[str, str]
    raw: bytes

    @property
    def code(self) -> str | None:
        """The problem's code."""
        return self.body.get("code") if isinstance(self.body, dict) else None


@dataclass(frozen=True, slots=True)
class Api:
    """One program with one key."""

    url: str
    session: aiohttp.ClientSession
    key: str

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Answer:
        """Call as this program, or as the one with `key`."""
        sent = {"Authorization": f"Bearer {key or self.key}", **(headers or {})}
        async with self.session.request(
            method, self.url + path, json=body, headers=sent, params=query
        ) as response:
            raw = await response.read()
            content = await response.json(content_type=None) if raw else None
            if response.status >= 400:
                assert response.content_type == "application/problem+json"
            return Answer(response.status, content, response.headers.copy(), raw)


@asynccontextmanager
async def calling(services: Services, key: str) -> AsyncIterator[Api]:
    """The API behind a real socket."""
    async with serving_api(services) as url, aiohttp.ClientSession() as session:
        yield Api(url, session, key)
