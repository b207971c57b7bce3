"""Asks the customer whether the conversation may be closed."""

from datetime import datetime
from typing import Final

from owner.db.database import Connection
from owner.logs import get_logger
from owner.models.conversation import Conversation
from owner.models.enums import MessageOwner
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
    connection: Connection, conversation: Conversation, *, owner: Owner, at: datetime
) -> None:
    """Queue the question; where it may not be sent, the suspicion stays without one."""
    built_in = QUESTIONS.get(owner.language, QUESTIONS["en"])
    question = MessageCreate(content=owner.texts.asking or built_in, message_owner=MessageOwner.SYSTEM)
    try:
        await queue_message(connection, conversation, question, by=SYSTEM, at=at)
    except Conflict as refusal:
        log.info("closure_question_refused", conv_id=conversation.conv_id, code=refusal.code)
