"""How far each reader has read each conversation."""

from collections.abc import Sequence
from typing import Final

from owner.db.database import Connection
from owner.models.event import Actor

COUNTED: Final = 100  # a hundred unread messages say no more than ninety-nine


class ConversationReadRepository:
    """Readers are people and programs, each with a place of their own."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def put(self, owner_id: int, conv_id: int, reader: Actor, *, last_read_seq: int) -> None:
        """Note how far a reader has read; also further back, to mark as unread."""
        await self.connection.execute(
            """
            INSERT INTO conversation_reads (owner_id, conv_id, reader_kind, reader_id, last_read_seq)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (owner_id, conv_id, reader_kind, reader_id) DO UPDATE SET last_read_seq = excluded.last_read_seq
            """,
            owner_id,
            conv_id,
            reader.kind,
            reader.id,
            last_read_seq,
        )

    async def count_unread(self, conv_ids: Sequence[int], reader: Actor) -> dict[int, int]:
        """How many of the customers' messages a reader has not read, up to a hundred for each conversation."""
        rows = await self.connection.fetch(
            """
            SELECT conv_id, (
                SELECT count(*) FROM (
                    SELECT FROM messages
                    WHERE messages.conv_id = asked.conv_id AND direction = 'INBOUND' AND seq > COALESCE((
                        SELECT last_read_seq FROM conversation_reads AS place
                        WHERE place.conv_id = asked.conv_id AND reader_kind = $2 AND reader_id = $3
                    ), 0)
                    ORDER BY seq DESC LIMIT $4
                ) AS unread
            ) AS count
            FROM unnest($1::bigint[]) AS asked (conv_id)
            """,
            conv_ids,
            reader.kind,
            reader.id,
            COUNTED,
        )
        return {row["conv_id"]: row["count"] for row in rows}
