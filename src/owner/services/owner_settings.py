"""How an owner's conversations behave: shown, and changed by its administrators."""

from owner.db.database import Database
from owner.models.errors import OwnerNotFound
from owner.models.event import NewEvent
from owner.models.owner import Owner, OwnerUpdate
from owner.models.principal import Principal
from owner.repositories.events import EventRepository
from owner.repositories.owners import OwnerRepository
from owner.services.ports import Clock


class OwnerSettingsService:
    """An owner's own row; another's looks like one that is not there."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def get(self, owner_id: int, *, caller: Principal) -> Owner:
        _refuse_strangers(owner_id, caller)
        async with self.database.owner(owner_id) as connection:
            return await OwnerRepository(connection).get(owner_id)

    async def change(self, owner_id: int, update: OwnerUpdate, *, caller: Principal) -> Owner:
        """Change what was given; webhooks see it at once, in every process.

        Raises:
            OwnerNotFound: there is none, or it is another than the caller's.
            InvalidInput: together with what stays the change makes no sense.
        """
        _refuse_strangers(owner_id, caller)
        async with self.database.owner(owner_id) as connection:
            repository = OwnerRepository(connection)
            owner = await repository.get(owner_id, for_update=True)
            changed = owner.change(update, at=self.clock.now())
            if changed:
                await repository.save(owner)
                event = NewEvent("owner.updated", caller.actor, data={"fields": changed})
                await EventRepository(connection).add_all(owner_id, [event])
        return owner


def _refuse_strangers(owner_id: int, caller: Principal) -> None:
    if caller.owner_id != owner_id and not caller.is_platform:
        raise OwnerNotFound(f"There is no owner {owner_id}.")
