"""Posts signed webhooks as Twilio does: 15 seconds, connection overrides, the same token on each try."""

import base64
import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import parse_qs, urldefrag, urlencode
from uuid import uuid4

import aiohttp
from yarl import URL

CONNECTION_LIMIT: Final = 500
KEEPALIVE_SECONDS: Final = 2.0  # below uvicorn's five: we hang up first, so no post meets a closed connection
HTTP_ERROR: Final = 11200
CONNECTION_ERROR: Final = 11205

Pairs = list[tuple[str, str]]


def sign(auth_token: str, url: str, pairs: Iterable[tuple[str, str]]) -> str:
    signed = url + "".join(name + value for name, value in sorted(set(pairs)))
    digest = hmac.digest(auth_token.encode(), signed.encode(), "sha1")
    return base64.b64encode(digest).decode()


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the URL's fragment asks for; times in seconds."""

    connect_timeout: float = 5.0
    read_timeout: float = 15.0
    total_time: float = 15.0
    retries: int = 1
    retry_on: frozenset[str] = frozenset({"ct"})

    @classmethod
    def parse(cls, fragment: str) -> Self:
        given = {name: values[-1] for name, values in parse_qs(fragment).items()}
        return cls(
            connect_timeout=_number(given, "ct", 100, 10_000, 5_000) / 1000,
            read_timeout=_number(given, "rt", 100, 15_000, 15_000) / 1000,
            total_time=_number(given, "tt", 100, 15_000, 15_000) / 1000,
            retries=_number(given, "rc", 0, 5, 1),
            retry_on=frozenset(given.get("rp", "ct").split(",")),
        )

    def retries_after(self, failure: str) -> bool:
        return bool(self.retry_on & {failure, "all"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the webhook said; no status code when it said nothing in time."""

    status_code: int | None
    body: str = ""
    attempts: int = 1
    failure: str | None = None  # in the words of `rp`: ct, rt, 4xx, 5xx

    @property
    def error_code(self) -> int | None:
        if self.failure is None:
            return None
        return CONNECTION_ERROR if self.failure == "ct" else HTTP_ERROR


class Webhooks:
    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTION_LIMIT, keepalive_timeout=KEEPALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, pairs: Pairs, *, auth_token: str) -> Answer:
        address, fragment = urldefrag(url)
        overrides = Overrides.parse(fragment)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "TwilioProxy/1.1",
            "X-Twilio-Signature": sign(auth_token, address, pairs),
            "I-Twilio-Idempotency-Token": str(uuid4()),
        }
        body = urlencode(pairs).encode()
        ends_at = time.monotonic() + overrides.total_time
        attempts = 0
        while True:
            attempts += 1
            answer = await self._try(address, body, headers, overrides, attempts=attempts, ends_at=ends_at)
            has_more = attempts <= overrides.retries and time.monotonic() < ends_at
            if answer.failure is None or not has_more or not overrides.retries_after(answer.failure):
                return answer

    async def _try(
        self,
        address: str,
        body: bytes,
        headers: dict[str, str],
        overrides: Overrides,
        *,
        attempts: int,
        ends_at: float,
    ) -> Answer:
        assert self._session is not None, "the simulator's lifespan has not started"
        timeout = aiohttp.ClientTimeout(
            total=max(ends_at - time.monotonic(), 0.001),
            sock_connect=overrides.connect_timeout,
            sock_read=overrides.read_timeout,
        )
        try:
            async with self._session.post(
                URL(address, encoded=True),
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                text = await response.text(errors="replace")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, ValueError):
            return Answer(None, attempts=attempts, failure="ct")
        except (aiohttp.ClientError, TimeoutError):
            return Answer(None, attempts=attempts, failure="rt")
        return Answer(response.status, text, attempts, _failure(response.status))


def _failure(status: int) -> str | None:
    return {4: "4xx", 5: "5xx"}.get(status // 100)


def _number(given: dict[str, str], name: str, low: int, high: int, default: int) -> int:
    text = given.get(name, "")
    return min(max(int(text), low), high) if text.isdecimal() else default
