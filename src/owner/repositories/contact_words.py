"""The words under which contacts are found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from owner.db.database import Connection
from owner.models.contact import Contact
from owner.models.search_words import after_all_that_begin_with

FEW: Final = 500  # contacts, up to which their ids are quicker than a walk along a list
MOST_WORDS: Final = 10  # that begin alike, up to which each is read by itself


@dataclass(frozen=True, slots=True)
class Asked:
    """The beginning of a word, and what has it: some contacts, or whole words that many contacts have.

    Neither where too many words begin so; then nearly every contact has one.
    """

    beginning: str
    contact_ids: Sequence[int] | None = None
    words: Sequence[str] | None = None

    @property
    def end(self) -> str:
        return after_all_that_begin_with(self.beginning)


class ContactWordRepository:
    """Reads and writes contacts' words."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def look_up(self, beginning: str) -> Asked:
        asked = Asked(beginning)
        rows = await self.connection.fetch(
            "SELECT contact_id FROM contact_words WHERE word >= $1 AND word < $2 LIMIT $3",
            asked.beginning,
            asked.end,
            FEW + 1,
        )
        if len(rows) <= FEW:
            return Asked(beginning, contact_ids=list({row["contact_id"] for row in rows}))
        return Asked(beginning, words=await self._list_words(asked))

    async def store(self, contact: Contact, words: Sequence[str]) -> None:
        """Let a contact be found by these words and no others."""
        await self.connection.execute(
            "DELETE FROM contact_words WHERE contact_id = $1 AND word <> ALL ($2)", contact.contact_id, words
        )
        await self.connection.execute(
            """
            INSERT INTO contact_words (owner_id, word, contact_id)
            SELECT $1, word, $2 FROM unnest($3::text[]) AS word ON CONFLICT DO NOTHING
            """,
            contact.owner_id,
            contact.contact_id,
            words,
        )

    async def _list_words(self, asked: Asked) -> list[str] | None:
        """Word by word, each with one look into the index, however many contacts have it."""
        rows = await self.connection.fetch(
            """
            WITH RECURSIVE held AS (
                (SELECT word FROM contact_words WHERE word >= $1 AND word < $2 ORDER BY word LIMIT 1)
                UNION ALL
                SELECT (SELECT next.word FROM contact_words AS next
                        WHERE next.word > held.word AND next.word < $2 ORDER BY next.word LIMIT 1)
                FROM held WHERE held.word IS NOT NULL
            )
            SELECT word FROM held WHERE word IS NOT NULL LIMIT $3
            """,
            asked.beginning,
            asked.end,
            MOST_WORDS + 1,
        )
        return [row["word"] for row in rows] if len(rows) <= MOST_WORDS else None
