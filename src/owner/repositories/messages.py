"""Messages of one owner's conversations."""

from typing import ClassVar, Final

from owner.models.entity import Page
from owner.models.enums import DeliveryStatus
from owner.models.errors import MessageNotFound, OwnerError
from owner.models.message import Message
from owner.repositories.base import MAXIMUM_PAGE, BaseRepository, page_of, read_cursor, write_cursor

LARGEST: Final = 2**63 - 1


class MessageRepository(BaseRepository[Message]):
    """Messages of one owner's conversations."""

    entity: ClassVar = Message
    table: ClassVar = "messages"
    key: ClassVar = "msg_id"

    async def list_by_conversation(
        self, conv_id: int, *, limit: int, cursor: str | None = None, newest_first: bool = False
    ) -> Page[Message]:
        """One page of a conversation."""
        size = min(limit, MAXIMUM_PAGE)
        name, sign, direction = (
            ("messages, newest first", "<", "DESC") if newest_first else ("messages", ">", "ASC")
        )
        beginning = LARGEST if newest_first else 0
        rows = await self.connection.fetch(
            f"SELECT * FROM messages WHERE conv_id = $1 AND seq {sign} $2 ORDER BY seq {direction} LIMIT $3",  # nosec B608 # words of this code
            conv_id,
            beginning if cursor is None else read_cursor(cursor, name),
            size + 1,
        )
        return page_of([self.read(row) for row in rows], size, lambda last: write_cursor(last.seq, name))

    async def find_last(self, conv_id: int) -> Message | None:
        """What was said last in a conversation."""
        row = await self.connection.fetchrow(
            "SELECT * FROM messages WHERE conv_id = $1 ORDER BY seq DESC LIMIT 1", conv_id
        )
        return self.read(row) if row else None

    async def find_by_sid(self, provider_sid: str, *, for_update: bool = False) -> Message | None:
        lock = " FOR UPDATE" if for_update else ""
        row = await self.connection.fetchrow(
            f"SELECT * FROM messages WHERE provider_sid = $1{lock}",  # nosec B608 # a constant
            provider_sid,
        )
        return self.read(row) if row else None

    async def list_known_sids(self, provider_sids: list[str]) -> set[str]:
        """Those of the SIDs that messages here have."""
        rows = await self.connection.fetch(
            "SELECT provider_sid FROM messages WHERE provider_sid = ANY ($1)", provider_sids
        )
        return {row["provider_sid"] for row in rows}

    async def statuses_by_sid(self, provider_sids: list[str]) -> dict[str, DeliveryStatus]:
        """How far those of the messages got that are here."""
        rows = await self.connection.fetch(
            "SELECT provider_sid, delivery_status FROM messages WHERE provider_sid = ANY ($1)", provider_sids
        )
        return {row["provider_sid"]: DeliveryStatus(row["delivery_status"]) for row in rows}

    def missing(self, key: int) -> OwnerError:
        return MessageNotFound(key)
