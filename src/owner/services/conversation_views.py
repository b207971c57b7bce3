"""Conversations as a reader sees them: with their labels, and what that reader has not read."""

from collections.abc import Sequence

from owner.db.database import Database
from owner.models.conversation import Conversation
from owner.models.conversation_dtos import ConversationResponse
from owner.models.entity import Page
from owner.models.label import LabelResponse
from owner.models.principal import Principal
from owner.repositories.conversation_reads import ConversationReadRepository
from owner.repositories.labels import LabelRepository


class ConversationViewService:
    """Adds what is not in a conversation's own row, for a whole page at once."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def show(self, caller: Principal, conversation: Conversation) -> ConversationResponse:
        [shown] = await self.show_all(caller, [conversation])
        return shown

    async def show_page(self, caller: Principal, page: Page[Conversation]) -> Page[ConversationResponse]:
        items = await self.show_all(caller, page.items)
        return Page[ConversationResponse](items=items, next_cursor=page.next_cursor)

    async def show_all(
        self, caller: Principal, conversations: Sequence[Conversation]
    ) -> list[ConversationResponse]:
        """Two queries, however many conversations there are."""
        conv_ids = [conversation.conv_id for conversation in conversations]
        async with self.database.owner(caller.owner_id) as connection:
            labels = await LabelRepository(connection).list_on(conv_ids)
            unread = await ConversationReadRepository(connection).count_unread(conv_ids, caller.actor)
        shown = [ConversationResponse.model_validate(conversation) for conversation in conversations]
        for one in shown:
            one.labels = [LabelResponse.model_validate(label) for label in labels.get(one.conv_id, ())]
            one.unread_count = unread[one.conv_id]
        return shown
