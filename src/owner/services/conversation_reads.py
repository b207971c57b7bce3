"""What each person and each program has read of a conversation."""

from owner.db.database import Database
from owner.models.principal import Principal
from owner.repositories.conversation_reads import ConversationReadRepository
from owner.repositories.conversations import ConversationRepository


class ConversationReadService:
    """Read state, for each reader apart."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def mark(self, caller: Principal, conv_id: int, *, last_read_seq: int | None = None) -> int:
        """Note how far the caller has read, by default to the end. Returns how many messages are unread."""
        async with self.database.owner(caller.owner_id) as connection:
            conversation = await ConversationRepository(connection).get(conv_id)
            until = conversation.last_seq if last_read_seq is None else last_read_seq
            reads = ConversationReadRepository(connection)
            await reads.put(
                caller.owner_id, conv_id, caller.actor, last_read_seq=min(until, conversation.last_seq)
            )
            unread = await reads.count_unread([conv_id], caller.actor)
        return unread[conv_id]
