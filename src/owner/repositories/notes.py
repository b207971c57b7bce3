"""What people wrote about conversations for each other."""

from typing import ClassVar

from owner.models.note import Note
from owner.repositories.base import BaseRepository


class NoteRepository(BaseRepository[Note]):
    """What people wrote about conversations for each other."""

    entity: ClassVar = Note
    table: ClassVar = "notes"
    key: ClassVar = "note_id"
