"""What people write about a conversation for each other; no customer ever sees it."""

from typing import Annotated

from pydantic import ConfigDict, StringConstraints

from owner.models.entity import DTO, VISIBLE, Entity, Moment
from owner.models.enums import ActorKind
from owner.models.event import Actor

NoteText = Annotated[str, StringConstraints(min_length=1, max_length=10_000, pattern=VISIBLE)]


class Note(Entity):
    """An internal note."""

    owner_id: int
    note_id: int
    conv_id: int
    author_kind: ActorKind
    author_id: int
    content: str
    created_at: Moment
    updated_at: Moment

    @property
    def author(self) -> Actor:
        return Actor(self.author_kind, self.author_id)


class NoteCreate(DTO):
    """A note to write, or what it says from now on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"content": "Called the courier; they promise 15h."}]}
    )

    content: NoteText


class NoteResponse(DTO):
    """A note as the API shows it."""

    note_id: int
    conv_id: int
    author_kind: ActorKind
    author_id: int
    content: str
    created_at: Moment
    updated_at: Moment
