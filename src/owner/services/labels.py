"""Labels, and which conversations they are on."""

from owner.db.database import Connection, Database
from owner.models.entity import Page
from owner.models.event import NewEvent
from owner.models.label import MAXIMUM_ON_CONVERSATION, Label, LabelCreate, LabelUpdate
from owner.models.principal import Principal
from owner.models.work_errors import TooManyLabels
from owner.repositories.conversations import ConversationRepository
from owner.repositories.events import EventRepository
from owner.repositories.labels import LabelRepository
from owner.services.ports import Clock


class LabelService:
    """Words on conversations."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def create(self, caller: Principal, create: LabelCreate) -> Label:
        """Raises `AlreadyExists` where a label has the name."""
        async with self.database.owner(caller.owner_id) as connection:
            label = await LabelRepository(connection).add(
                {"owner_id": caller.owner_id, **create.model_dump()}
            )
            await _note(connection, caller, "label.created", label.label_id)
        return label

    async def list_page(self, owner_id: int, *, limit: int, cursor: str | None = None) -> Page[Label]:
        async with self.database.owner(owner_id) as connection:
            return await LabelRepository(connection).list_page(limit=limit, cursor=cursor)

    async def get(self, owner_id: int, label_id: int) -> Label:
        async with self.database.owner(owner_id) as connection:
            return await LabelRepository(connection).get(label_id)

    async def change(self, caller: Principal, label_id: int, update: LabelUpdate) -> Label:
        async with self.database.owner(caller.owner_id) as connection:
            labels = LabelRepository(connection)
            label = await labels.get(label_id, for_update=True)
            label = label.model_copy(update={**update.changes(), "updated_at": self.clock.now()})
            await labels.save(label)
            await _note(connection, caller, "label.updated", label_id)
        return label

    async def delete(self, caller: Principal, label_id: int) -> None:
        """It is gone from every conversation too."""
        async with self.database.owner(caller.owner_id) as connection:
            await LabelRepository(connection).delete(label_id)
            await _note(connection, caller, "label.deleted", label_id)

    async def put_on(self, caller: Principal, conv_id: int, label_id: int) -> None:
        """Label a conversation; a second time changes nothing.

        Raises:
            TooManyLabels: it has as many as it can have.
        """
        async with self.database.owner(caller.owner_id) as connection:
            labels = LabelRepository(connection)
            await ConversationRepository(connection).get(conv_id, for_update=True)
            await labels.get(label_id)
            if not await labels.put_on(caller.owner_id, conv_id, label_id):
                return
            if await labels.count_on(conv_id) > MAXIMUM_ON_CONVERSATION:
                raise TooManyLabels(limit=MAXIMUM_ON_CONVERSATION)
            await _note(connection, caller, "conversation.labeled", label_id, conv_id=conv_id)

    async def take_off(self, caller: Principal, conv_id: int, label_id: int) -> None:
        """Take a label off a conversation; one that is not on it is no error."""
        async with self.database.owner(caller.owner_id) as connection:
            await ConversationRepository(connection).get(conv_id)
            await LabelRepository(connection).get(label_id)
            if await LabelRepository(connection).take_off(conv_id, label_id):
                await _note(connection, caller, "conversation.unlabeled", label_id, conv_id=conv_id)


async def _note(
    connection: Connection, caller: Principal, event_type: str, label_id: int, *, conv_id: int | None = None
) -> None:
    event = NewEvent(event_type, caller.actor, conv_id=conv_id, data={"label_id": label_id})
    await EventRepository(connection).add_all(caller.owner_id, [event])
