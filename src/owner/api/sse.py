"""Server-sent events: how they are written, and until when a stream goes on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from time import monotonic
from typing import Any, Final

from fastapi.responses import StreamingResponse

from owner.models.errors import DatabaseUnavailable
from owner.models.event import FeedPosition
from owner.models.outage_errors import TooManyStreams
from owner.models.principal import Principal
from owner.repositories.event_pages import write_feed_cursor
from owner.services.event_streams import EventStreamService, Listener, StreamedEvent, Wanted

HEARTBEAT: Final = 15.0  # seconds of silence after which proxies and clients are shown that the stream lives
RECHECK: Final = 30.0  # seconds after which it is asked again whether the caller may listen
RETRY: Final = 2_000  # milliseconds after which a client comes back
COMMENT: Final = ":\n"  # which no client takes for an event
_EXAMPLE: Final = """\
retry: 2000
id: 9XkGXlsxMDMyLDBd

id: oT2oVVsxMDMyLDQxXQ
event: message.received
data: {"event_id":41,"type":"message.received","actor_kind":"CUSTOMER","actor_id":null,"conv_id":7,"msg_id":19,\
"contact_id":5,"data":{},"created_at":"2026-03-01T12:00:00Z","cursor":"oT2oVVsxMDMyLDQxXQ"}

"""
HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold events back until it has a few kilobytes
}
EVENT_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events as they happen; the answer has no end.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    },
    400: {"description": "`Last-Event-ID` is not one that this stream gave out (`invalid_cursor`)."},
}


class EventStream(StreamingResponse):
    media_type = "text/event-stream"


async def stream(
    streams: EventStreamService,
    caller: Principal,
    *,
    after: FeedPosition | None,
    wanted: Wanted,
    may_go_on: Callable[[], Awaitable[bool]],
    in_silence: str = COMMENT,
) -> AsyncIterator[str]:
    """Everything after a place in the feed, until the caller leaves, may not listen any more, or the process ends.

    `in_silence` is what is written after a heartbeat without news.
    """
    try:
        async with streams.listening(
            caller.owner_id, by=caller.actor, after=after, wanted=wanted
        ) as listener:
            # A client that is cut off before its first event then resumes here, not at some later "now".
            yield f"retry: {RETRY}\n{_place(listener)}\n"
            async for text in _told(listener, may_go_on, in_silence):
                yield text
    except (DatabaseUnavailable, TooManyStreams):
        return  # the client comes back after `retry`


async def _told(
    listener: Listener, may_go_on: Callable[[], Awaitable[bool]], in_silence: str
) -> AsyncIterator[str]:
    told_at, checked_at = monotonic(), monotonic()
    while not listener.is_ended:
        events = await listener.next(max(0.0, told_at + HEARTBEAT - monotonic()))
        if listener.is_in_doubt or monotonic() >= checked_at + RECHECK:
            if not await may_go_on():
                return
            listener.is_in_doubt, checked_at = False, monotonic()
        if events or monotonic() >= told_at + HEARTBEAT:
            yield "".join(map(_frame, events)) or f"{in_silence}{_place(listener)}\n"
            told_at = monotonic()


def _frame(event: StreamedEvent) -> str:
    return f"id: {write_feed_cursor(event.position)}\nevent: {event.type}\ndata: {event.json}\n\n"


def _place(listener: Listener) -> str:
    """Without data it is no event, only where to resume: also past what the listener did not want."""
    return f"id: {write_feed_cursor(listener.position)}\n"
