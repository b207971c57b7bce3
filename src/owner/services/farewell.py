"""Says goodbye in the owner's words when a conversation ends."""

from datetime import datetime

from owner.db.database import Connection
from owner.logs import get_logger
from owner.models.conversation import Conversation
from owner.models.enums import MessageOwner
from owner.models.errors import Conflict
from owner.models.event import SYSTEM
from owner.models.message import MessageCreate
from owner.repositories.owners import OwnerRepository
from owner.services.message_send import queue_message

log = get_logger(__name__)


async def closing_text(connection: Connection, owner_id: int) -> str | None:
    """What the owner wants to be sent; None for nothing."""
    owner = await OwnerRepository(connection).get(owner_id)
    return owner.texts.closing


async def say_goodbye(
    connection: Connection, conversation: Conversation, *, text: str | None, at: datetime
) -> None:
    """Queue the closing text while the conversation is open still, in the transaction that ends it.

    Where it may not be sent, because the customer opted out or the reply window is closed, it ends without.
    """
    if text is None or not conversation.is_open:
        return
    goodbye = MessageCreate(content=text, message_owner=MessageOwner.SYSTEM)
    try:
        await queue_message(connection, conversation, goodbye, by=SYSTEM, at=at, is_farewell=True)
    except Conflict as refusal:
        log.info("closing_text_refused", conv_id=conversation.conv_id, code=refusal.code)
