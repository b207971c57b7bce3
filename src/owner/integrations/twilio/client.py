"""Twilio's REST API: hands messages over, looks sent ones up, tries credentials, fetches files."""

import asyncio
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from owner.integrations.twilio import errors
from owner.integrations.twilio.media import MediaFetcher
from owner.integrations.twilio.statuses import delivery_status
from owner.integrations.twilio.transport import (
    AnswerTooLarge,
    Reach,
    authorization,
    open_session,
    read_at_most,
)
from owner.models.enums import DeliveryStatus
from owner.models.errors import OutcomeUnknown, ProviderError, ProviderProblem
from owner.services.ports import Credentials, FetchedMedia, OutboundMessage, SentMessage

TWILIO: Final = "https://api.twilio.com"
VERSION: Final = "2010-04-01"

_MAXIMUM_ANSWER: Final = 4 * 1024 * 1024  # bytes; a page of a hundred messages has a tenth of it
_PAGE_SIZE: Final = 100
_MAXIMUM_PAGES: Final = 10
_MEDIA_TIME: Final = 6  # times the time-out, for a whole file
_LONGEST_WAIT: Final = 86_400.0  # seconds; a Retry-After beyond a day is a mistake
_INBOUND: Final = "inbound"
_ACTIVE: Final = "active"

Pairs = Sequence[tuple[str, str]]


class Answer(NamedTuple):
    status: int
    content: dict[str, Any] | None  # None: no JSON object
    retry_after: float | None


class TwilioGateway:
    """Fulfils `MessageGateway`; nothing that it logs or raises holds a token, a body or a number."""

    def __init__(
        self,
        api_url: str = TWILIO,
        session_factory: Callable[[], aiohttp.ClientSession] | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._open_session = session_factory or (lambda: open_session(timeout=timeout, total=timeout))
        # Connecting gets half of it, so that "no connection" and "no answer" can be told apart.
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=timeout / 2)
        self._session: aiohttp.ClientSession | None = None
        self._media = MediaFetcher(Reach(URL(self._api_url)), timeout=timeout, total=_MEDIA_TIME * timeout)

    async def send(self, message: OutboundMessage, credentials: Credentials) -> SentMessage:
        path = self._path(credentials, "/Messages.json")
        answer = await self._call("POST", path, credentials, form=_form(message))
        sent = _sent_message(answer.content or {})
        if sent is None:
            raise OutcomeUnknown(http_status=answer.status)
        return sent

    async def list_sent(self, *, to: str, since: datetime, credentials: Credentials) -> Sequence[SentMessage]:
        """As the port says, by Twilio's clock, which counts whole seconds.

        Twilio filters by the day of sending only, and nowhere says whether a message that still waits
        has one: the newest page without that filter is read as well. All pages together get one time-out,
        because whoever looks a message up holds a claim on it meanwhile.
        """
        day = since.astimezone(UTC).date().isoformat()
        try:
            async with asyncio.timeout(self._timeout.total):
                newest = await self._list(credentials, [("To", to)], pages=1)
                recent = await self._list(credentials, [("To", to), ("DateSent>", day)], pages=_MAXIMUM_PAGES)
        except TimeoutError as problem:
            raise OutcomeUnknown from problem
        found = {sent.provider_sid: sent for item in (*newest, *recent) if (sent := _outbound_message(item))}
        earliest = since.replace(microsecond=0)
        return [sent for sent in found.values() if sent.created_at is None or sent.created_at >= earliest]

    async def check(self, credentials: Credentials) -> None:
        """As the port says; an account that is suspended or closed does not open either."""
        answer = await self._call("GET", self._path(credentials, ".json"), credentials)
        if answer.content is None:
            raise OutcomeUnknown(http_status=answer.status)
        if answer.content.get("status", _ACTIVE) != _ACTIVE:
            raise errors.provider_error(errors.FORBIDDEN, {"code": errors.ACCOUNT_SUSPENDED})

    async def fetch_media(self, url: str, credentials: Credentials, *, max_bytes: int) -> FetchedMedia:
        return await self._media.fetch(url, credentials, max_bytes=max_bytes)

    async def aclose(self) -> None:
        await self._media.aclose()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _path(self, credentials: Credentials, rest: str) -> str:
        return f"/{VERSION}/Accounts/{quote(credentials.account_sid, safe='', errors='replace')}{rest}"

    async def _list(self, credentials: Credentials, query: Pairs, *, pages: int) -> list[dict[str, Any]]:
        path: str | None = self._path(credentials, "/Messages.json")
        path = f"{path}?{urlencode([*query, ('PageSize', str(_PAGE_SIZE))], errors='replace')}"
        items: list[dict[str, Any]] = []
        for _ in range(pages):
            answer = await self._call("GET", path, credentials)
            page = (answer.content or {}).get("messages")
            if answer.content is None or not isinstance(page, list):
                raise OutcomeUnknown(http_status=answer.status)
            items += [item for item in page if isinstance(item, dict)]
            path = _next_path(answer.content)
            if path is None:
                break
        return items

    async def _call(
        self, method: str, path: str, credentials: Credentials, *, form: Pairs | None = None
    ) -> Answer:
        """One request, never repeated here.

        Raises:
            ProviderError: it was refused, or no connection came about.
            OutcomeUnknown: it may have been carried out.
        """
        try:
            answer = await self._request(method, path, credentials, form)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as problem:
            raise ProviderError("Twilio can't be reached.", kind=ProviderProblem.RETRY) from problem
        except (aiohttp.ClientError, TimeoutError, OSError, AnswerTooLarge) as problem:
            raise OutcomeUnknown from problem
        if answer.status >= errors.SERVER_ERROR or answer.status == errors.REQUEST_TIMEOUT:
            raise OutcomeUnknown(http_status=answer.status)
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - the class of success
            raise errors.provider_error(answer.status, answer.content, answer.retry_after)
        return answer

    async def _request(self, method: str, path: str, credentials: Credentials, form: Pairs | None) -> Answer:
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
            URL(self._api_url + path, encoded=True),
            data=None if form is None else urlencode(form, errors="replace").encode(),
            headers=headers,
            timeout=self._timeout,
            allow_redirects=False,
        ) as response:
            body = await read_at_most(response, _MAXIMUM_ANSWER)
            return Answer(response.status, _json_object(body), _seconds(response.headers.get("Retry-After")))


