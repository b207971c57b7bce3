"""The index by which messages are found: lexemes in it, text only on the way there."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from owner.db.database import Connection
from owner.models.message import Message
from owner.models.search import words_of

_LARGEST_ID = 2**63 - 1


class Found(NamedTuple):
    """A message that holds what was looked for."""

    msg_id: int
    conv_id: int


class MessageSearchRepository:
    """Finds messages of one owner by their words."""

    def __init__(self, connection: Connection, owner_id: int) -> None:
        self.connection = connection
        self.owner_id = owner_id

    async def index(self, msg_ids: Collection[int]) -> None:
        """Make messages findable; those that are already stay as they are."""
        rows = await self.connection.fetch(
            "SELECT msg_id, content FROM messages WHERE msg_id = ANY ($1) AND content <> ''", list(msg_ids)
        )
        await self._add_all((row["msg_id"], row["content"]) for row in rows)

    async def index_latest(self, *, before_id: int, limit: int) -> int | None:
        """Index what is missing among some messages, the newest first.

        Returns the oldest that was looked at, to go on from; None where nothing was missing or nothing is left.
        """
        # Each is looked up by itself: Postgres, which takes every owner for one of middling size, would otherwise rather
        # read the whole index of an owner who has much, to merge it with these few.
        rows = await self.connection.fetch(
            """
            SELECT latest.msg_id, CASE WHEN indexed.msg_id IS NULL THEN content ELSE '' END AS content
            FROM (SELECT msg_id, content FROM messages WHERE msg_id < $1 ORDER BY msg_id DESC LIMIT $2) AS latest
            LEFT JOIN LATERAL (
                SELECT msg_id FROM message_search WHERE message_search.msg_id = latest.msg_id LIMIT 1
            ) AS indexed ON true
            ORDER BY latest.msg_id
            """,
            before_id,
            limit,
        )
        missing = [(row["msg_id"], row["content"]) for row in rows if row["content"]]
        await self._add_all(missing)
        return rows[0]["msg_id"] if missing and len(rows) == limit else None

    async def find(
        self, words: Sequence[str], *, is_unfinished: bool, before_id: int | None, limit: int
    ) -> list[Found]:
        """Messages that hold all of the words, the newest first."""
        rows = await self.connection.fetch(
            "SELECT msg_id, conv_id FROM search_messages($1, $2, $3, $4)",
            words,
            is_unfinished,
            _LARGEST_ID if before_id is None else before_id,
            limit,
        )
        return [Found(row["msg_id"], row["conv_id"]) for row in rows]

    async def find_within(
        self, conv_ids: Collection[int], words: Sequence[str], *, is_unfinished: bool
    ) -> list[Found]:
        """The newest message in each of these conversations that holds all of the words."""
        rows = await self.connection.fetch(
            "SELECT msg_id, conv_id FROM search_conversations($1, $2, $3)",
            words,
            is_unfinished,
            list(conv_ids),
        )
        return [Found(row["msg_id"], row["conv_id"]) for row in rows]

    async def list_messages(self, msg_ids: Sequence[int]) -> list[Message]:
        """These messages, the newest first."""
        rows = await self.connection.fetch(
            "SELECT * FROM messages WHERE msg_id = ANY ($1) ORDER BY msg_id DESC", msg_ids
        )
        return [Message.model_validate(dict(row)) for row in rows]

    async def matching(
        self, candidates: Collection[str], words: Sequence[str], *, is_unfinished: bool
    ) -> set[str]:
        """Those of the candidates by which a message was found."""
        rows = await self.connection.fetch(
            """
            SELECT word FROM unnest($1::text[]) AS word
            WHERE search_lexemes($2, word) @@ (SELECT search_query($2, $3, $4, '|'))  -- once, not for each word
            """,
            list(candidates),
            self.owner_id,
            words,
            is_unfinished,
        )
        return {row["word"] for row in rows}

    async def _add_all(self, texts: Iterable[tuple[int, str]]) -> None:
        """In the order of their ids, so that two who index at once wait for each other and don't block."""
        folded = sorted((msg_id, " ".join(dict.fromkeys(words_of(content)))) for msg_id, content in texts)
        if not folded:
            return
        # The message is looked at once more: it may have been erased since it was read.
        await self.connection.execute(
            """
            INSERT INTO message_search (owner_id, msg_id, conv_id, lexemes)
            SELECT messages.owner_id, msg_id, conv_id, search_lexemes(messages.owner_id, folded.words)
            FROM unnest($1::bigint[], $2::text[]) AS folded (msg_id, words) JOIN messages USING (msg_id)
            WHERE content <> ''
            ORDER BY msg_id
            ON CONFLICT (owner_id, msg_id) DO NOTHING
            """,
            [msg_id for msg_id, _ in folded],
            [words for _, words in folded],
        )
