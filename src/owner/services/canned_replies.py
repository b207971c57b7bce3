"""Canned replies: kept by shortcut, filled in for one conversation."""

from owner.db.database import Connection, Database
from owner.models.canned_reply import CannedReply, CannedReplyCreate, CannedReplyUpdate
from owner.models.conversation import Conversation
from owner.models.entity import Page
from owner.models.enums import ActorKind
from owner.models.errors import InvalidInput
from owner.models.event import Actor, NewEvent
from owner.models.message import MAXIMUM_LENGTH
from owner.models.principal import Principal
from owner.repositories.canned_replies import CannedReplyRepository
from owner.repositories.contacts import ContactRepository
from owner.repositories.conversations import ConversationRepository
from owner.repositories.events import EventRepository
from owner.repositories.owners import OwnerRepository
from owner.repositories.users import UserRepository
from owner.services.ports import Clock


class CannedReplyService:
    """Answers that are written once and sent often."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def create(self, caller: Principal, create: CannedReplyCreate) -> CannedReply:
        """Raises `AlreadyExists` where a reply has the shortcut."""
        async with self.database.owner(caller.owner_id) as connection:
            reply = await CannedReplyRepository(connection).add(
                {"owner_id": caller.owner_id, **create.model_dump()}
            )
            await _note(connection, caller, "canned_reply.created", reply.canned_reply_id)
        return reply

    async def get(self, owner_id: int, canned_reply_id: int) -> CannedReply:
        async with self.database.owner(owner_id) as connection:
            return await CannedReplyRepository(connection).get(canned_reply_id)

    async def list_page(self, owner_id: int, *, limit: int, cursor: str | None = None) -> Page[CannedReply]:
        async with self.database.owner(owner_id) as connection:
            return await CannedReplyRepository(connection).list_page(limit=limit, cursor=cursor)

    async def change(self, caller: Principal, canned_reply_id: int, update: CannedReplyUpdate) -> CannedReply:
        async with self.database.owner(caller.owner_id) as connection:
            replies = CannedReplyRepository(connection)
            reply = await replies.get(canned_reply_id, for_update=True)
            reply = reply.model_copy(update={**update.changes(), "updated_at": self.clock.now()})
            await replies.save(reply)
            await _note(connection, caller, "canned_reply.updated", canned_reply_id)
        return reply

    async def delete(self, caller: Principal, canned_reply_id: int) -> None:
        async with self.database.owner(caller.owner_id) as connection:
            await CannedReplyRepository(connection).delete(canned_reply_id)
            await _note(connection, caller, "canned_reply.deleted", canned_reply_id)

    async def preview(self, caller: Principal, canned_reply_id: int, *, conv_id: int) -> str:
        """What the customer of a conversation would read."""
        async with self.database.owner(caller.owner_id) as connection:
            conversation = await ConversationRepository(connection).get(conv_id)
            return await render(connection, conversation, canned_reply_id, by=caller.actor)


async def render(
    connection: Connection, conversation: Conversation, canned_reply_id: int, *, by: Actor
) -> str:
    """A canned reply with its variables filled in.

    Raises:
        NotFound: there is no such reply.
        InvalidInput: filled in, it is longer than a message may be.
    """
    reply = await CannedReplyRepository(connection).get(canned_reply_id)
    owner = await OwnerRepository(connection).get(conversation.owner_id)
    contact = await ContactRepository(connection).get(conversation.contact_id)
    person = await UserRepository(connection).find(by.id) if by.kind is ActorKind.USER and by.id else None
    text = reply.render(
        {
            "contact.name": contact.name,
            "contact.first_name": contact.name.split()[0] if contact.name and contact.name.strip() else None,
            "agent.name": person.name if person else owner.name,
            "owner.name": owner.name,
            "conversation.id": str(conversation.conv_id),
        }
    )
    if len(text) > MAXIMUM_LENGTH:
        raise InvalidInput(
            f"Filled in, the reply has {len(text)} characters; a message has at most {MAXIMUM_LENGTH}.",
            field="canned_reply_id",
        )
    return text


async def _note(connection: Connection, caller: Principal, event_type: str, canned_reply_id: int) -> None:
    event = NewEvent(event_type, caller.actor, data={"canned_reply_id": canned_reply_id})
    await EventRepository(connection).add_all(caller.owner_id, [event])
