"""What stands between the messages of a conversation, and what a list shows of each: bounded reads for pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from owner.db.database import Connection
from owner.models.enums import MessageDirection, MessageType
from owner.models.event import Event
from owner.models.note import Note

LOOKED_AT: Final = 500  # events or notes of one stretch; a page of messages has fewer around it


@dataclass(frozen=True, slots=True)
class Preview:
    """What a list shows of a conversation besides its own row."""

    contact_name: str | None
    content: str | None = None
    direction: MessageDirection | None = None
    message_type: MessageType | None = None


class ConversationThreadRepository:
    """Reads beside messages, newest first, so that the length of a conversation doesn't matter."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def list_events(
        self, conv_id: int, *, types: Sequence[str], since: datetime, until: datetime | None
    ) -> list[Event]:
        """Events of these types in a stretch of time, oldest first."""
        rows = await self.connection.fetch(
            """
            SELECT * FROM conversation_events($1, $2, COALESCE($3, 'infinity'::timestamptz), $4) AS stretch
            WHERE type = ANY ($5) ORDER BY event_id
            """,
            conv_id,
            since,
            until,
            LOOKED_AT,
            types,
        )
        return [Event.model_validate(dict(row)) for row in rows]

    async def list_notes(self, conv_id: int, *, since: datetime, until: datetime | None) -> list[Note]:
        """Notes of a stretch of time, oldest first."""
        rows = await self.connection.fetch(
            """
            SELECT * FROM (
                SELECT * FROM notes WHERE conv_id = $1 AND created_at >= $2 AND created_at < COALESCE($3, 'infinity'::timestamptz)
                ORDER BY note_id DESC LIMIT $4
            ) AS stretch ORDER BY note_id
            """,
            conv_id,
            since,
            until,
            LOOKED_AT,
        )
        return [Note.model_validate(dict(row)) for row in rows]

    async def names_of_people(self) -> Mapping[int, str]:
        """Everybody of the company, whose names stand beside what they did."""
        rows = await self.connection.fetch("SELECT user_id, name FROM users")
        return {row["user_id"]: row["name"] for row in rows}

    async def names_of_labels(self) -> Mapping[int, str]:
        """Every label that there is; events have their numbers."""
        rows = await self.connection.fetch("SELECT label_id, name FROM labels")
        return {row["label_id"]: row["name"] for row in rows}

    async def previews(self, conv_ids: Sequence[int]) -> Mapping[int, Preview]:
        """Name and last words of each conversation: one query for a whole page."""
        rows = await self.connection.fetch(
            """
            SELECT conv_id, contacts.name, said.content, said.direction, said.message_type
            FROM conversations
            JOIN contacts USING (owner_id, contact_id)
            LEFT JOIN LATERAL (
                SELECT left(content, 200) AS content, direction, message_type FROM messages
                WHERE messages.conv_id = conversations.conv_id ORDER BY seq DESC LIMIT 1
            ) AS said ON true
            WHERE conv_id = ANY ($1)
            """,
            conv_ids,
        )
        return {
            row["conv_id"]: Preview(
                row["name"],
                row["content"],
                MessageDirection(row["direction"]) if row["direction"] else None,
                MessageType(row["message_type"]) if row["message_type"] else None,
            )
            for row in rows
        }
