"""Routes of messages."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, status

from owner.api.conversations import ConvId
from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.entity import LARGEST_ID, Page
from owner.models.media import Media
from owner.models.message import MediaResponse, Message, MessageCreate, MessageResponse
from owner.models.permissions import Permission

router = APIRouter(prefix="/v1/conversations/{conv_id}/messages", tags=["messages"], route_class=Route)
MsgId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
MessageOrder = Annotated[Literal["asc", "desc"], Query(description="Oldest or newest first.")]


@router.post("", status_code=status.HTTP_202_ACCEPTED, **needs(Permission.MESSAGES_SEND, creates=True))
async def send_message(
    conv_id: ConvId, create: MessageCreate, services: UseCases, caller: Caller
) -> MessageResponse:
    """Send a text, files or an approved template. Stored when this answers; sent by a worker right after."""
    message = await services.messages.send_as(caller, conv_id, create)
    return shown_message(message, ())


@router.get("", **needs(Permission.CONVERSATIONS_READ))
async def list_messages(
    conv_id: ConvId,
    services: UseCases,
    caller: Caller,
    *,
    order: MessageOrder = "asc",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[MessageResponse]:
    """What was said in a conversation, oldest first unless `order` is `desc`."""
    page, media = await services.messages.list_page(
        caller.owner_id, conv_id, limit=limit, cursor=cursor, newest_first=order == "desc"
    )
    files: dict[int, list[Media]] = defaultdict(list)
    for file in media:
        files[file.msg_id].append(file)
    items = [shown_message(message, files[message.msg_id]) for message in page.items]
    return Page[MessageResponse](items=items, next_cursor=page.next_cursor)


@router.get("/{msg_id}", **needs(Permission.CONVERSATIONS_READ))
async def get_message(conv_id: ConvId, msg_id: MsgId, services: UseCases, caller: Caller) -> MessageResponse:
    """One message, with its files and how far it got."""
    message, media = await services.messages.get(caller.owner_id, conv_id, msg_id)
    return shown_message(message, media)


def shown_message(message: Message, media: Iterable[Media]) -> MessageResponse:
    shown = MessageResponse.model_validate(message)
    shown.media = [MediaResponse.of(file) for file in media]
    return shown
