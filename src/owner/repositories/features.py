"""What an owner has switched on."""

from typing import ClassVar

import asyncpg

from owner.models.errors import AlreadyExists, Conflict, NotFound, OwnerError
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

    async def delete(self, key: int) -> None:
        try:
            await super().delete(key)
        except asyncpg.ForeignKeyViolationError as problem:
            raise Conflict(
                "Results of this feature are kept: switch it off instead (`enabled`)."
            ) from problem

    def missing(self, key: int) -> OwnerError:
        return NotFound(f"There is no feature {key}.")

    def taken(self, _constraint: str) -> OwnerError:
        return AlreadyExists("This feature is there already; change it.", field="name")
