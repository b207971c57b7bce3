"""Answers that are kept ready, for who types `/` into the composer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import PlainTextResponse

from owner.api.conversations import ConvId
from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.inbox.pages import whole_list
from owner.inbox.rendering import Page, show
from owner.inbox.routing import PageRoute, Person
from owner.models.canned_reply import CannedReply
from owner.models.entity import LARGEST_ID
from owner.models.permissions import Permission

router = APIRouter(prefix="/inbox/conversations/{conv_id:int}/canned-replies", route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class CannedReplies(Page):
    """What the list under the composer offers."""

    template: ClassVar = "canned_replies.html"
    replies: Sequence[CannedReply]


@router.get("", **needs(Permission.LIBRARY_READ))
async def show_replies(request: Request, services: UseCases, person: Person, conv_id: ConvId) -> Response:  # noqa: ARG001 - part of the address
    replies = await whole_list(services.canned_replies.list_page, person.caller.owner_id)
    return show(request, CannedReplies(sorted(replies, key=lambda reply: reply.shortcut)))


@router.get("/{canned_reply_id}", **needs(Permission.LIBRARY_READ))
async def preview(
    services: UseCases,
    person: Person,
    conv_id: ConvId,
    canned_reply_id: Annotated[int, Path(ge=1, le=LARGEST_ID)],
) -> Response:
    """What the customer would read: into the composer, to be looked over and sent."""
    text = await services.canned_replies.preview(person.caller, canned_reply_id, conv_id=conv_id)
    return PlainTextResponse(text)
