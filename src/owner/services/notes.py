"""Internal notes: they keep no conversation alive and reach no customer."""

from owner.db.database import Connection, Database
from owner.models.entity import Page
from owner.models.errors import PermissionMissing
from owner.models.event import NewEvent
from owner.models.note import Note, NoteCreate
from owner.models.permissions import Permission
from owner.models.principal import Principal
from owner.repositories.conversations import ConversationRepository
from owner.repositories.events import EventRepository
from owner.repositories.notes import NoteRepository
from owner.services.ports import Clock


class NoteService:
    """What people write about conversations for each other."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def create(self, caller: Principal, conv_id: int, create: NoteCreate) -> Note:
        """Write a note, also about a conversation that is closed."""
        async with self.database.owner(caller.owner_id) as connection:
            await ConversationRepository(connection).get(conv_id)
            note = await NoteRepository(connection).add(
                {
                    "owner_id": caller.owner_id,
                    "conv_id": conv_id,
                    "author_kind": caller.actor.kind,
                    "author_id": caller.actor.id,
                    "content": create.content,
                }
            )
            await _tell(connection, caller, "note.created", note)
        return note

    async def list_page(
        self, owner_id: int, conv_id: int, *, limit: int, cursor: str | None = None
    ) -> Page[Note]:
        """Notes of a conversation, newest first."""
        async with self.database.owner(owner_id) as connection:
            await ConversationRepository(connection).get(conv_id)
            return await NoteRepository(connection).list_page(
                limit=limit, cursor=cursor, where={"conv_id": conv_id}
            )

    async def change(self, caller: Principal, conv_id: int, note_id: int, update: NoteCreate) -> Note:
        """Rewrite one's own note."""
        async with self.database.owner(caller.owner_id) as connection:
            note = await _own(connection, caller, conv_id, note_id, may_supervise=False)
            note = note.model_copy(update={"content": update.content, "updated_at": self.clock.now()})
            await NoteRepository(connection).save(note)
            await _tell(connection, caller, "note.updated", note)
        return note

    async def delete(self, caller: Principal, conv_id: int, note_id: int) -> None:
        """Delete one's own note, or, as a supervisor, anybody's."""
        async with self.database.owner(caller.owner_id) as connection:
            note = await _own(connection, caller, conv_id, note_id, may_supervise=True)
            await NoteRepository(connection).delete(note_id)
            await _tell(connection, caller, "note.deleted", note)


async def _own(
    connection: Connection, caller: Principal, conv_id: int, note_id: int, *, may_supervise: bool
) -> Note:
    notes = NoteRepository(connection)
    note = await notes.get(note_id, for_update=True)
    if note.conv_id != conv_id:
        raise notes.missing(note_id)
    is_allowed = note.author == caller.actor or (
        may_supervise and caller.may(Permission.CONVERSATIONS_SUPERVISE)
    )
    if not is_allowed:
        raise PermissionMissing(Permission.CONVERSATIONS_SUPERVISE, "This note is somebody else's.")
    return note


async def _tell(connection: Connection, caller: Principal, event_type: str, note: Note) -> None:
    event = NewEvent(event_type, caller.actor, conv_id=note.conv_id, data={"note_id": note.note_id})
    await EventRepository(connection).add_all(caller.owner_id, [event])
