"""The stream that keeps a page alive: it says what is new, and the page asks for it."""

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends

from owner.api.dependencies import UseCases
from owner.api.events import place_of
from owner.api.routing import needs
from owner.api.sse import HEADERS, EventStream, stream
from owner.inbox.routing import PageRoute, Person
from owner.models.errors import Forbidden, Unauthenticated, Unavailable
from owner.models.event import FeedPosition
from owner.models.permissions import Permission
from owner.services.access import AccessService
from owner.services.event_streams import EVERYTHING

# An event, because pages hear no comments: one that hears nothing for long opens its stream anew.
ALIVE: Final = "event: alive\ndata: {}\n"
router = APIRouter(prefix="/inbox/live", route_class=PageRoute)


@router.get("", **needs(Permission.EVENTS_READ))
async def follow(
    services: UseCases, person: Person, place: Annotated[FeedPosition | None, Depends(place_of)]
) -> EventStream:
    may_go_on = partial(_may_still_follow, services.access, person.token)
    told = stream(
        services.event_streams,
        person.caller,
        after=place,
        wanted=EVERYTHING,
        may_go_on=may_go_on,
        in_silence=ALIVE,
    )
    return EventStream(told, headers=HEADERS)


async def _may_still_follow(access: AccessService, token: str) -> bool:
    """Whether they are signed in and their role still lets them; yes while nobody can tell."""
    try:
        (await access.authenticate(token)).require(Permission.EVENTS_READ)
    except (Unauthenticated, Forbidden):
        return False
    except Unavailable:
        return True
    return True
