"""Hands out everything that is kept about one person, piece by piece, so that no memory holds it all."""

from collections.abc import AsyncIterator, Iterable
from typing import Final

from pydantic_core import to_json

from owner.db.database import Database
from owner.models.consent import ConsentResponse
from owner.models.conversation_dtos import ConversationResponse
from owner.models.entity import DTO
from owner.models.message import MediaResponse, MessageResponse
from owner.models.note import NoteResponse
from owner.repositories.base import MAXIMUM_PAGE
from owner.repositories.consents import ConsentRepository
from owner.repositories.contacts import ContactRepository
from owner.repositories.conversations import ConversationRepository
from owner.repositories.erasure import ErasureRepository
from owner.repositories.media import MediaRepository
from owner.repositories.messages import MessageRepository
from owner.repositories.notes import NoteRepository
from owner.services.contacts import KnownContact, load_contact

_PAGE: Final = MAXIMUM_PAGE


class ContactExportService:
    """Each page is a transaction of its own: a slow reader holds none."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def export(self, owner_id: int, contact_id: int) -> AsyncIterator[bytes]:
        """The pieces of one JSON document.

        Raises:
            ContactNotFound: before the first piece.
            ContactMerged: the person is part of another contact; export that one.
        """
        async with self.database.owner(owner_id) as connection:
            known = await load_contact(connection, await ContactRepository(connection).get(contact_id))
            if known.contact.merged_into_id is not None:
                known.contact.refuse_if_gone()
            family = await ErasureRepository(connection).list_family(contact_id)
            others = [
                await load_contact(connection, await ContactRepository(connection).get(other))
                for other in family
                if other != contact_id
            ]
        return self._pieces(owner_id, known, others)

    async def _pieces(
        self, owner_id: int, known: KnownContact, others: Iterable[KnownContact]
    ) -> AsyncIterator[bytes]:
        contact_id = known.contact.contact_id
        yield b'{"contact":' + _json(known.shown())
        yield b',"merged_contacts":' + to_json([other.shown().model_dump(mode="json") for other in others])
        yield b',"consents":'
        async for piece in _listed(self._consents(owner_id, contact_id)):
            yield piece
        yield b',"conversations":['
        is_first = True
        async for conversation in self._conversations(owner_id, contact_id):
            yield (b"" if is_first else b",") + _json(conversation)[:-1] + b',"notes":'
            is_first = False
            async for piece in _listed(self._notes(owner_id, conversation.conv_id)):
                yield piece
            yield b',"messages":'
            async for piece in _listed(self._messages(owner_id, conversation.conv_id)):
                yield piece
            yield b"}"
        yield b"]}"

    async def _consents(self, owner_id: int, contact_id: int) -> AsyncIterator[DTO]:
        cursor = None
        while True:
            async with self.database.owner(owner_id) as connection:
                page = await ConsentRepository(connection).list_page(
                    limit=_PAGE, cursor=cursor, where={"contact_id": contact_id}
                )
            for consent in page.items:
                yield ConsentResponse.model_validate(consent)
            if (cursor := page.next_cursor) is None:
                return

    async def _conversations(self, owner_id: int, contact_id: int) -> AsyncIterator[ConversationResponse]:
        cursor = None
        while True:
            async with self.database.owner(owner_id) as connection:
                page = await ConversationRepository(connection).list_page(
                    limit=_PAGE, cursor=cursor, where={"contact_id": contact_id}
                )
            for conversation in page.items:
                yield ConversationResponse.model_validate(conversation)
            if (cursor := page.next_cursor) is None:
                return

    async def _notes(self, owner_id: int, conv_id: int) -> AsyncIterator[DTO]:
        cursor = None
        while True:
            async with self.database.owner(owner_id) as connection:
                page = await NoteRepository(connection).list_page(
                    limit=_PAGE, cursor=cursor, where={"conv_id": conv_id}
                )
            for written in page.items:
                yield NoteResponse.model_validate(written)
            if (cursor := page.next_cursor) is None:
                return

    async def _messages(self, owner_id: int, conv_id: int) -> AsyncIterator[DTO]:
        cursor = None
        while True:
            async with self.database.owner(owner_id) as connection:
                page = await MessageRepository(connection).list_by_conversation(
                    conv_id, limit=_PAGE, cursor=cursor
                )
                media = await MediaRepository(connection).list_by_messages(
                    [message.msg_id for message in page.items]
                )
            for message in page.items:
                shown = MessageResponse.model_validate(message)
                shown.media = [MediaResponse.of(file) for file in media if file.msg_id == message.msg_id]
                yield shown
            if (cursor := page.next_cursor) is None:
                return


async def _listed(items: AsyncIterator[DTO]) -> AsyncIterator[bytes]:
    start = b"["
    async for item in items:
        yield start + _json(item)
        start = b","
    yield b"[]" if start == b"[" else b"]"


def _json(shown: DTO) -> bytes:
    return shown.model_dump_json().encode()
