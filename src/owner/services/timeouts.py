"""Closes conversations that outlived their limits."""

from collections import defaultdict
from typing import Final

from owner.db.database import Database
from owner.logs import get_logger
from owner.repositories.conversations import ConversationRepository
from owner.repositories.directory import Directory
from owner.services.farewell import closing_text, say_goodbye
from owner.services.ports import Clock

log = get_logger(__name__)

BATCH: Final = 500


class TimeoutService:
    """Expiry and idleness; several of these may run at once."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def sweep(self) -> int:
        """Close all that are due, batch after batch. Returns how many were closed."""
        closed = 0
        while True:
            found, closed_now = await self._sweep_batch()
            closed += closed_now
            if found < BATCH or closed_now == 0:
                return closed

    async def _sweep_batch(self) -> tuple[int, int]:
        async with self.database.system() as connection:
            due = await Directory(connection).due_conversations(now=self.clock.now(), limit=BATCH)
        by_owner: dict[int, list[int]] = defaultdict(list)
        for owner_id, conv_id in due:
            by_owner[owner_id].append(conv_id)
        return len(due), sum(
            [await self._close_due(owner_id, conv_ids) for owner_id, conv_ids in by_owner.items()]
        )

    async def _close_due(self, owner_id: int, conv_ids: list[int]) -> int:
        closed = 0
        async with self.database.owner(owner_id) as connection:
            repository = ConversationRepository(connection)
            now = self.clock.now()
            text = await closing_text(connection, owner_id)
            for conversation in await repository.claim_due(conv_ids, now=now):
                if conversation.is_due(now=now):
                    await say_goodbye(connection, conversation, text=text, at=now)
                    conversation.settle(now=now)
                    await repository.save(conversation)
                    closed += 1
                    log.info(
                        "conversation_timed_out",
                        owner_id=owner_id,
                        conv_id=conversation.conv_id,
                        status=conversation.status,
                    )
        return closed
