"""Carries webhooks over HTTP to addresses that somebody typed in, and so to none inside our own network."""

import ssl
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from owner.integrations.guarded_http import ForbiddenAddress, GuardedConnector
from owner.models.network import IPAddress, IPNetwork, may_reach
from owner.models.webhook_delivery import STORED_ANSWER, AttemptError, WebhookAnswer

TIMEOUT: Final = 15.0  # seconds, from the name's look-up to the end of the answer
READ_AT_MOST: Final = 64 * 1024  # bytes of an answer's body
_KEPT_OPEN: Final = 3.0  # seconds; less than most servers keep a silent connection
_LONGEST_HEADER: Final = 200  # characters of Retry-After that are looked at


class HttpWebhookSender:
    """Fulfils `ports.WebhookSender`; `allowed` are private networks that the operator lets it reach."""

    def __init__(
        self,
        *,
        allowed: Sequence[IPNetwork] = (),
        timeout: float = TIMEOUT,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allowed = allowed
        self._timeout = timeout
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> WebhookAnswer:
        """One attempt. Whatever goes wrong is an answer too."""
        started = monotonic()
        answer = await self._attempt(url, headers, body)
        answer.duration_ms = int((monotonic() - started) * 1000)
        return answer

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _attempt(self, url: str, headers: Mapping[str, str], body: bytes) -> WebhookAnswer:
        try:
            request = self._open_session().post(
                URL(url, encoded=True), data=body, headers=headers, allow_redirects=False
            )
            async with request as response:
                return WebhookAnswer(
                    status=response.status,
                    body=await _beginning(response),
                    retry_after=response.headers.get("Retry-After", "")[:_LONGEST_HEADER] or None,
                )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
            return WebhookAnswer(error=_error_of(problem))

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=GuardedConnector(
                    keepalive_timeout=_KEPT_OPEN, may_connect=self._may_connect, resolver=self._resolver
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
            )
        return self._session

    def _may_connect(self, address: IPAddress) -> bool:
        return may_reach(address, self._allowed)


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """What is kept of the body. The status has been told: a body that breaks off or never ends changes nothing."""
    content = bytearray()
    try:
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) >= READ_AT_MOST:
                break
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass
    if not response.content.at_eof():
        response.close()
    return content[:STORED_ANSWER].decode(errors="replace").replace("\x00", "\ufffd")


def _error_of(problem: Exception) -> AttemptError:
    match problem:
        case aiohttp.ClientConnectorError(os_error=ForbiddenAddress()):
            return AttemptError.FORBIDDEN_ADDRESS
        case aiohttp.ClientConnectorDNSError() | ValueError():
            return AttemptError.NAME_NOT_FOUND
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return AttemptError.TLS
        case TimeoutError():
            return AttemptError.TIMEOUT
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return AttemptError.INVALID_ANSWER
    return AttemptError.NOT_CONNECTED
