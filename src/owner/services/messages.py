"""What people and programs write, and what was said."""

from owner.db.database import Database
from owner.models.entity import Page
from owner.models.event import Actor
from owner.models.media import Media
from owner.models.message import Message, MessageCreate
from owner.repositories.conversations import ConversationRepository
from owner.repositories.media import MediaRepository
from owner.repositories.messages import MessageRepository
from owner.services.canned_replies import render
from owner.services.conversations import ConversationService
from owner.services.message_send import queue_message
from owner.services.ports import Clock
from owner.services.rate_limits import RateLimitService


class MessageService:
    """Messages of conversations."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        conversations: ConversationService,
        rate_limits: RateLimitService,
    ) -> None:
        self.database = database
        self.clock = clock
        self.conversations = conversations
        self.rate_limits = rate_limits

    async def send(self, owner_id: int, conv_id: int, create: MessageCreate, *, by: Actor) -> Message:
        """Store a message to be sent; committed when this returns, sent by a worker soon after.

        Raises:
            ConversationClosed, ReplyWindowClosed, ContactOptedOut: it may not be sent now.
            RateLimited: the owner has sent as much as it may in a day.
        """
        async with self.conversations.locked(owner_id, conv_id) as (connection, conversation):
            if create.canned_reply_id is not None:
                text = await render(connection, conversation, create.canned_reply_id, by=by)
                create = create.model_copy(update={"content": text})
            message = await queue_message(connection, conversation, create, by=by, at=self.clock.now())
            # Last, so that what was refused for another reason is not counted.
            await self.rate_limits.count_message(owner_id)
        return message

    async def list_page(
        self, owner_id: int, conv_id: int, *, limit: int, cursor: str | None = None
    ) -> tuple[Page[Message], list[Media]]:
        """Messages of a conversation, oldest first, and the files that belong to them."""
        async with self.database.owner(owner_id) as connection:
            await ConversationRepository(connection).get(conv_id)
            page = await MessageRepository(connection).list_by_conversation(
                conv_id, limit=limit, cursor=cursor
            )
            media = await MediaRepository(connection).list_by_messages(
                [message.msg_id for message in page.items]
            )
        return page, media
