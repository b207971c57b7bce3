"""Routes of canned replies."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, status

from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.canned_reply import (
    CannedReplyCreate,
    CannedReplyPreview,
    CannedReplyResponse,
    CannedReplyUpdate,
)
from owner.models.entity import LARGEST_ID, Page
from owner.models.permissions import Permission

router = APIRouter(prefix="/v1/canned-replies", tags=["canned replies"], route_class=Route)
CannedReplyId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
OfConversation = Annotated[int, Query(ge=1, le=LARGEST_ID, description="Whose names are filled in.")]


@router.post("", status_code=status.HTTP_201_CREATED, **needs(Permission.LIBRARY_WRITE, creates=True))
async def create_canned_reply(
    create: CannedReplyCreate, services: UseCases, caller: Caller
) -> CannedReplyResponse:
    """Keep an answer under a shortcut. `{{contact.name|customer}}` is filled in when it is sent."""
    return CannedReplyResponse.model_validate(await services.canned_replies.create(caller, create))


@router.get("", **needs(Permission.LIBRARY_READ))
async def list_canned_replies(
    services: UseCases, caller: Caller, limit: Limit = 50, cursor: Cursor = None
) -> Page[CannedReplyResponse]:
    """Canned replies, newest first."""
    page = await services.canned_replies.list_page(caller.owner_id, limit=limit, cursor=cursor)
    return Page[CannedReplyResponse].model_validate(page)


@router.get("/{canned_reply_id}", **needs(Permission.LIBRARY_READ))
async def get_canned_reply(
    canned_reply_id: CannedReplyId, services: UseCases, caller: Caller
) -> CannedReplyResponse:
    """One canned reply as it was written."""
    reply = await services.canned_replies.get(caller.owner_id, canned_reply_id)
    return CannedReplyResponse.model_validate(reply)


@router.get("/{canned_reply_id}/preview", **needs(Permission.LIBRARY_READ))
async def preview_canned_reply(
    canned_reply_id: CannedReplyId, conv_id: OfConversation, services: UseCases, caller: Caller
) -> CannedReplyPreview:
    """What the customer of a conversation would read."""
    content = await services.canned_replies.preview(caller, canned_reply_id, conv_id=conv_id)
    return CannedReplyPreview(content=content)


@router.patch("/{canned_reply_id}", **needs(Permission.LIBRARY_WRITE))
async def update_canned_reply(
    canned_reply_id: CannedReplyId, update: CannedReplyUpdate, services: UseCases, caller: Caller
) -> CannedReplyResponse:
    """Change a canned reply."""
    reply = await services.canned_replies.change(caller, canned_reply_id, update)
    return CannedReplyResponse.model_validate(reply)


@router.delete(
    "/{canned_reply_id}", status_code=status.HTTP_204_NO_CONTENT, **needs(Permission.LIBRARY_WRITE)
)
async def delete_canned_reply(canned_reply_id: CannedReplyId, services: UseCases, caller: Caller) -> None:
    """Delete a canned reply."""
    await services.canned_replies.delete(caller, canned_reply_id)
