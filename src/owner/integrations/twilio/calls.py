"""One HTTP request to Twilio, and what is known when it failed."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from owner.integrations.twilio import errors
from owner.integrations.twilio.transport import AnswerTooLarge, authorization, open_session, read_at_most
from owner.models.errors import OutcomeUnknown, ProviderError, ProviderProblem
from owner.services.ports import Clock, Credentials

TWILIO: Final = "https://api.twilio.com"
VERSION: Final = "2010-04-01"
_MAXIMUM_ANSWER: Final = 4 * 1024 * 1024  # bytes; a page of a hundred messages has a tenth of it
_LONGEST_WAIT: Final = 86_400.0  # seconds; a Retry-After beyond a day is a mistake

Pairs = Sequence[tuple[str, str]]


class Answer(NamedTuple):
    status: int
    content: dict[str, Any] | None  # None: no JSON object
    retry_after: float | None


class TwilioCalls:
    """A session with Twilio; nothing that it raises holds a token, a body or a number."""

    def __init__(
        self,
        session_factory: Callable[[], aiohttp.ClientSession] | None = None,
        *,
        timeout: float = 10.0,
        clock: Clock | None = None,
    ) -> None:
        self.ahead = timedelta(0)  # by how much Twilio's clock is before ours, as its last answer told
        self._clock = clock
        self._open_session = session_factory or (lambda: open_session(timeout=timeout, total=timeout))
        # Connecting gets half of it, so that "no connection" and "no answer" can be told apart.
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=timeout / 2)
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self, method: str, url: str, credentials: Credentials, *, form: Pairs | None = None
    ) -> Answer:
        """One request, never repeated here.

        Raises:
            ProviderError: it was refused, or no connection came about.
            OutcomeUnknown: it may have been carried out.
        """
        try:
            answer = await self._request(method, url, credentials, form)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as problem:
            raise ProviderError("Twilio can't be reached.", kind=ProviderProblem.RETRY) from problem
        except (aiohttp.ClientError, TimeoutError, OSError, AnswerTooLarge) as problem:
            raise OutcomeUnknown from problem
        if answer.status >= errors.SERVER_ERROR or answer.status == errors.REQUEST_TIMEOUT:
            raise OutcomeUnknown(http_status=answer.status)
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - the class of success
            raise errors.provider_error(answer.status, answer.content, answer.retry_after)
        return answer

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _request(self, method: str, url: str, credentials: Credentials, form: Pairs | None) -> Answer:
        if self._session is None:
            self._session = self._open_session()
        headers = {
            "Accept": "application/json",
            "Authorization": authorization(credentials),
        }
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
        async with self._session.request(
            method,
            URL(url, encoded=True),
            data=None if form is None else urlencode(form, errors="replace").encode(),
            headers=headers,
            timeout=self._timeout,
            allow_redirects=False,
        ) as response:
            self._note_time(response.headers.get("Date"))
            body = await read_at_most(response, _MAXIMUM_ANSWER)
            return Answer(response.status, _json_object(body), _seconds(response.headers.get("Retry-After")))

    def _note_time(self, date: str | None) -> None:
        told = moment(date) if date else None
        if told is not None and self._clock is not None:
            self.ahead = told - self._clock.now()


def moment(text: object) -> datetime | None:
    """A date such as `Sun, 23 Nov 2025 09:20:00 +0000`."""
    try:
        found = parsedate_to_datetime(str(text))
    except (ValueError, OverflowError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def next_path(page: Mapping[str, Any]) -> str | None:
    """Where a list goes on; it stays on the API's own host."""
    path = page.get("next_page_uri")
    return path if isinstance(path, str) and path.startswith(f"/{VERSION}/") else None


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After`, as seconds or as a date."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        at = moment(retry_after)
        seconds = math.nan if at is None else (at - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_WAIT) if math.isfinite(seconds) else None
