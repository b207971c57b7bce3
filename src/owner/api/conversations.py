"""Routes of conversations."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response, status

from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.conversation_dtos import (
    ConversationClose,
    ConversationCreate,
    ConversationExtend,
    ConversationResponse,
)
from owner.models.conversation_query import ConversationQuery
from owner.models.entity import LARGEST_ID, Page
from owner.models.event import HistoryEvent
from owner.models.permissions import Permission

router = APIRouter(prefix="/v1/conversations", tags=["conversations"], route_class=Route)
ConvId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses={200: {"description": "It was open already."}},
    **needs(Permission.CONVERSATIONS_WRITE, creates=True),
)
async def create_or_get_conversation(
    create: ConversationCreate, services: UseCases, caller: Caller, response: Response
) -> ConversationResponse:
    """Open a conversation by writing first, or find the one that is open: 201 if created, 200 if found."""
    conversation, is_new = await services.conversations.create_or_get(
        caller.owner_id, create, by=caller.actor
    )
    response.status_code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
    return await services.conversation_views.show(caller, conversation)


@router.get("", **needs(Permission.CONVERSATIONS_READ))
async def list_conversations(
    query: Annotated[ConversationQuery, Query()], services: UseCases, caller: Caller
) -> Page[ConversationResponse]:
    """Conversations that meet every filter, newest first unless `sort` says otherwise."""
    page = await services.conversations.list_page(caller.owner_id, query)
    return await services.conversation_views.show_page(caller, page)


@router.get("/{conv_id:int}", **needs(Permission.CONVERSATIONS_READ))
async def get_conversation(conv_id: ConvId, services: UseCases, caller: Caller) -> ConversationResponse:
    """One conversation, with the moments at which its timers end it."""
    conversation = await services.conversations.get(caller.owner_id, conv_id)
    return await services.conversation_views.show(caller, conversation)


@router.post("/{conv_id:int}/close", **needs(Permission.CONVERSATIONS_WRITE))
async def close_conversation(
    conv_id: ConvId, services: UseCases, caller: Caller, close: ConversationClose | None = None
) -> ConversationResponse:
    """End a conversation, with a reason; who signed in as SUPPORT ends it as a supervisor."""
    conversation = await services.conversations.close_as(caller, conv_id, close or ConversationClose())
    return await services.conversation_views.show(caller, conversation)


@router.post("/{conv_id:int}/extend", **needs(Permission.CONVERSATIONS_WRITE))
async def extend_conversation(
    conv_id: ConvId, services: UseCases, caller: Caller, extend: ConversationExtend | None = None
) -> ConversationResponse:
    """Let a conversation live longer than its maximum age."""
    by_time = timedelta(minutes=(extend or ConversationExtend()).minutes)
    conversation = await services.conversations.extend(
        caller.owner_id, conv_id, by_time=by_time, by=caller.actor
    )
    return await services.conversation_views.show(caller, conversation)


@router.get("/{conv_id:int}/events", **needs(Permission.CONVERSATIONS_READ))
async def list_conversation_events(
    conv_id: ConvId, services: UseCases, caller: Caller, limit: Limit = 50, cursor: Cursor = None
) -> Page[HistoryEvent]:
    """Everything that happened in a conversation, oldest first: who did it, when, with which evidence."""
    return await services.conversations.history(caller.owner_id, conv_id, limit=limit, cursor=cursor)
