"""Asks the customer whether the conversation may be closed."""

from datetime import datetime
from typing import Final

from owner.db.database import Connection
from owner.logs import get_logger
from owner.models.conversation import Conversation
from owner.models.enums import Channel, MessageOwner
from owner.models.errors import Conflict
from owner.models.event import SYSTEM
from owner.models.message import MessageCreate
from owner.models.owner import Owner
from owner.services.message_send import queue_message

log = get_logger(__name__)

QUESTIONS: Final = {
    "pt": "Posso encerrar o atendimento?",
    "en": "May I close this conversation?",
    "es": "¿Puedo cerrar la conversación?",
}


async def ask_whether_done(
    connection: Connection,
    conversation: Conversation,
    *,
    owner: Owner,
    language: str | None,
    at: datetime,
) -> None:
    """Queue the question; where it may not be sent, the suspicion stays without one.

    `language` is the one that the customer writes, None where nobody can tell.
    """
    question = _question(conversation.channel, owner, language or owner.language)
    try:
        await queue_message(connection, conversation, question, by=SYSTEM, at=at)
    except Conflict as refusal:
        log.info("closure_question_refused", conv_id=conversation.conv_id, code=refusal.code)


def _question(channel: Channel, owner: Owner, language: str) -> MessageCreate:
    """Buttons where the channel has them and the owner made some, else words."""
    if channel is Channel.WHATSAPP and owner.texts.asking_content_sid:
        return MessageCreate(content_sid=owner.texts.asking_content_sid, message_owner=MessageOwner.SYSTEM)
    words = owner.texts.asking or QUESTIONS.get(language, QUESTIONS["en"])
    return MessageCreate(content=words, message_owner=MessageOwner.SYSTEM)
