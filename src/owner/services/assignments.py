"""Who has a conversation, and whether a person or a bot answers."""

from owner.db.database import Connection
from owner.models.conversation import Conversation
from owner.models.conversation_dtos import ConversationAssign, ConversationHandoff
from owner.models.enums import Handler
from owner.models.errors import InvalidInput, PermissionMissing
from owner.models.event import Actor
from owner.models.permissions import Permission
from owner.models.principal import Principal
from owner.models.work_errors import AlreadyAssigned
from owner.repositories.conversations import ConversationRepository
from owner.repositories.users import UserRepository
from owner.services.conversations import ConversationService
from owner.services.ports import Clock


class AssignmentService:
    """Everybody takes what is free and gives up what is theirs; supervisors give and take for others."""

    def __init__(self, conversations: ConversationService, *, clock: Clock) -> None:
        self.conversations = conversations
        self.clock = clock

    async def assign(self, caller: Principal, conv_id: int, assign: ConversationAssign) -> Conversation:
        """Give a conversation to a person. Of two who take it at once, one gets it.

        Raises:
            AlreadyAssigned: somebody else has it, and the caller is no supervisor.
            PermissionMissing: it would be given to somebody else.
            InvalidInput: there is no such person, or they may not write to customers.
        """
        assignee_id = _assignee_of(caller, assign)
        async with self.conversations.locked(caller.owner_id, conv_id) as (connection, conversation):
            conversation.refuse_if_closed()
            if assignee_id != caller.user_id:
                caller.require(Permission.CONVERSATIONS_SUPERVISE)
            elif not caller.may(Permission.CONVERSATIONS_SUPERVISE):
                _refuse_taken(conversation, by=assignee_id)
            await _refuse_who_can_not_write(connection, assignee_id)
            conversation.assign(assignee_id, by=caller.actor, at=self.clock.now())
            await ConversationRepository(connection).save(conversation)
        return conversation

    async def unassign(self, caller: Principal, conv_id: int) -> Conversation:
        """Take a conversation from whoever has it; nobody's stays nobody's."""
        async with self.conversations.changing(caller.owner_id, conv_id) as conversation:
            _refuse_others(conversation, caller)
            conversation.unassign(by=caller.actor, at=self.clock.now())
        return conversation

    async def hand_off(self, caller: Principal, conv_id: int, handoff: ConversationHandoff) -> Conversation:
        """Let a bot or a person answer from now on. What a person has, only they and supervisors hand to a bot."""
        async with self.conversations.changing(caller.owner_id, conv_id) as conversation:
            if handoff.handler is Handler.BOT:
                _refuse_others(conversation, caller)
            conversation.hand_off(
                handoff.handler, by=caller.actor, reason=handoff.reason, at=self.clock.now()
            )
        return conversation

    async def release(self, owner_id: int, user_id: int, *, by: Actor) -> None:
        """Give back what a person has who can't have conversations any more; each for itself, so that none waits."""
        async with self.conversations.database.owner(owner_id) as connection:
            user = await UserRepository(connection).find(user_id)
            if user is None or user.may_have_conversations:
                return
            theirs = await ConversationRepository(connection).list_open_ids_of_assignee(user_id)
        for conv_id in theirs:
            async with self.conversations.changing(owner_id, conv_id) as conversation:
                if conversation.is_open and conversation.assignee_id == user_id:
                    conversation.unassign(by=by, at=self.clock.now())


def _assignee_of(caller: Principal, assign: ConversationAssign) -> int:
    if assign.assignee_id != "me":
        return assign.assignee_id
    if caller.user_id is None:
        raise PermissionMissing(Permission.SELF, "Only who signed in is `me`; name a person's id.")
    return caller.user_id


def _refuse_taken(conversation: Conversation, *, by: int) -> None:
    if conversation.assignee_id not in {None, by}:
        assert conversation.assignee_id is not None
        raise AlreadyAssigned(conversation.assignee_id)


def _refuse_others(conversation: Conversation, caller: Principal) -> None:
    """What somebody else has, only supervisors take from them."""
    if conversation.assignee_id not in {None, caller.user_id}:
        caller.require(Permission.CONVERSATIONS_SUPERVISE)


async def _refuse_who_can_not_write(connection: Connection, user_id: int) -> None:
    # They stay as they are until this is committed: who shuts them out waits, and then finds the conversation.
    user = await UserRepository(connection).find_for_share(user_id)
    if user is None or not user.may_have_conversations:
        raise InvalidInput(
            f"There is no active person {user_id} who may write to customers.", field="assignee_id"
        )
