"""What people and programs do with conversations: open, read, close, extend."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from owner.db.database import Connection, Database
from owner.models.addresses import Address, canonical, parse_phone_number
from owner.models.conversation import Conversation
from owner.models.conversation_dtos import ConversationClose, ConversationCreate
from owner.models.conversation_query import ConversationQuery
from owner.models.entity import Page
from owner.models.enums import Channel, ConversationStatus
from owner.models.errors import InvalidAddress, SenderUnknown
from owner.models.event import Actor, HistoryEvent
from owner.models.principal import Principal
from owner.models.twilio_account import ChannelAddress
from owner.repositories.conversation_lists import ConversationListRepository
from owner.repositories.conversations import ConversationRepository
from owner.repositories.events import EventRepository
from owner.repositories.owners import OwnerRepository
from owner.repositories.twilio_accounts import TwilioAccountRepository
from owner.services.address_book import AddressBook
from owner.services.authority import closing_status
from owner.services.customer_lock import customer_lock
from owner.services.farewell import closing_text, say_goodbye
from owner.services.ports import Clock
from owner.services.search import list_conversations


class ConversationService:
    """Everything about conversations but their messages."""

    def __init__(self, database: Database, *, clock: Clock, address_book: AddressBook) -> None:
        self.database = database
        self.clock = clock
        self.address_book = address_book

    async def create_or_get(
        self, owner_id: int, create: ConversationCreate, *, by: Actor
    ) -> tuple[Conversation, bool]:
        """The open conversation with a customer, and whether it had to be opened now."""
        customer = _customer_of(create)
        sender = await self._choose_sender(owner_id, create)
        key = canonical(customer)
        async with self.database.owner(owner_id, lock=customer_lock(owner_id, key)) as connection:
            found = await ConversationRepository(connection).find_open(key, sender.address)
            # Without a goodbye: what begins now would contradict it.
            if found is not None and not await self._settle(connection, found, says_goodbye=False):
                return found, False
            return await self._open(connection, create, customer, sender, by), True

    async def get(self, owner_id: int, conv_id: int) -> Conversation:
        async with self.database.owner(owner_id) as connection:
            return await ConversationRepository(connection).get(conv_id)

    async def list_page(self, owner_id: int, query: ConversationQuery) -> Page[Conversation]:
        """Raises `InvalidCursor` for a cursor that is not from a list in this order."""
        async with self.database.owner(owner_id) as connection:
            if query.text:
                return await list_conversations(connection, owner_id, query)
            return await ConversationListRepository(connection).list_page(query)

    async def history(
        self, owner_id: int, conv_id: int, *, limit: int, cursor: str | None = None
    ) -> Page[HistoryEvent]:
        """Everything that happened in a conversation, oldest first."""
        async with self.database.owner(owner_id) as connection:
            await ConversationRepository(connection).get(conv_id)
            return await EventRepository(connection).list_by_conversation(conv_id, limit=limit, cursor=cursor)

    async def close(
        self, owner_id: int, conv_id: int, close: ConversationClose, *, by: Actor
    ) -> Conversation:
        """End a conversation, with the owner's goodbye unless it FAILED; one whose time is over has ended already.

        Raises:
            InvalidTransition: the life cycle doesn't allow it; it names both states.
        """
        async with self.locked(owner_id, conv_id) as (connection, conversation):
            at = self.clock.now()
            status = close.status or ConversationStatus.AGENT_CLOSED
            if status is not ConversationStatus.FAILED:
                text = await closing_text(connection, owner_id)
                await say_goodbye(connection, conversation, text=text, at=at)
            conversation.close(as_status=status, by=by, reason=close.reason, at=at)
            await ConversationRepository(connection).save(conversation)
        return conversation

    async def close_as(self, caller: Principal, conv_id: int, close: ConversationClose) -> Conversation:
        """End a conversation in the way that the caller's role has."""
        close = close.model_copy(update={"status": closing_status(caller, close.status)})
        return await self.close(caller.owner_id, conv_id, close, by=caller.actor)

    async def extend(self, owner_id: int, conv_id: int, *, by_time: timedelta, by: Actor) -> Conversation:
        """Let a conversation live longer."""
        async with self.changing(owner_id, conv_id) as conversation:
            conversation.extend(by_time=by_time, by=by, at=self.clock.now())
        return conversation

    @asynccontextmanager
    async def changing(self, owner_id: int, conv_id: int) -> AsyncIterator[Conversation]:
        """A conversation under lock, settled if it was due; stored when the block ends without an error."""
        async with self.locked(owner_id, conv_id) as (connection, conversation):
            yield conversation
            await ConversationRepository(connection).save(conversation)

    @asynccontextmanager
    async def locked(self, owner_id: int, conv_id: int) -> AsyncIterator[tuple[Connection, Conversation]]:
        """A conversation under lock and the transaction that holds it.

        One that is due is settled and committed first, so that a refusal that follows doesn't undo it.
        """
        async with self.database.owner(owner_id) as connection:
            conversation = await ConversationRepository(connection).get(conv_id, for_update=True)
            if not await self._settle(connection, conversation, says_goodbye=True):
                yield connection, conversation
                return
        async with self.database.owner(owner_id) as connection:
            yield connection, await ConversationRepository(connection).get(conv_id, for_update=True)

    async def _settle(
        self, connection: Connection, conversation: Conversation, *, says_goodbye: bool
    ) -> bool:
        now = self.clock.now()
        if not conversation.is_due(now=now):
            return False
        if says_goodbye:
            text = await closing_text(connection, conversation.owner_id)
            await say_goodbye(connection, conversation, text=text, at=now)
        conversation.settle(now=now)
        await ConversationRepository(connection).save(conversation)
        return True

    async def _choose_sender(self, owner_id: int, create: ConversationCreate) -> ChannelAddress:
        """Our address: the one that was named, or the only one of the channel."""
        async with self.database.owner(owner_id) as connection:
            ours = await TwilioAccountRepository(connection).list_addresses(channel=create.channel)
        if create.our_address is not None:
            named = parse_phone_number(create.our_address, field="our_address").value
            ours = [address for address in ours if address.address == named]
        if len(ours) != 1:
            raise SenderUnknown(field="our_address", channel=create.channel, candidates=len(ours))
        return ours[0]

    async def _open(
        self,
        connection: Connection,
        create: ConversationCreate,
        customer: Address,
        sender: ChannelAddress,
        by: Actor,
    ) -> Conversation:
        key, owner_id = canonical(customer), sender.owner_id
        repository = ConversationRepository(connection)
        owner = await OwnerRepository(connection).get(owner_id)
        contact_id = await self.address_book.find_or_add_contact(
            connection, owner_id, customer, name=create.contact_name, by=by
        )
        previous = await repository.find_latest(contact_id, key, sender.address)
        conversation = Conversation.open(
            owner_id=owner_id,
            conv_id=await repository.next_id(),
            channel=create.channel,
            contact_id=contact_id,
            customer_address=key.value,
            our_address=sender.address,
            twilio_account_id=sender.twilio_account_id,
            limits=owner.limits,
            by=by,
            at=self.clock.now(),
            context=create.context,
            previous_conv_id=previous.conv_id if previous else None,
        )
        conversation.handler = create.handler
        conversation.last_inbound_at = previous.last_inbound_at if previous else None
        await repository.store_new(conversation)
        return conversation


def _customer_of(create: ConversationCreate) -> Address:
    address = parse_phone_number(create.customer_address, field="customer_address")
    if address.channel not in {create.channel, Channel.SMS}:
        raise InvalidAddress(
            f"The address is not one of the channel {create.channel}.", field="customer_address"
        )
    return Address(create.channel, address.value)
