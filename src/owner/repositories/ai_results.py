"""What models and detectors made of messages."""

from typing import ClassVar

from owner.models.ai_result import AIResult
from owner.repositories.base import BaseRepository


class AIResultRepository(BaseRepository[AIResult]):
    """What models and detectors made of messages."""

    entity: ClassVar = AIResult
    table: ClassVar = "ai_results"
    key: ClassVar = "ai_result_id"

    async def list_by_message(self, msg_id: int) -> list[AIResult]:
        return await self.list_where(msg_id=msg_id)
