"""The route by which a reader says how far they have read."""

from fastapi import APIRouter
from pydantic import ConfigDict, Field, StrictInt

from owner.api.conversations import ConvId
from owner.api.dependencies import Caller, UseCases
from owner.api.routing import Route, needs
from owner.models.entity import DTO
from owner.models.permissions import Permission

router = APIRouter(prefix="/v1/conversations/{conv_id}/read", tags=["conversations"], route_class=Route)


class ConversationRead(DTO):
    """How far the caller has read; 0 marks the whole conversation as unread."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"last_read_seq": 4}, {}]})

    last_read_seq: StrictInt | None = Field(default=None, ge=0, le=2**53)


class ReadState(DTO):
    """What the caller has not read, up to 100."""

    unread_count: int


@router.post("", **needs(Permission.CONVERSATIONS_READ))
async def mark_conversation_read(
    conv_id: ConvId, services: UseCases, caller: Caller, read: ConversationRead | None = None
) -> ReadState:
    """Mark a conversation as read, to its end or to one of its messages; each reader has a place of their own."""
    until = read.last_read_seq if read else None
    unread = await services.conversation_reads.mark(caller, conv_id, last_read_seq=until)
    return ReadState(unread_count=unread)
