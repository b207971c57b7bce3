"""Canned replies: answers that are written once and sent often."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastapi import APIRouter, Request, Response

from owner.api.canned_replies import CannedReplyId
from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.inbox.forms import Form, Sent
from owner.inbox.routing import PageRoute, Person
from owner.inbox.settings.sections import PAGE, Cursor, SettingsPage, saved, show_settings
from owner.inbox.visit import Signed
from owner.models.canned_reply import CannedReply, CannedReplyCreate, CannedReplyUpdate
from owner.models.permissions import Permission
from owner.services.catalog import Services

router = APIRouter(prefix="/inbox/settings/replies", route_class=PageRoute)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepliesPage(SettingsPage):
    """All of them, and a form for one more."""

    template: ClassVar = "settings/replies.html"
    section: ClassVar = "replies"
    replies: Sequence[CannedReply]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyPage(SettingsPage):
    """One of them."""

    template: ClassVar = "settings/reply.html"
    section: ClassVar = "replies"
    reply: CannedReply


@router.get("", **needs(Permission.LIBRARY_READ))
async def show_replies(
    request: Request, services: UseCases, person: Person, cursor: Cursor = None
) -> Response:
    return show_settings(request, await _replies(services, person, Form(), cursor))


@router.post("", **needs(Permission.LIBRARY_WRITE))
async def create(request: Request, services: UseCases, person: Person, form: Sent) -> Response:
    with form.refusing():
        wanted = CannedReplyCreate.model_validate(form.texts("shortcut", "content"))
        await services.canned_replies.create(person.caller, wanted)
        return saved("replies")
    return show_settings(request, await _replies(services, person, form))


@router.get("/{canned_reply_id:int}", **needs(Permission.LIBRARY_READ))
async def show_reply(
    request: Request, services: UseCases, person: Person, canned_reply_id: CannedReplyId
) -> Response:
    reply = await services.canned_replies.get(person.caller.owner_id, canned_reply_id)
    form = Form.of(shortcut=reply.shortcut, content=reply.content)
    return show_settings(request, ReplyPage(reply=reply, form=form))


@router.post("/{canned_reply_id:int}", **needs(Permission.LIBRARY_WRITE))
async def change(
    request: Request, services: UseCases, person: Person, canned_reply_id: CannedReplyId, form: Sent
) -> Response:
    with form.refusing():
        update = CannedReplyUpdate.model_validate(form.texts("shortcut", "content"))
        await services.canned_replies.change(person.caller, canned_reply_id, update)
        return saved("replies")
    reply = await services.canned_replies.get(person.caller.owner_id, canned_reply_id)
    return show_settings(request, ReplyPage(reply=reply, form=form))


@router.post("/{canned_reply_id:int}/delete", **needs(Permission.LIBRARY_WRITE))
async def delete(services: UseCases, person: Person, canned_reply_id: CannedReplyId) -> Response:
    await services.canned_replies.delete(person.caller, canned_reply_id)
    return saved("replies", "gone")


async def _replies(services: Services, person: Signed, form: Form, cursor: str | None = None) -> RepliesPage:
    page = await services.canned_replies.list_page(person.caller.owner_id, limit=PAGE, cursor=cursor)
    return RepliesPage(replies=page.items, next_cursor=page.next_cursor, form=form)
