"""Fetches files of inbound messages: from wherever Twilio keeps them, but from nowhere inside our network."""

import re
from typing import Final

import aiohttp
from yarl import URL

from owner.integrations.guarded_http import ForbiddenAddress
from owner.integrations.twilio import errors
from owner.integrations.twilio.file_types import sniff
from owner.integrations.twilio.transport import (
    AnswerTooLarge,
    Reach,
    authorization,
    open_session,
    read_at_most,
)
from owner.models.errors import OutcomeUnknown, ProviderError, ProviderProblem
from owner.services.ports import Credentials, FetchedMedia

MAXIMUM_REDIRECTS: Final = 5

_OK: Final = 200
_NOT_FOUND: Final = 404
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SOON: Final = 2.0  # seconds; Twilio answers 404 while a new file still spreads inside it
_SCHEMES: Final = frozenset({"http", "https"})
_QUOTED: Final = re.compile(r"[!-~]+")  # printable ASCII: a signed URL must go out as it came


class MediaFetcher:
    def __init__(self, reach: Reach, *, timeout: float, total: float) -> None:
        self._reach = reach
        self._timeout = timeout
        self._total = total
        self._exempt: aiohttp.ClientSession | None = None  # for the API itself, whatever its address
        self._guarded: aiohttp.ClientSession | None = None  # for every other

    async def fetch(self, url: str, credentials: Credentials, *, max_bytes: int) -> FetchedMedia:
        """As `MessageGateway.fetch_media`; redirects are followed by hand, each checked like the first."""
        location = _parse(url)
        for _ in range(MAXIMUM_REDIRECTS + 1):
            found = await self._visit(location, credentials, max_bytes)
            if isinstance(found, FetchedMedia):
                return found
            location = found
        raise ProviderError("The file is behind too many redirects.", kind=ProviderProblem.PERMANENT)

    async def aclose(self) -> None:
        for session in (self._exempt, self._guarded):
            if session is not None:
                await session.close()
        self._exempt = self._guarded = None

    async def _visit(self, url: URL, credentials: Credentials, max_bytes: int) -> FetchedMedia | URL:
        """The file, or where it is instead."""
        headers = {"Accept-Encoding": "identity"}
        if self._reach.is_trusted(url):
            headers["Authorization"] = authorization(credentials)
        try:
            async with self._session(url).get(url, headers=headers, allow_redirects=False) as response:
                if response.status in _REDIRECTS:
                    return _parse(response.headers.get("Location", ""), base=url)
                _require_success(response.status)
                content = await read_at_most(response, max_bytes)
                return FetchedMedia(content, sniff(content, response.headers.get("Content-Type", "")))
        except AnswerTooLarge as problem:
            raise ProviderError("The file is too large.", kind=ProviderProblem.PERMANENT) from problem
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as problem:
            raise _not_connected(problem) from problem
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise OutcomeUnknown from problem

    def _session(self, url: URL) -> aiohttp.ClientSession:
        if self._reach.is_api(url):
            if self._exempt is None:
                self._exempt = open_session(timeout=self._timeout, total=self._total)
            return self._exempt
        if self._guarded is None:
            self._guarded = open_session(timeout=self._timeout, total=self._total, reach=self._reach)
        return self._guarded


def _parse(text: str, *, base: URL | None = None) -> URL:
    """An absolute web address without user and password.

    Raises:
        ProviderError: it is none.
    """
    try:
        url = URL(text, encoded=_QUOTED.fullmatch(text) is not None)
        url = base.join(url) if base is not None and text else url
        if url.scheme in _SCHEMES and url.host:
            return url.with_user(None)
    except ValueError:
        pass
    raise ProviderError("The file has no address that can be fetched.", kind=ProviderProblem.PERMANENT)


def _require_success(status: int) -> None:
    if status >= errors.SERVER_ERROR or status == errors.REQUEST_TIMEOUT:
        raise OutcomeUnknown(http_status=status)
    if status == _NOT_FOUND:
        raise ProviderError(
            "The file is not there.", http_status=status, kind=ProviderProblem.RETRY, retry_after=_SOON
        )
    if status != _OK:
        raise errors.provider_error(status, None)


def _not_connected(problem: Exception) -> ProviderError:
    if isinstance(problem, aiohttp.InvalidURL):
        return ProviderError("The file has no address that can be fetched.", kind=ProviderProblem.PERMANENT)
    cause = problem.os_error if isinstance(problem, aiohttp.ClientConnectorError) else None
    if isinstance(cause, ForbiddenAddress):
        return ProviderError("The file is at an address inside our network.", kind=ProviderProblem.PERMANENT)
    return ProviderError("The file's host can't be reached.", kind=ProviderProblem.RETRY)
