"""Erases what a person said and is; that they wanted no messages outlives it."""

from datetime import datetime

from owner.db.database import Connection, Database
from owner.logs import get_logger
from owner.models.conversation import Conversation
from owner.models.erasure import ERASED, ContactErasureResponse, is_about
from owner.models.errors import Conflict, Misconfigured
from owner.models.event import Actor, NewEvent
from owner.repositories.contacts import ContactRepository
from owner.repositories.conversations import ConversationRepository
from owner.repositories.erasure import ErasureRepository
from owner.repositories.events import EventRepository
from owner.repositories.jobs import JobRepository
from owner.repositories.messages import MessageRepository
from owner.services.contacts import lock_customers_of
from owner.services.media import media_key
from owner.services.ports import Clock, MediaStore, SecretBox
from owner.services.suppressions import SuppressionList

log = get_logger(__name__)


class ContactErasureService:
    """One person's data: the database in one transaction, the files by a job that doesn't give up."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        secrets_box: SecretBox,
        suppressions: SuppressionList,
        store: MediaStore,
    ) -> None:
        self.database = database
        self.secrets_box = secrets_box
        self.clock = clock
        self.suppressions = suppressions
        self.store = store

    async def erase(self, owner_id: int, contact_id: int, *, by: Actor) -> ContactErasureResponse:
        """Erase a contact and all that were merged into it; a second time changes nothing.

        Raises:
            ContactMerged: it is part of another contact: erase that one.
        """
        async with self.database.owner(owner_id) as connection:
            contact = await ContactRepository(connection).get(contact_id)
            if contact.erased_at is None:
                family = await self._lock_family(connection, contact_id)
                contact = await ContactRepository(connection).get(contact_id)
                if contact.erased_at is None:
                    contact.refuse_if_gone()
                    contact.erased_at = await self._erase(connection, owner_id, contact_id, family, by)
            counts = await ErasureRepository(connection).count(contact_id)
        assert contact.erased_at is not None
        return ContactErasureResponse(contact_id=contact_id, erased_at=contact.erased_at, **counts._asdict())

    async def finish(self, owner_id: int, contact_id: int) -> None:
        """What has to follow the commit; it may run twice, and stop anywhere."""
        async with self.database.owner(owner_id) as connection:
            repository = ErasureRepository(connection)
            family = await repository.list_family(contact_id)
            conv_ids = await repository.list_conv_ids(contact_id)
            # Whoever was writing them down at the moment of the erasure had read the events before it.
            await repository.bare_deliveries(family, conv_ids)
            await repository.forget_search(family)
        await self._forget_answers(owner_id, frozenset(family), frozenset(conv_ids))
        await self._delete_files(owner_id, contact_id)

    async def _forget_answers(
        self, owner_id: int, contact_ids: frozenset[int], conv_ids: frozenset[int]
    ) -> None:
        """Answers that are kept for repeated requests show what was, so those about the person go."""
        last = ""
        while True:
            async with self.database.owner(owner_id) as connection:
                repository = ErasureRepository(connection)
                answers = await repository.list_answers(after=last)
                about = [
                    key
                    for key, body in answers
                    if is_about(self._read(body), contact_ids=contact_ids, conv_ids=conv_ids)
                ]
                await repository.forget_answers(about)
            if not answers:
                return
            last = answers[-1][0]

    def _read(self, body: bytes) -> str:
        """An answer's text; nothing where the key to it is gone, because then nobody can read it."""
        try:
            return self.secrets_box.decrypt(body)
        except Misconfigured:
            return ""

    async def _delete_files(self, owner_id: int, contact_id: int) -> None:
        """Delete the bytes of an erased person's files; those that are gone already don't matter."""
        last, deleted = 0, 0
        while True:
            async with self.database.owner(owner_id) as connection:
                media_ids = await ErasureRepository(connection).list_files(contact_id, after=last)
            if not media_ids:
                break
            for media_id in media_ids:
                await self.store.delete(media_key(owner_id, media_id))
            last, deleted = media_ids[-1], deleted + len(media_ids)
        log.info("contact_files_deleted", owner_id=owner_id, contact_id=contact_id, files=deleted)

    async def _lock_family(self, connection: Connection, contact_id: int) -> list[int]:
        """The person, under lock; a merge or an undo at the very moment is asked to come first."""
        repository = ErasureRepository(connection)
        family = await repository.list_family(contact_id)
        await ContactRepository(connection).lock_all(family)
        if await repository.list_family(contact_id) != family:
            raise Conflict("The contact is being merged at this moment; try again.")
        return family

    async def _erase(
        self, connection: Connection, owner_id: int, contact_id: int, family: list[int], by: Actor
    ) -> datetime:
        repository, now = ErasureRepository(connection), self.clock.now()
        contacts = await ContactRepository(connection).lock_all(family)
        await self.suppressions.keep(connection, owner_id, await lock_customers_of(connection, contacts))
        conversations = await repository.lock_conversations(family)
        # They end first: tombstones of two open conversations would be the same address twice.
        await self._end(connection, conversations, by)
        await repository.erase_words(family, conversations, at=now)
        counts = await repository.count(contact_id)
        erased = NewEvent("contact.erased", by, contact_id=contact_id, data=counts._asdict())
        await EventRepository(connection).add_all(owner_id, [erased])
        await JobRepository(connection).enqueue("contact_erased", owner_id=owner_id, contact_id=contact_id)
        return now

    async def _end(self, connection: Connection, conversations: list[Conversation], by: Actor) -> None:
        """Nothing more is sent, and nobody waits."""
        now = self.clock.now()
        for conversation in conversations:
            if conversation.is_open:
                conversation.fail(reason=ERASED, by=by, at=now)
                await ConversationRepository(connection).save(conversation)
        conv_ids = [conversation.conv_id for conversation in conversations]
        for message in await ErasureRepository(connection).lock_unsent(conv_ids):
            message.fail(at=now, error_code=None, error_message=ERASED)
            await MessageRepository(connection).save(message)
            failed = NewEvent("message.failed", by, conv_id=message.conv_id, msg_id=message.msg_id)
            await EventRepository(connection).add_all(message.owner_id, [failed])
