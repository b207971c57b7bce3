"""What one person's data looks like when it is handed out."""

from typing import Any

from owner.models.consent import ConsentResponse
from owner.models.contact import ContactResponse
from owner.models.conversation_dtos import ConversationResponse
from owner.models.entity import DTO
from owner.models.message import MessageResponse
from owner.models.note import NoteResponse


class ExportedConversation(ConversationResponse):
    """A conversation with all that was said in it and noted about it."""

    notes: list[NoteResponse]
    messages: list[MessageResponse]


class ContactExport(DTO):
    """Everything that is kept about one person."""

    contact: ContactResponse
    merged_contacts: list[dict[str, Any]]
    consents: list[ConsentResponse]
    conversations: list[ExportedConversation]
