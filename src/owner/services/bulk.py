"""Does one thing to many conversations: each on its own, so that one that can't stops no other."""

from collections.abc import Mapping
from typing import assert_never

from owner.models.bulk import (
    BulkAction,
    BulkAssign,
    BulkClose,
    BulkLabel,
    BulkPriority,
    BulkRead,
    BulkUnassign,
    BulkUnlabel,
)
from owner.models.conversation_dtos import ConversationUpdate
from owner.models.errors import OwnerError, Unavailable
from owner.models.principal import Principal
from owner.services.assignments import AssignmentService
from owner.services.conversation_changes import ConversationChangeService
from owner.services.conversation_reads import ConversationReadService
from owner.services.conversations import ConversationService
from owner.services.labels import LabelService


class BulkService:
    """Each conversation has a transaction of its own, and the rules of the single action."""

    def __init__(
        self,
        *,
        conversations: ConversationService,
        assignments: AssignmentService,
        changes: ConversationChangeService,
        labels: LabelService,
        reads: ConversationReadService,
    ) -> None:
        self.conversations = conversations
        self.assignments = assignments
        self.changes = changes
        self.labels = labels
        self.reads = reads

    async def run(self, caller: Principal, action: BulkAction) -> Mapping[int, OwnerError | None]:
        """What went wrong with each conversation, by its id; None where nothing did."""
        # In the order of their ids, as everybody takes several, and because a repeatable request holds them all.
        problems = {conv_id: await self._try(caller, action, conv_id) for conv_id in sorted(action.conv_ids)}
        return {conv_id: problems[conv_id] for conv_id in action.conv_ids}

    async def _try(self, caller: Principal, action: BulkAction, conv_id: int) -> OwnerError | None:
        try:
            await self._do(caller, action, conv_id)
        except Unavailable:
            raise
        except OwnerError as problem:
            return problem
        return None

    async def _do(self, caller: Principal, action: BulkAction, conv_id: int) -> None:
        match action:
            case BulkClose():
                await self.conversations.close_as(caller, conv_id, action)
            case BulkAssign():
                await self.assignments.assign(caller, conv_id, action)
            case BulkUnassign():
                await self.assignments.unassign(caller, conv_id)
            case BulkPriority():
                await self.changes.change(caller, conv_id, ConversationUpdate(priority=action.priority))
            case BulkLabel():
                await self.labels.put_on(caller, conv_id, action.label_id)
            case BulkUnlabel():
                await self.labels.take_off(caller, conv_id, action.label_id)
            case BulkRead():
                await self.reads.mark(caller, conv_id)
            case _:
                assert_never(action)
