"""What people do to a conversation besides writing in it: one button, one route."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from owner.api.conversations import ConvId
from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.inbox.conversations import done
from owner.inbox.forms import said
from owner.inbox.pages import whole_list
from owner.inbox.routing import PageRoute, Person, Visiting
from owner.models.conversation_dtos import (
    ConversationAssign,
    ConversationClose,
    ConversationHandoff,
    ConversationUndoClose,
    ConversationUpdate,
)
from owner.models.entity import LARGEST_ID
from owner.models.enums import Handler, Priority
from owner.models.errors import InvalidInput
from owner.models.permissions import Permission

router = APIRouter(prefix="/inbox/conversations/{conv_id:int}", route_class=PageRoute)
Reason = Annotated[str, Form(max_length=500)]


@router.post("/assign", **needs(Permission.CONVERSATIONS_WRITE))
async def assign(
    request: Request,
    services: UseCases,
    person: Person,
    conv_id: ConvId,
    assignee: Annotated[str, Form(max_length=20)] = "me",
) -> Response:
    """To oneself, to somebody, or to nobody."""
    if assignee == "nobody":
        await services.assignments.unassign(person.caller, conv_id)
    else:
        wanted = said(ConversationAssign, assignee_id=int(assignee) if assignee.isdecimal() else assignee)
        await services.assignments.assign(person.caller, conv_id, wanted)
    return await done(request, services, person, conv_id)


@router.post("/hand-off", **needs(Permission.CONVERSATIONS_WRITE))
async def hand_off(
    request: Request, services: UseCases, person: Person, conv_id: ConvId, handler: Annotated[Handler, Form()]
) -> Response:
    """To the bot, or back to people."""
    await services.assignments.hand_off(person.caller, conv_id, ConversationHandoff(handler=handler))
    return await done(request, services, person, conv_id)


@router.post("/close", **needs(Permission.CONVERSATIONS_WRITE))
async def close(
    request: Request, services: UseCases, person: Person, conv_id: ConvId, reason: Reason = ""
) -> Response:
    await services.conversations.close_as(
        person.caller, conv_id, said(ConversationClose, reason=reason or None)
    )
    return await done(request, services, person, conv_id)


@router.post("/undo-close", **needs(Permission.CONVERSATIONS_WRITE))
async def undo_close(request: Request, services: UseCases, person: Person, conv_id: ConvId) -> Response:
    await services.conversation_changes.undo_close(person.caller, conv_id, ConversationUndoClose())
    return await done(request, services, person, conv_id)


@router.post("/extend", **needs(Permission.CONVERSATIONS_WRITE))
async def extend(
    request: Request,
    services: UseCases,
    person: Person,
    conv_id: ConvId,
    minutes: Annotated[int, Form(ge=1, le=525_600)] = 60,
) -> Response:
    by_time = timedelta(minutes=minutes)
    await services.conversations.extend(
        person.caller.owner_id, conv_id, by_time=by_time, by=person.caller.actor
    )
    return await done(request, services, person, conv_id)


@router.post("/priority", **needs(Permission.CONVERSATIONS_WRITE))
async def set_priority(
    request: Request,
    services: UseCases,
    person: Person,
    conv_id: ConvId,
    priority: Annotated[Priority, Form()],
) -> Response:
    await services.conversation_changes.change(person.caller, conv_id, ConversationUpdate(priority=priority))
    return await done(request, services, person, conv_id)


@router.post("/labels", **needs(Permission.CONVERSATIONS_WRITE))
async def label(
    request: Request,
    services: UseCases,
    visit: Visiting,
    conv_id: ConvId,
    *,
    on: Annotated[int | None, Form(ge=1, le=LARGEST_ID)] = None,
    off: Annotated[int | None, Form(ge=1, le=LARGEST_ID)] = None,
    name: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """A label that was pressed, or one of many whose name was typed."""
    caller = visit.person.caller
    if off is not None:
        await services.labels.take_off(caller, conv_id, off)
    else:
        await services.labels.put_on(caller, conv_id, on or await _label_named(services, visit, name))
    return await done(request, services, visit.person, conv_id)


async def _label_named(services: UseCases, visit: Visiting, name: str) -> int:
    labels = await whole_list(services.labels.list_page, visit.person.caller.owner_id)
    wanted = name.strip().casefold()
    found = next((label.label_id for label in labels if label.name.casefold() == wanted), None)
    if found is None:
        raise InvalidInput(visit.voice.say("There is no label with this name."))
    return found
