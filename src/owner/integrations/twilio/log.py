"""Twilio's log of messages: what it has, whether or not a webhook told us."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from owner.integrations.twilio.calls import TWILIO, VERSION, TwilioCalls, moment, next_path
from owner.integrations.twilio.forms import inbound_message, status_callback
from owner.models.errors import InvalidInput, OutcomeUnknown
from owner.models.message import InboundMessage
from owner.services.ports import Credentials, LoggedMessage

_PAGE_SIZE: Final = 200  # a message may take 20 kB, and an answer is read up to 4 MB
_INBOUND: Final = "inbound"
_FIELDS: Final = {
    "sid": "MessageSid",
    "account_sid": "AccountSid",
    "from": "From",
    "to": "To",
    "body": "Body",
    "num_media": "NumMedia",
    "messaging_service_sid": "MessagingServiceSid",
}
_STATUS_FIELDS: Final = {
    "sid": "MessageSid",
    "status": "MessageStatus",
    "error_code": "ErrorCode",
    "error_message": "ErrorMessage",
}


class TwilioMessageLog:
    """Fulfils `MessageLog`. The log lacks what only webhooks tell: profile names, buttons, places."""

    def __init__(self, api_url: str = TWILIO, *, timeout: float = 10.0) -> None:
        self._api_url = api_url.rstrip("/")
        self._calls = TwilioCalls(timeout=timeout)

    async def list_since(
        self, since: datetime, credentials: Credentials
    ) -> AsyncIterator[Sequence[LoggedMessage]]:
        """As the port says. Twilio filters by the day; what is before `since` on that day is left out here."""
        day = since.astimezone(UTC).date().isoformat()
        query = urlencode([("DateSent>", day), ("PageSize", str(_PAGE_SIZE))])
        path: str | None = f"{self._messages(credentials)}.json?{query}"
        while path is not None:
            content = await self._page(path, credentials)
            messages = [_logged(item) for item in content["messages"] if isinstance(item, dict)]
            yield [message for message in messages if message is not None and message.at >= since]
            path = next_path(content)

    async def read(self, logged: LoggedMessage, credentials: Credentials) -> InboundMessage:
        """As the port says, its files included."""
        pairs = _pairs(logged.resource, _FIELDS)
        if str(logged.resource.get("num_media") or "0") != "0":
            pairs += await self._media(logged, credentials)
        inbound = inbound_message(pairs)
        metadata = {**inbound.metadata, "written_at": logged.at.isoformat()}
        return inbound.model_copy(update={"written_at": logged.at, "metadata": metadata})

    async def aclose(self) -> None:
        await self._calls.aclose()

    async def _media(self, logged: LoggedMessage, credentials: Credentials) -> list[tuple[str, str]]:
        folder = f"{self._messages(credentials)}/{quote(logged.provider_sid, safe='')}/Media"
        content = await self._page(f"{folder}.json", credentials, key="media_list")
        files = [file for file in content["media_list"] if isinstance(file, dict) and file.get("sid")]
        return [
            pair
            for place, file in enumerate(files)
            for pair in (
                (f"MediaUrl{place}", f"{self._api_url}{folder}/{quote(str(file['sid']), safe='')}"),
                (f"MediaContentType{place}", str(file.get("content_type") or "")),
            )
        ]

    async def _page(self, path: str, credentials: Credentials, *, key: str = "messages") -> dict[str, Any]:
        answer = await self._calls.call("GET", self._api_url + path, credentials)
        if answer.content is None or not isinstance(answer.content.get(key), list):
            raise OutcomeUnknown(http_status=answer.status)
        return answer.content

    def _messages(self, credentials: Credentials) -> str:
        return f"/{VERSION}/Accounts/{quote(credentials.account_sid, safe='', errors='replace')}/Messages"


def _logged(item: Mapping[str, Any]) -> LoggedMessage | None:
    """One entry; None without a SID or a date, because then there is nothing to compare."""
    at = moment(item.get("date_sent") or item.get("date_created"))
    sid = item.get("sid")
    if at is None or not isinstance(sid, str):
        return None
    is_inbound = item.get("direction") == _INBOUND
    try:
        callback = None if is_inbound else status_callback(_pairs(item, _STATUS_FIELDS), None)
    except InvalidInput:
        return None
    return LoggedMessage(provider_sid=sid, at=at, callback=callback, resource=item)


def _pairs(item: Mapping[str, Any], fields: Mapping[str, str]) -> list[tuple[str, str]]:
    """The resource's fields under the names that webhooks have."""
    return [(theirs, str(item[name])) for name, theirs in fields.items() if item.get(name) is not None]
