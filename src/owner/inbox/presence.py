"""Tells who has a conversation open that a colleague has it open too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import APIRouter, Form, Request, Response

from owner.api.conversations import ConvId
from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.inbox.rendering import Page, show
from owner.inbox.routing import PageRoute, Person
from owner.models.permissions import Permission
from owner.services.presence import Present

router = APIRouter(prefix="/inbox/conversations/{conv_id:int}/presence", route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class Others(Page):
    """Colleagues who are there, by name."""

    template: ClassVar = "presence.html"
    others: Sequence[Present]
    people: Mapping[int, str]


@router.post("", **needs(Permission.CONVERSATIONS_WRITE))
async def note(
    request: Request,
    services: UseCases,
    person: Person,
    conv_id: ConvId,
    typing: Annotated[bool, Form()] = False,  # noqa: FBT002 - a field of a form
) -> Response:
    others = await services.presence.note(person.caller, conv_id, is_typing=typing)
    people = await services.conversation_threads.names(person.caller.owner_id) if others else {}
    return show(request, Others(others, people))
