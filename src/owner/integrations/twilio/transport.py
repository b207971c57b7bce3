"""How we speak HTTP to others: whom we trust with credentials, whom we refuse to call, how much we read."""

import base64
import ipaddress
from typing import Final

from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from owner.integrations.guarded_http import GuardedConnector
from owner.models.network import IPAddress, is_public
from owner.services.ports import Credentials

CHUNK: Final = 64 * 1024
_TWILIO: Final = "twilio.com"
_LOCALHOST: Final = "localhost"


class AnswerTooLarge(Exception):
    """The body is larger than we read."""


def open_session(*, timeout: float, total: float, reach: "Reach | None" = None) -> ClientSession:
    """A session without cookies, proxies and memory of redirects; `reach` guards where it connects."""
    return ClientSession(
        connector=GuardedConnector(may_connect=reach.may_connect) if reach else TCPConnector(),
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=total, sock_connect=timeout, sock_read=timeout),
        auto_decompress=True,
    )


def authorization(credentials: Credentials) -> str:
    """The header's value; odd credentials are sent as they are, so that Twilio refuses them."""
    pair = f"{credentials.account_sid}:{credentials.auth_token}"
    return f"Basic {base64.b64encode(pair.encode(errors='replace')).decode()}"


async def read_at_most(response: ClientResponse, limit: int) -> bytes:
    """The body, decompressed.

    Raises:
        AnswerTooLarge: there is more than `limit` bytes, or will be by its own account.
    """
    if response.content_length is not None and response.content_length > limit:
        raise AnswerTooLarge
    content = bytearray()
    try:
        async for chunk in response.content.iter_chunked(CHUNK):
            content += chunk
            if len(content) > limit:
                raise AnswerTooLarge
        return bytes(content)
    finally:
        content.clear()  # what goes wrong remembers this frame, and for a while all that is in it


class Reach:
    """What a URL from outside may reach: the public internet, and the API's own host wherever that is."""

    def __init__(self, api_url: URL) -> None:
        self._api = api_url.origin()
        self._is_local = _is_loopback(api_url.host or "")

    def is_api(self, url: URL) -> bool:
        return url.origin() == self._api

    def is_trusted(self, url: URL) -> bool:
        """Whether the account's credentials may go there."""
        host = (url.host or "").lower()
        is_twilio = host == _TWILIO or host.endswith(f".{_TWILIO}")
        return self.is_api(url) or (is_twilio and url.scheme == "https" and url.is_default_port())

    def may_connect(self, address: IPAddress) -> bool:
        return is_public(address) or (self._is_local and address.is_loopback)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == _LOCALHOST
