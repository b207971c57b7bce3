"""What people do to a conversation besides writing in it: one button, one route."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response

from owner.api.conversations import ConvId
from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.inbox.conversations import done
from owner.inbox.forms import said
from owner.inbox.routing import PageRoute, Person
from owner.models.conversation_dtos import (
    ConversationAssign,
    ConversationClose,
    ConversationHandoff,
    ConversationUndoClose,
    ConversationUpdate,
)
from owner.models.entity import LARGEST_ID
from owner.models.enums import Handler, Priority
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
    person: Person,
    conv_id: ConvId,
    *,
    label_id: Annotated[int, Form(ge=1, le=LARGEST_ID)],
    then: Annotated[Literal["on", "off"], Form()],
) -> Response:
    change = services.labels.put_on if then == "on" else services.labels.take_off
    await change(person.caller, conv_id, label_id)
    return await done(request, services, person, conv_id)
