"""Twilio's REST API: hands messages over, looks sent ones up, tries credentials, fetches files."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from owner.integrations.twilio import errors
from owner.integrations.twilio.calls import TWILIO, VERSION, Pairs, TwilioCalls, moment, next_path
from owner.integrations.twilio.media import MediaFetcher
from owner.integrations.twilio.statuses import delivery_status
from owner.integrations.twilio.templates import TemplateReader
from owner.integrations.twilio.transport import Reach
from owner.models.enums import DeliveryStatus
from owner.models.errors import OutcomeUnknown
from owner.models.template import Template
from owner.services.ports import Clock, Credentials, FetchedMedia, OutboundMessage, SentMessage

_PAGE_SIZE: Final = 100
_MAXIMUM_PAGES: Final = 10
_CLOCKS_DIFFER: Final = timedelta(minutes=1)  # what is less is the way of an answer, or its whole seconds
_MEDIA_TIME: Final = 6  # times the time-out, for a whole file
_INBOUND: Final = "inbound"
_ACTIVE: Final = "active"


class TwilioGateway:
    """Fulfils `MessageGateway`; nothing that it logs or raises holds a token, a body or a number."""

    def __init__(
        self,
        api_url: str = TWILIO,
        session_factory: Callable[[], aiohttp.ClientSession] | None = None,
        timeout: float = 10.0,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._calls = TwilioCalls(session_factory, timeout=timeout, clock=clock)
        self._templates = TemplateReader(self._calls, self._api_url)
        self._timeout = timeout
        self._media = MediaFetcher(Reach(URL(self._api_url)), timeout=timeout, total=_MEDIA_TIME * timeout)

    async def send(self, message: OutboundMessage, credentials: Credentials) -> SentMessage:
        path = self._path(credentials, "/Messages.json")
        answer = await self._calls.call("POST", self._api_url + path, credentials, form=_form(message))
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
            async with asyncio.timeout(self._timeout):
                newest = await self._list(credentials, [("To", to)], pages=1)
                recent = await self._list(credentials, [("To", to), ("DateSent>", day)], pages=_MAXIMUM_PAGES)
        except TimeoutError as problem:
            raise OutcomeUnknown from problem
        found = {sent.provider_sid: sent for item in (*newest, *recent) if (sent := _outbound_message(item))}
        earliest = since.replace(microsecond=0)
        return [sent for sent in found.values() if sent.created_at is None or sent.created_at >= earliest]

    def provider_time(self, moment: datetime) -> datetime:
        ahead = self._calls.ahead
        return moment + ahead if abs(ahead) > _CLOCKS_DIFFER else moment

    async def check(self, credentials: Credentials) -> None:
        """As the port says; an account that is suspended or closed does not open either."""
        answer = await self._calls.call("GET", self._api_url + self._path(credentials, ".json"), credentials)
        if answer.content is None:
            raise OutcomeUnknown(http_status=answer.status)
        if answer.content.get("status", _ACTIVE) != _ACTIVE:
            raise errors.provider_error(errors.FORBIDDEN, {"code": errors.ACCOUNT_SUSPENDED})

    async def list_templates(self, credentials: Credentials) -> Sequence[Template]:
        return await self._templates.list_all(credentials)

    async def fetch_media(self, url: str, credentials: Credentials, *, max_bytes: int) -> FetchedMedia:
        return await self._media.fetch(url, credentials, max_bytes=max_bytes)

    async def aclose(self) -> None:
        await self._media.aclose()
        await self._calls.aclose()

    def _path(self, credentials: Credentials, rest: str) -> str:
        return f"/{VERSION}/Accounts/{quote(credentials.account_sid, safe='', errors='replace')}{rest}"

    async def _list(self, credentials: Credentials, query: Pairs, *, pages: int) -> list[dict[str, Any]]:
        path: str | None = self._path(credentials, "/Messages.json")
        path = f"{path}?{urlencode([*query, ('PageSize', str(_PAGE_SIZE))], errors='replace')}"
        items: list[dict[str, Any]] = []
        for _ in range(pages):
            answer = await self._calls.call("GET", self._api_url + path, credentials)
            page = (answer.content or {}).get("messages")
            if answer.content is None or not isinstance(page, list):
                raise OutcomeUnknown(http_status=answer.status)
            items += [item for item in page if isinstance(item, dict)]
            path = next_path(answer.content)
            if path is None:
                break
        return items


def _form(message: OutboundMessage) -> Pairs:
    """A template goes without text and files: Twilio refuses them together.

    Beside a Messaging Service, the sender says which of its pool answers: the one that the customer wrote to.
    """
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
        created_at=moment(item.get("date_created")),
        error_code=_whole_number(item.get("error_code")),
    )


def _whole_number(value: object) -> int | None:
    if not isinstance(value, int | str):
        return None
    try:
        return int(value)
    except ValueError:
        return None
