"""What an owner has switched on."""

from owner.db.database import Connection, Database
from owner.models.entity import Page
from owner.models.event import Actor, NewEvent
from owner.models.feature import Feature, FeatureCreate, FeatureUpdate
from owner.models.feature_schemas import FEATURES, check_config
from owner.repositories.events import EventRepository
from owner.repositories.features import FeatureRepository
from owner.services.ports import Clock


class FeatureService:
    """Features of one owner, each name once."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def list_page(self, owner_id: int, *, limit: int, cursor: str | None = None) -> Page[Feature]:
        async with self.database.owner(owner_id) as connection:
            return await FeatureRepository(connection).list_page(limit=limit, cursor=cursor)

    async def get(self, owner_id: int, feature_id: int) -> Feature:
        async with self.database.owner(owner_id) as connection:
            return await FeatureRepository(connection).get(feature_id)

    async def list_known(self, owner_id: int) -> dict[str, Feature]:
        """Those of the product that the owner has, by name."""
        async with self.database.owner(owner_id) as connection:
            repository = FeatureRepository(connection)
            found = [await repository.find_by_name(name) for name in FEATURES]
        return {feature.name: feature for feature in found if feature}

    async def create(self, owner_id: int, create: FeatureCreate, *, by: Actor) -> Feature:
        """Store a feature.

        Raises:
            InvalidInput: the configuration is not one of this feature.
            AlreadyExists: the owner has it already.
        """
        config = check_config(create.name, create.config_json)
        async with self.database.owner(owner_id) as connection:
            feature = await FeatureRepository(connection).add(
                {
                    "owner_id": owner_id,
                    "name": create.name,
                    "enabled": create.enabled,
                    "config_json": config,
                }
            )
            await _tell(connection, "feature.created", feature, by)
        return feature

    async def change(self, owner_id: int, feature_id: int, update: FeatureUpdate, *, by: Actor) -> Feature:
        """Change what was given; raises `InvalidInput` where it is no configuration of this feature."""
        async with self.database.owner(owner_id) as connection:
            repository = FeatureRepository(connection)
            feature = await repository.get(feature_id, for_update=True)
            before = feature.model_copy()
            if "config_json" in update.model_fields_set:
                feature.config_json = check_config(feature.name, update.config_json)
            if "enabled" in update.model_fields_set:
                feature.enabled = update.enabled
            if feature != before:
                feature.updated_at = self.clock.now()
                await repository.save(feature)
                await _tell(connection, "feature.updated", feature, by)
        return feature

    async def delete(self, owner_id: int, feature_id: int, *, by: Actor) -> None:
        """Forget a feature; raises `Conflict` while results refer to it."""
        async with self.database.owner(owner_id) as connection:
            repository = FeatureRepository(connection)
            feature = await repository.get(feature_id, for_update=True)
            await repository.delete(feature_id)
            await _tell(connection, "feature.deleted", feature, by)


async def _tell(connection: Connection, event_type: str, feature: Feature, by: Actor) -> None:
    facts = {"feature_id": feature.feature_id, "name": feature.name, "enabled": feature.enabled}
    await EventRepository(connection).add_all(feature.owner_id, [NewEvent(event_type, by, data=facts)])
