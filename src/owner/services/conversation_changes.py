"""What else changes about a conversation: its priority and context, and a closing that was wrong."""

from typing import Any

from owner.db.database import Connection, Database
from owner.models.addresses import Address
from owner.models.conversation import Conversation
from owner.models.conversation_dtos import (
    MAXIMUM_CONTEXT,
    MAXIMUM_KEYS,
    ConversationUndoClose,
    ConversationUpdate,
    is_too_large,
)
from owner.models.errors import InvalidInput
from owner.models.principal import Principal
from owner.models.work_errors import NewerConversationOpen
from owner.repositories.contacts import ContactRepository
from owner.repositories.conversations import ConversationRepository
from owner.services.conversations import ConversationService
from owner.services.customer_lock import customer_lock
from owner.services.ports import Clock


class ConversationChangeService:
    """Changes that move no timer."""

    def __init__(self, database: Database, *, clock: Clock, conversations: ConversationService) -> None:
        self.database = database
        self.clock = clock
        self.conversations = conversations

    async def change(self, caller: Principal, conv_id: int, update: ConversationUpdate) -> Conversation:
        """Set priority and keys of the context, of a closed conversation too.

        Raises:
            InvalidInput: the context would grow too large.
        """
        async with self.conversations.changing(caller.owner_id, conv_id) as conversation:
            changes = update.changes()
            conversation.change(
                priority=changes.get("priority", conversation.priority),
                context=_merged(conversation.context, changes.get("context", {})),
                by=caller.actor,
                at=self.clock.now(),
            )
        return conversation

    async def undo_close(self, caller: Principal, conv_id: int, undo: ConversationUndoClose) -> Conversation:
        """Open again what a machine closed, in turn with the customer's own messages.

        Raises:
            NewerConversationOpen: the customer has begun another one.
            InvalidTransition: it is open, or a person or program closed it.
            ContactBlocked, ContactErased: nobody is to hear from, or write to, the customer any more.
        """
        before = await self.conversations.get(caller.owner_id, conv_id)
        customer = Address(before.channel, before.customer_address)
        lock = customer_lock(caller.owner_id, customer)
        async with self.database.owner(caller.owner_id, lock=lock) as connection:
            repository = ConversationRepository(connection)
            # The older one is locked first, as by everybody who locks several.
            conversation = await repository.get(conv_id, for_update=True)
            await self._refuse_newer(connection, customer, conversation)
            contact = await ContactRepository(connection).get(conversation.contact_id)
            contact.refuse_if_gone()
            contact.refuse_if_blocked()
            reason = undo.reason or "the closing was undone"
            conversation.reopen(by=caller.actor, reason=reason, at=self.clock.now())
            await repository.save(conversation)
        return conversation

    async def _refuse_newer(self, connection: Connection, customer: Address, closed: Conversation) -> None:
        repository = ConversationRepository(connection)
        newer = await repository.find_open(customer, closed.our_address)
        if newer is None or newer.conv_id == closed.conv_id:
            return
        if not newer.settle(now=self.clock.now()):
            raise NewerConversationOpen(conv_id=newer.conv_id)
        await repository.save(newer)


def _merged(context: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in context.items() if key not in changes}
    merged = {**kept, **{key: value for key, value in changes.items() if value is not None}}
    if changes and is_too_large(merged):
        raise InvalidInput(
            f"A context has at most {MAXIMUM_KEYS} keys and {MAXIMUM_CONTEXT // 1024} KB.", field="context"
        )
    return merged
