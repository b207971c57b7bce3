"""Merges of contacts."""

from typing import ClassVar

from owner.models.contact_errors import MergeNotFound
from owner.models.contact_merge import ContactMerge
from owner.models.errors import OwnerError
from owner.repositories.base import BaseRepository


class ContactMergeRepository(BaseRepository[ContactMerge]):
    """Merges of contacts, each with the keys of all that it moved."""

    entity: ClassVar = ContactMerge
    table: ClassVar = "contact_merges"
    key: ClassVar = "merge_id"

    async def move_conversations(self, *, from_id: int, to_id: int) -> list[int]:
        """Give all conversations of a contact to another one, locked in one order; returns their ids."""
        rows = await self.connection.fetch(
            """
            WITH moving AS (
                SELECT owner_id, conv_id FROM conversations WHERE contact_id = $1 ORDER BY conv_id FOR UPDATE
            )
            UPDATE conversations SET contact_id = $2 FROM moving
            WHERE conversations.owner_id = moving.owner_id AND conversations.conv_id = moving.conv_id
            RETURNING conversations.conv_id
            """,
            from_id,
            to_id,
        )
        return sorted(row["conv_id"] for row in rows)

    async def return_conversations(self, merge: ContactMerge) -> None:
        """Give back those conversations that the merge moved."""
        await self.connection.execute(
            """
            WITH moving AS (
                SELECT owner_id, conv_id FROM conversations
                WHERE conv_id = ANY ($1) AND contact_id = $2 ORDER BY conv_id FOR UPDATE
            )
            UPDATE conversations SET contact_id = $3 FROM moving
            WHERE conversations.owner_id = moving.owner_id AND conversations.conv_id = moving.conv_id
            """,
            merge.moved_conv_ids,
            merge.survivor_id,
            merge.merged_id,
        )

    def missing(self, key: int) -> OwnerError:
        return MergeNotFound(key)
