"""Takes a person's words and numbers out of every table that holds some."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from owner.db.database import Connection
from owner.models.conversation import Conversation
from owner.models.erasure import bare_payload, without_words
from owner.models.message import Message
from owner.repositories.named_sql import load_sql

_SQL: Final = load_sql("erasure")
_BATCH: Final = 500


class Counts(NamedTuple):
    """How much there is of a person."""

    conversations: int
    messages: int
    files: int


class ErasureRepository:
    """One transaction's view of one person."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def list_family(self, contact_id: int) -> list[int]:
        """The contact and all that were merged into it, by id."""
        rows = await self.connection.fetch(_SQL["family"], contact_id)
        return [row["contact_id"] for row in rows]

    async def lock_conversations(self, contact_ids: Sequence[int]) -> list[Conversation]:
        rows = await self.connection.fetch(
            "SELECT * FROM conversations WHERE contact_id = ANY ($1) ORDER BY conv_id FOR UPDATE", contact_ids
        )
        return [Conversation.model_validate(dict(row)) for row in rows]

    async def lock_unsent(self, conv_ids: Sequence[int]) -> list[Message]:
        """What still waits to be sent."""
        rows = await self.connection.fetch(
            """
            SELECT * FROM messages
            WHERE conv_id = ANY ($1) AND delivery_status = 'QUEUED' AND provider_sid IS NULL AND direction = 'OUTBOUND'
            ORDER BY conv_id, seq FOR UPDATE
            """,
            conv_ids,
        )
        return [Message.model_validate(dict(row)) for row in rows]

    async def erase_words(
        self, contact_ids: Sequence[int], conversations: Sequence[Conversation], *, at: datetime
    ) -> None:
        """Leave counts, times and states, and no word or number. Conversations are locked by the caller."""
        for name in ("messages", "message_search", "ai_results", "notes"):
            await self.connection.execute(_SQL[name], contact_ids)
        await self.connection.execute(_SQL["media"], contact_ids, at)
        for conversation in conversations:
            await self._bare_events("conversation", conversation.conv_id)
        for contact_id in contact_ids:
            await self._bare_events("contact", contact_id)
        await self.bare_deliveries(contact_ids, [conversation.conv_id for conversation in conversations])
        for name in ("conversations", "consents", "merges", "words", "addresses"):
            await self.connection.execute(_SQL[name], contact_ids)
        await self.connection.execute(_SQL["contacts"], contact_ids, at)

    async def forget_search(self, contact_ids: Sequence[int]) -> None:
        """Let nobody find what a person said by its words."""
        await self.connection.execute(_SQL["message_search"], contact_ids)

    async def bare_deliveries(self, contact_ids: Sequence[int], conv_ids: Sequence[int]) -> None:
        """Take the words out of what integrators are told, and what they answered out of the log."""
        for conv_id in conv_ids:
            await self._bare_deliveries("conversation", conv_id)
        for contact_id in contact_ids:
            await self._bare_deliveries("contact", contact_id)

    async def list_conv_ids(self, contact_id: int) -> list[int]:
        rows = await self.connection.fetch(
            "SELECT conv_id FROM conversations WHERE contact_id = $1 ORDER BY conv_id", contact_id
        )
        return [row["conv_id"] for row in rows]

    async def count(self, contact_id: int) -> Counts:
        row = await self.connection.fetchrow(_SQL["counts"], contact_id)
        assert row is not None
        return Counts(*row)

    async def list_files(self, contact_id: int, *, after: int) -> list[int]:
        """Some of a person's files, by id."""
        rows = await self.connection.fetch(_SQL["files"], contact_id, after, _BATCH)
        return [row["media_id"] for row in rows]

    async def list_answers(self, *, after: str) -> list[tuple[str, bytes]]:
        """Some of the answers that are kept for repeated requests, by their keys; they are encrypted."""
        rows = await self.connection.fetch(
            "SELECT key, body FROM idempotency_keys WHERE key > $1 ORDER BY key LIMIT $2", after, _BATCH
        )
        return [(row["key"], row["body"]) for row in rows]

    async def forget_answers(self, keys: Sequence[str]) -> None:
        await self.connection.execute("DELETE FROM idempotency_keys WHERE key = ANY ($1)", keys)

    async def _bare_events(self, of: str, key: int) -> None:
        last = 0
        while True:
            rows = await self.connection.fetch(_SQL[f"events_of_{of}"], key, last, _BATCH)
            bare = [
                (key, row["event_id"], row["created_at"], stays)
                for row in rows
                if (stays := without_words(row["data"])) != row["data"]
            ]
            await self.connection.executemany(_SQL[f"bare_event_of_{of}"], bare)
            if len(rows) < _BATCH:
                return
            last = rows[-1]["event_id"]

    async def _bare_deliveries(self, of: str, key: int) -> None:
        last = 0
        while True:
            rows = await self.connection.fetch(_SQL[f"deliveries_of_{of}"], key, last, _BATCH)
            await self.connection.executemany(
                _SQL["bare_delivery"],
                [
                    (
                        row["delivery_id"],
                        row["created_at"],
                        bare_payload(row["payload"]),
                        [{**attempt, "response_body": ""} for attempt in row["attempt_log"]],
                    )
                    for row in rows
                ],
            )
            if len(rows) < _BATCH:
                return
            last = rows[-1]["delivery_id"]
