"""Routes of what people and programs do with conversations besides writing: take, hand off, change, undo, all at once."""

from typing import Annotated, Final

from fastapi import APIRouter, Body

from owner.api.conversations import ConvId
from owner.api.dependencies import Caller, UseCases
from owner.api.errors import http_status
from owner.api.routing import Route, needs
from owner.models.bulk import BulkAction, BulkProblem, BulkResponse, BulkResult
from owner.models.conversation_dtos import (
    ConversationAssign,
    ConversationHandoff,
    ConversationResponse,
    ConversationUndoClose,
    ConversationUpdate,
)
from owner.models.errors import OwnerError
from owner.models.permissions import Permission

BULK_EXAMPLES: Final = [
    {"action": "CLOSE", "conv_ids": [1, 2], "reason": "spam"},
    {"action": "ASSIGN", "conv_ids": [1, 2], "assignee_id": 7},
    {"action": "UNASSIGN", "conv_ids": [1, 2]},
    {"action": "PRIORITY", "conv_ids": [1, 2], "priority": "HIGH"},
    {"action": "LABEL", "conv_ids": [1, 2], "label_id": 3},
    {"action": "UNLABEL", "conv_ids": [1, 2], "label_id": 3},
    {"action": "READ", "conv_ids": [1, 2]},
]
router = APIRouter(prefix="/v1/conversations", tags=["conversations"], route_class=Route)


@router.post("/bulk", **needs(Permission.CONVERSATIONS_WRITE, creates=True))
async def change_conversations(
    action: Annotated[BulkAction, Body(examples=BULK_EXAMPLES)], services: UseCases, caller: Caller
) -> BulkResponse:
    """Do one thing to up to 100 conversations; each has its own result, and none stops another."""
    problems = await services.bulk.run(caller, action)
    return BulkResponse(results=[_result(conv_id, problem) for conv_id, problem in problems.items()])


@router.patch("/{conv_id:int}", **needs(Permission.CONVERSATIONS_WRITE))
async def change_conversation(
    conv_id: ConvId, update: ConversationUpdate, services: UseCases, caller: Caller
) -> ConversationResponse:
    """Change priority and context, of a closed conversation too."""
    return await services.conversation_views.show(
        caller, await services.conversation_changes.change(caller, conv_id, update)
    )


@router.post("/{conv_id:int}/assign", **needs(Permission.CONVERSATIONS_WRITE))
async def assign_conversation(
    conv_id: ConvId, services: UseCases, caller: Caller, assign: ConversationAssign | None = None
) -> ConversationResponse:
    """Take a free conversation, or give it to somebody, which needs `conversations:supervise`; a person answers then."""
    assigned = await services.assignments.assign(caller, conv_id, assign or ConversationAssign())
    return await services.conversation_views.show(caller, assigned)


@router.post("/{conv_id:int}/unassign", **needs(Permission.CONVERSATIONS_WRITE))
async def unassign_conversation(conv_id: ConvId, services: UseCases, caller: Caller) -> ConversationResponse:
    """Give up your own conversation, or take it from somebody, which needs `conversations:supervise`."""
    return await services.conversation_views.show(
        caller, await services.assignments.unassign(caller, conv_id)
    )


@router.post("/{conv_id:int}/handoff", **needs(Permission.CONVERSATIONS_WRITE))
async def hand_off_conversation(
    conv_id: ConvId, handoff: ConversationHandoff, services: UseCases, caller: Caller
) -> ConversationResponse:
    """Let a bot or a person answer. An AI may write while it is a BOT's turn only; a bot's conversation is nobody's."""
    handed = await services.assignments.hand_off(caller, conv_id, handoff)
    return await services.conversation_views.show(caller, handed)


@router.post("/{conv_id:int}/undo-close", **needs(Permission.CONVERSATIONS_WRITE))
async def undo_close(
    conv_id: ConvId, services: UseCases, caller: Caller, undo: ConversationUndoClose | None = None
) -> ConversationResponse:
    """Open again what the detector or a timer closed, unless the customer has begun a newer conversation."""
    reopened = await services.conversation_changes.undo_close(
        caller, conv_id, undo or ConversationUndoClose()
    )
    return await services.conversation_views.show(caller, reopened)


def _result(conv_id: int, problem: OwnerError | None) -> BulkResult:
    if problem is None:
        return BulkResult(conv_id=conv_id, is_done=True)
    told = BulkProblem(status=http_status(problem), code=problem.code, detail=problem.message)
    return BulkResult(conv_id=conv_id, is_done=False, problem=told)
