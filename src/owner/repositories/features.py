"""What an owner has switched on."""

from typing import ClassVar

from owner.models.feature import Feature
from owner.repositories.base import BaseRepository


class FeatureRepository(BaseRepository[Feature]):
    """What an owner has switched on."""

    entity: ClassVar = Feature
    table: ClassVar = "features"
    key: ClassVar = "feature_id"

    async def find_by_name(self, name: str) -> Feature | None:
        return await self.find_where(name=name)

    async def list_enabled(self) -> list[Feature]:
        return await self.list_where(enabled=True)
