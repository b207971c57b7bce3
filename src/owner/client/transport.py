"""One request, tried again where that is safe."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

import httpx

from owner.client.errors import ApiError, Unreachable

TRIES: Final = 4
FIRST_PAUSE: Final = 0.2  # seconds; doubled for each further try
LONGEST_PAUSE: Final = 30.0
WORTH_ANOTHER_TRY: Final = frozenset({429, 502, 503, 504})


class Transport:
    """Connections to one API, with one key or session token."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`timeout` is in seconds; `transport` stands in for the network, as in tests."""
        self.http = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            headers={"Authorization": f"Bearer {token}", "User-Agent": "owner-client"},
            timeout=timeout,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self.http.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        creates: bool = False,
    ) -> Any:
        """The answer's JSON; None where it has no body.

        What creates something carries an Idempotency-Key, so that it is safe to try again like a read.

        Raises:
            ApiError: the API refused it, and trying again did not help.
            Unreachable: no answer came.
        """
        headers = {"Idempotency-Key": uuid4().hex} if creates else {}
        is_repeatable = creates or method in {"GET", "PUT", "DELETE"}
        answer = await self._send(
            method,
            path,
            tries=TRIES if is_repeatable else 1,
            params=_without_none(query),
            json=dict(body) if body is not None else None,
            headers=headers,
        )
        return answer.json() if answer.content else None

    async def fetch(self, path: str, *, query: Mapping[str, Any] | None = None) -> bytes:
        """The answer as it came: a file, or CSV."""
        answer = await self._send("GET", path, tries=TRIES, params=_without_none(query))
        return answer.content

    @asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of an answer that doesn't end."""
        async with self.http.stream(
            "GET", path, params=_without_none(query), headers=headers, timeout=httpx.Timeout(30.0, read=60.0)
        ) as answer:
            if answer.is_error:
                await answer.aread()
                raise _refusal(answer)
            yield answer.aiter_lines()

    async def _send(self, method: str, path: str, *, tries: int, **options: Any) -> httpx.Response:
        for attempt in range(1, tries + 1):
            try:
                answer = await self.http.request(method, path, **options)
            except httpx.TransportError as problem:
                if attempt == tries:
                    raise Unreachable(f"{method} {path}: {type(problem).__name__}") from problem
                await asyncio.sleep(_pause(attempt))
                continue
            if not answer.is_error:
                return answer
            refusal = _refusal(answer)
            if answer.status_code not in WORTH_ANOTHER_TRY or attempt == tries:
                raise refusal
            await asyncio.sleep(min(refusal.retry_after or _pause(attempt), LONGEST_PAUSE))
        raise AssertionError("the last try returns or raises")


def _pause(attempt: int) -> float:
    return min(FIRST_PAUSE * (1 << (attempt - 1)), LONGEST_PAUSE)


def _without_none(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (values or {}).items() if value is not None}


def _refusal(answer: httpx.Response) -> ApiError:
    try:
        problem = answer.json()
    except ValueError:
        problem = {"detail": answer.text[:500]}
    retry_after = answer.headers.get("Retry-After", "")
    return ApiError(
        problem if isinstance(problem, dict) else {},
        status=answer.status_code,
        retry_after=float(retry_after) if retry_after.isdigit() else None,
    )