def _form(message: OutboundMessage) -> Pairs:
    """A template goes without text and files: Twilio refuses them together."""
    given = [
        ("To", message.to),
        ("From", message.sender),
        ("MessagingServiceSid", message.messaging_service_sid),
        ("StatusCallback", message.status_callback),
    ]
    if message.content_sid:
        given += [("ContentSid", message.content_sid), ("ContentVariables", message.content_variables)]
    else:
        given += [("Body", message.body), *(("MediaUrl", url) for url in message.media_urls)]
    return [(name, value) for name, value in given if value]


def _outbound_message(item: Mapping[str, Any]) -> SentMessage | None:
    return None if item.get("direction") == _INBOUND else _sent_message(item)


def _sent_message(item: Mapping[str, Any]) -> SentMessage | None:
    sid = item.get("sid")
    if not isinstance(sid, str) or not sid:
        return None
    return SentMessage(
        provider_sid=sid,
        status=delivery_status(item.get("status")) or DeliveryStatus.ACCEPTED,
        body=str(item.get("body") or ""),
        num_media=_whole_number(item.get("num_media")) or 0,
        created_at=_moment(item.get("date_created")),
        error_code=_whole_number(item.get("error_code")),
    )


def _next_path(page: Mapping[str, Any]) -> str | None:
    """Where the list goes on; it stays on the API's own host."""
    path = page.get("next_page_uri")
    return path if isinstance(path, str) and path.startswith(f"/{VERSION}/") else None


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _whole_number(value: object) -> int | None:
    if not isinstance(value, int | str):
        return None
    try:
        return int(value)
    except ValueError:
        return None


def _moment(text: object) -> datetime | None:
    """A date such as `Sun, 23 Nov 2025 09:20:00 +0000`."""
    try:
        moment = parsedate_to_datetime(str(text))
    except (ValueError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After`, as seconds or as a date."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        moment = _moment(retry_after)
        seconds = math.nan if moment is None else (moment - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_WAIT) if math.isfinite(seconds) else None
