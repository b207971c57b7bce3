"""Routes of events: everything that happens, as a list and as a stream."""

from functools import partial
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import AfterValidator, WithJsonSchema

from owner.api.dependencies import Caller, Limit, UseCases
from owner.api.routing import Route, is_still_admitted, needs
from owner.api.sse import EVENT_STREAM, HEADERS, EventStream, stream
from owner.models.entity import GivenMoment, Page
from owner.models.event import EVENT_TYPES, FeedEventResponse, FeedPosition
from owner.models.permissions import Permission
from owner.repositories.event_pages import EventQuery, read_feed_cursor
from owner.services.event_streams import Wanted

router = APIRouter(prefix="/v1/events", tags=["events"], route_class=Route)


def _known(name: str) -> str:
    if name not in EVENT_TYPES:
        raise ValueError(f"there is no type of event {name!r}; there are {', '.join(EVENT_TYPES)}")
    return name


EventType = Annotated[
    str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": sorted(EVENT_TYPES)})
]
Types = Annotated[
    list[EventType] | None,
    Query(alias="type", min_length=1, max_length=100, description="Only these types; may be repeated."),
]
Id = Annotated[int | None, Query(ge=1, le=2**63 - 1)]
Place = Annotated[
    str | None,
    Query(max_length=500, description="`next_cursor` of the page before, or the `cursor` of any event."),
]
_SEEN: Final = "The `id` of the last event that was seen: go on after it."


async def place_of(
    header: Annotated[str | None, Header(alias="Last-Event-ID", max_length=500, description=_SEEN)] = None,
    last_event_id: Annotated[
        str | None, Query(max_length=500, description=f"{_SEEN} The header counts more.")
    ] = None,
) -> FeedPosition | None:
    """Where a stream goes on; asynchronous, because FastAPI runs other functions in a thread."""
    given = header or last_event_id
    return read_feed_cursor(given, field="Last-Event-ID" if header else "last_event_id") if given else None


async def query_of(
    *,
    types: Types = None,
    conv_id: Id = None,
    contact_id: Id = None,
    created_after: Annotated[GivenMoment | None, Query(description="Not before this moment.")] = None,
    created_before: Annotated[GivenMoment | None, Query(description="Before this moment.")] = None,
    order: Annotated[Literal["asc", "desc"], Query(description="Oldest or newest first.")] = "asc",
) -> EventQuery:
    """Asynchronous, because FastAPI runs other functions in a thread."""
    return EventQuery(
        types=frozenset(types) if types else None,
        conv_id=conv_id,
        contact_id=contact_id,
        created_after=created_after,
        created_before=created_before,
        is_descending=order == "desc",
    )


@router.get("", **needs(Permission.EVENTS_READ))
async def list_events(
    services: UseCases,
    caller: Caller,
    query: Annotated[EventQuery, Depends(query_of)],
    limit: Limit = 50,
    cursor: Place = None,
) -> Page[FeedEventResponse]:
    """Everything that happened, oldest first or newest first.

    Where few events are wanted a page may hold fewer than `limit`, even none: go on while there is a `next_cursor`.
    At the end it is null; ask again later with the `cursor` of the last event that you have, and you get what has
    happened since, without a gap or a double.
    """
    return await services.event_list.list_page(caller.owner_id, query, limit=limit, cursor=cursor)


@router.get("/stream", response_class=EventStream, responses=EVENT_STREAM, **needs(Permission.EVENTS_READ))
async def get_event_stream(
    request: Request,
    services: UseCases,
    caller: Caller,
    *,
    place: Annotated[FeedPosition | None, Depends(place_of)],
    types: Types = None,
    conv_id: Id = None,
) -> EventStream:
    """Everything that happens, as it happens: server-sent events.

    `id` is the event's cursor, `event` its type, `data` the event as the list shows it. With `Last-Event-ID` the
    stream goes on after that event, without a gap or a double; without it, it begins now. Clients that can't set
    headers give it as `last_event_id`. A comment every 15 seconds shows that the stream lives. It ends when the
    caller may not listen any more, and when the server stops: come back after `retry` milliseconds.
    """
    wanted = Wanted(frozenset(types) if types else None, conv_id)
    may_go_on = partial(is_still_admitted, request, Permission.EVENTS_READ)
    services.event_streams.refuse_too_many(caller.owner_id, caller.actor)
    told = stream(services.event_streams, caller, after=place, wanted=wanted, may_go_on=may_go_on)
    return EventStream(told, headers=HEADERS)
