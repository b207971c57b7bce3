"""Words that people put on conversations."""

from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar

from owner.models.errors import AlreadyExists, OwnerError
from owner.models.label import Label
from owner.repositories.base import BaseRepository


class LabelRepository(BaseRepository[Label]):
    """Words that people put on conversations."""

    entity: ClassVar = Label
    table: ClassVar = "labels"
    key: ClassVar = "label_id"

    async def put_on(self, owner_id: int, conv_id: int, label_id: int) -> bool:
        """Label a conversation; say whether that is new."""
        result = await self.connection.execute(
            """
            INSERT INTO conversation_labels (owner_id, conv_id, label_id) VALUES ($1, $2, $3)
            ON CONFLICT DO NOTHING
            """,
            owner_id,
            conv_id,
            label_id,
        )
        return result == "INSERT 0 1"

    async def count_on(self, conv_id: int) -> int:
        count: int = await self.connection.fetchval(
            "SELECT count(*) FROM conversation_labels WHERE conv_id = $1", conv_id
        )
        return count

    async def take_off(self, conv_id: int, label_id: int) -> bool:
        """Take a label off a conversation; say whether it was on it."""
        result = await self.connection.execute(
            "DELETE FROM conversation_labels WHERE conv_id = $1 AND label_id = $2", conv_id, label_id
        )
        return result == "DELETE 1"

    async def list_on(self, conv_ids: Sequence[int]) -> dict[int, list[Label]]:
        """The labels of each of the conversations that has any, by name."""
        rows = await self.connection.fetch(
            """
            SELECT conversation_labels.conv_id AS on_conversation, labels.*
            FROM conversation_labels JOIN labels USING (owner_id, label_id)
            WHERE conv_id = ANY ($1) ORDER BY conv_id, name
            """,
            conv_ids,
        )
        found: dict[int, list[Label]] = defaultdict(list)
        for row in rows:
            values = dict(row)
            found[values.pop("on_conversation")].append(Label.model_validate(values))
        return found

    def taken(self, _constraint: str) -> OwnerError:
        return AlreadyExists("A label with this name exists already.", field="name")
