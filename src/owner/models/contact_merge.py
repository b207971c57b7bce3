"""Two contacts that were found to be one person, and what it takes to make them two again."""

from pydantic import ConfigDict, Field, StrictInt

from owner.models.addresses import Address
from owner.models.contact import ContactResponse, TakenOver
from owner.models.contact_errors import MergeUndone
from owner.models.entity import DTO, LARGEST_ID, Entity, Moment
from owner.models.enums import ActorKind, Channel
from owner.models.event import Actor


class ContactMerge(Entity):
    """A merge, with the keys of all that moved."""

    owner_id: int
    merge_id: int
    survivor_id: int
    merged_id: int
    moved_addresses: list[tuple[Channel, str]]
    moved_conv_ids: list[int]
    moved_consent_ids: list[int]
    taken: TakenOver
    merged_by_kind: ActorKind
    merged_by_id: int | None = None
    created_at: Moment
    undone_by_kind: ActorKind | None = None
    undone_by_id: int | None = None
    undone_at: Moment | None = None

    @property
    def addresses(self) -> list[Address]:
        return [Address(channel, value) for channel, value in self.moved_addresses]

    def undo(self, *, by: Actor, at: Moment) -> None:
        """Note that the two are two again; raises `MergeUndone` the second time."""
        if self.undone_at is not None:
            raise MergeUndone(merge_id=self.merge_id)
        self.undone_at = at
        self.undone_by_kind, self.undone_by_id = by


class ContactMergeCreate(DTO):
    """Which contact becomes part of the one in the path."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"merge_id": 18}]})

    merge_id: StrictInt = Field(ge=1, le=LARGEST_ID, description="The contact that becomes part of this one.")


class ContactMergeView(DTO):
    """A merge in a list."""

    merge_id: int
    survivor_id: int
    merged_id: int
    moved_conversations: int
    moved_addresses: int
    created_at: Moment
    undone_at: Moment | None

    @classmethod
    def of(cls, merge: ContactMerge) -> "ContactMergeView":
        return cls(
            merge_id=merge.merge_id,
            survivor_id=merge.survivor_id,
            merged_id=merge.merged_id,
            moved_conversations=len(merge.moved_conv_ids),
            moved_addresses=len(merge.moved_addresses),
            created_at=merge.created_at,
            undone_at=merge.undone_at,
        )


class ContactMergeResponse(ContactMergeView):
    """A merge as it was just made or undone."""

    contact: ContactResponse = Field(description="The contact that stays, as it is now.")
