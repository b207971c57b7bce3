"""Reads Twilio's message log: one message, or pages of them, newest first."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from owner.integrations.simulator.callbacks import ENDS
from owner.integrations.simulator.context import account_of, message_of, whole, world_of
from owner.integrations.simulator.errors import TwilioError
from owner.integrations.simulator.resources import API, message_resource
from owner.integrations.simulator.store import Account, Message, Store

PAGE_SIZE: Final = 50
LARGEST_PAGE: Final = 1000
DATE_FILTERS: Final = ("DateSent", "DateSent>", "DateSent<")


async def fetch_message(request: Request) -> Response:
    return JSONResponse(message_resource(message_of(request)))


async def delete_message(request: Request) -> Response:
    message = message_of(request)
    if message.status not in ENDS:
        raise TwilioError(20009)
    world_of(request).store.remove(message)
    return Response(status_code=204)


async def list_messages(request: Request) -> Response:
    account, query = account_of(request), request.query_params
    size = min(whole(query, "PageSize", PAGE_SIZE) or PAGE_SIZE, LARGEST_PAGE)
    page = whole(query, "Page", 0)
    matching = _matching(world_of(request).store, account, query)
    found = [message for message, _ in zip(matching, range(size + 1), strict=False)]
    shown = found[:size]

    def page_uri(number: int, token: str | None = None) -> str:
        kept = [
            (name, value)
            for name, value in query.multi_items()
            if name not in ("Page", "PageToken", "PageSize")
        ]
        paging = [("PageSize", str(size)), ("Page", str(number))]
        return f"{API}/{account.sid}/Messages.json?" + urlencode(
            kept + paging + ([("PageToken", token)] if token else []),
        )

    return JSONResponse(
        {
            "end": page * size + max(len(shown) - 1, 0),
            "first_page_uri": page_uri(0),
            "messages": [message_resource(message) for message in shown],
            "next_page_uri": page_uri(page + 1, f"PA{shown[-1].sid}") if len(found) > size else None,
            "page": page,
            "page_size": size,
            "previous_page_uri": None,
            "start": page * size,
            "uri": page_uri(page, query.get("PageToken")),
        },
    )


def _matching(store: Store, account: Account, query: QueryParams) -> Iterator[Message]:
    recipient, sender = query.get("To"), query.get("From")
    windows = [_window(name, query[name]) for name in DATE_FILTERS if query.get(name)]
    before = store.messages.get(query.get("PageToken", "").removeprefix("PA"))
    log = store.by_recipient.get(recipient, []) if recipient else store.by_account.get(account.sid, [])
    for message in reversed(log):
        if (
            message.account_sid == account.sid
            and sender in (None, "", message.sender)
            and (before is None or message.position < before.position)
            and all(first <= _logged_at(message) < end for first, end in windows)
        ):
            yield message


def _logged_at(message: Message) -> datetime:
    # Not sent yet means no date: what is under way must still be found by who asks since when.
    return message.sent_at or message.created_at


def _window(name: str, value: str) -> tuple[datetime, datetime]:
    """From and until of one filter; `DateSent>` and `DateSent<` include the moment they name."""
    first, end = _moments(value)
    if name == "DateSent>":
        return first, datetime.max.replace(tzinfo=UTC)
    if name == "DateSent<":
        return datetime.min.replace(tzinfo=UTC), first + timedelta(seconds=1)
    return first, end


def _moments(value: str) -> tuple[datetime, datetime]:
    """A day, or the second that a timestamp names."""
    try:
        if "T" not in value and " " not in value:
            day = datetime.combine(date.fromisoformat(value), time(), UTC)
            return day, day + timedelta(days=1)
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise TwilioError(20001) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    moment = moment.replace(microsecond=0)
    return moment, moment + timedelta(seconds=1)
