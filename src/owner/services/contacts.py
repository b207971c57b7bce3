"""What people and programs do with contacts: make them known, find, change and block them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from owner.db.database import Connection, Database
from owner.models.addresses import Address, canonical, parse_address, parse_phone_number
from owner.models.contact import (
    AddressInput,
    Contact,
    ContactAddress,
    ContactAddressResponse,
    ContactCreate,
    ContactFilter,
    ContactResponse,
    ContactUpdate,
)
from owner.models.contact_errors import AddressInUse, AddressTaken
from owner.models.entity import Page
from owner.models.enums import Channel
from owner.models.errors import NotFound
from owner.models.event import Actor, NewEvent
from owner.repositories.contact_addresses import ContactAddressRepository
from owner.repositories.contacts import ContactRepository
from owner.repositories.conversations import ConversationRepository
from owner.repositories.events import EventRepository
from owner.services.address_book import AddressBook, index_contact
from owner.services.arrival import BLOCKED
from owner.services.customer_lock import customer_lock
from owner.services.ports import Clock


@dataclass(frozen=True, slots=True)
class KnownContact:
    """A contact with the ways to reach it."""

    contact: Contact
    addresses: Sequence[ContactAddress]

    def shown(self) -> ContactResponse:
        """The contact as it is shown outside."""
        fields = {
            name: getattr(self.contact, name) for name in ContactResponse.model_fields if name != "addresses"
        }
        addresses = [ContactAddressResponse.model_validate(address) for address in self.addresses]
        return ContactResponse(**fields, addresses=addresses)


class ContactService:
    """Customers as the company knows them."""

    def __init__(self, database: Database, *, clock: Clock, address_book: AddressBook) -> None:
        self.database = database
        self.clock = clock
        self.address_book = address_book

    async def create(self, owner_id: int, create: ContactCreate, *, by: Actor) -> KnownContact:
        """Make a person known.

        Raises:
            InvalidAddress: one of the addresses is none.
            AddressTaken: one belongs to another contact, which it names.
        """
        addresses = [
            given.parsed(field=f"addresses.{place}.address") for place, given in enumerate(create.addresses)
        ]
        async with self.database.owner(owner_id) as connection:
            await self._lock_free(connection, owner_id, addresses, field="addresses")
            contact = await self.address_book.add_contact(
                connection,
                owner_id,
                addresses,
                by=by,
                name=create.name,
                language=create.language,
                attributes=create.attributes,
            )
            return await load_contact(connection, contact)

    async def get(self, owner_id: int, contact_id: int) -> KnownContact:
        async with self.database.owner(owner_id) as connection:
            return await load_contact(connection, await ContactRepository(connection).get(contact_id))

    async def list_page(
        self, owner_id: int, wanted: ContactFilter, *, limit: int, cursor: str | None = None
    ) -> Page[KnownContact]:
        """Contacts that are neither merged nor erased, newest first; by name if the beginning of one is wanted.

        Raises:
            InvalidAddress: the address is none.
        """
        address = asked_address(wanted.address) if wanted.address is not None else None
        async with self.database.owner(owner_id) as connection:
            page = await ContactRepository(connection).list_matching(
                wanted, address=address, limit=limit, cursor=cursor
            )
            addresses = await ContactAddressRepository(connection).list_by_contacts(
                [contact.contact_id for contact in page.items]
            )
        known = [
            KnownContact(contact, [each for each in addresses if each.contact_id == contact.contact_id])
            for contact in page.items
        ]
        return Page[KnownContact].model_construct(items=known, next_cursor=page.next_cursor)

    async def update(
        self, owner_id: int, contact_id: int, update: ContactUpdate, *, by: Actor
    ) -> KnownContact:
        async with self.changing(owner_id, contact_id) as (connection, contact):
            changed = contact.change(update, at=self.clock.now())
            if changed:
                await ContactRepository(connection).save(contact)
                await index_contact(connection, contact)
                await note(connection, contact, "contact.updated", by, fields=changed)
            return await load_contact(connection, contact)

    async def add_address(
        self, owner_id: int, contact_id: int, given: AddressInput, *, by: Actor
    ) -> KnownContact:
        """Let a contact be reached at another address; one that it has already changes nothing.

        Raises:
            AddressTaken: it belongs to another contact, which it names.
        """
        address = given.parsed()
        async with self.changing(owner_id, contact_id) as (connection, contact):
            await self._lock_free(connection, owner_id, [address], field="address", but_for=contact_id)
            if await ContactAddressRepository(connection).find(canonical(address)) is None:
                await self.address_book.add_addresses(connection, contact, [address])
                await note(connection, contact, "contact.updated", by, fields=["addresses"])
            return await load_contact(connection, contact)

    async def remove_address(
        self, owner_id: int, contact_id: int, given: AddressInput, *, by: Actor
    ) -> KnownContact:
        """Forget an address; an opt-out outlives it.

        Raises:
            NotFound: the contact has no such address.
            AddressInUse: a conversation with it is open.
        """
        key = canonical(given.parsed())
        async with self.changing(owner_id, contact_id) as (connection, contact):
            addresses = ContactAddressRepository(connection)
            await ContactRepository(connection).lock_customers([customer_lock(owner_id, key)])
            found = await addresses.find(key, for_update=True)
            if found is None or found.contact_id != contact_id:
                raise NotFound("The contact has no such address.", field="address")
            open_conv_id = await ConversationRepository(connection).find_open_id(key)
            if open_conv_id is not None:
                raise AddressInUse(open_conv_id)
            await self.address_book.suppressions.keep(connection, owner_id, [found])
            await addresses.remove(key)
            await index_contact(connection, contact)
            await note(connection, contact, "contact.updated", by, fields=["addresses"])
            return await load_contact(connection, contact)

    async def block(self, owner_id: int, contact_id: int, *, reason: str | None, by: Actor) -> KnownContact:
        """Hear nothing from a contact and write nothing to it; its open conversations end."""
        async with self.changing(owner_id, contact_id) as (connection, contact):
            if contact.block(reason=reason, at=self.clock.now()):
                # Whoever opens a conversation at this moment is done before, or finds the contact blocked.
                await lock_customers_of(connection, [contact])
                await ContactRepository(connection).save(contact)
                await note(connection, contact, "contact.blocked", by)
                await end_conversations(connection, contact_id, by=by, at=self.clock.now())
            return await load_contact(connection, contact)

    async def unblock(self, owner_id: int, contact_id: int, *, by: Actor) -> KnownContact:
        async with self.changing(owner_id, contact_id) as (connection, contact):
            if contact.unblock(at=self.clock.now()):
                await ContactRepository(connection).save(contact)
                await note(connection, contact, "contact.unblocked", by)
            return await load_contact(connection, contact)

    @asynccontextmanager
    async def changing(self, owner_id: int, contact_id: int) -> AsyncIterator[tuple[Connection, Contact]]:
        """A contact under lock; raises `ContactMerged` or `ContactErased` where it is a tombstone."""
        async with self.database.owner(owner_id) as connection:
            contact = await ContactRepository(connection).lock(contact_id)
            contact.refuse_if_gone()
            yield connection, contact

    async def _lock_free(
        self,
        connection: Connection,
        owner_id: int,
        addresses: Sequence[Address],
        *,
        field: str,
        but_for: int | None = None,
    ) -> None:
        """Hold the addresses against inbound messages that would make contacts of them, and refuse taken ones.

        A number is one person's on every channel, as it is for inbound messages.
        """
        keys = [canonical(address) for address in addresses]
        await ContactRepository(connection).lock_customers([customer_lock(owner_id, key) for key in keys])
        for known in await ContactAddressRepository(connection).list_by_values([key.value for key in keys]):
            if known.contact_id != but_for:
                raise AddressTaken(known.contact_id, field=field)


async def end_conversations(connection: Connection, contact_id: int, *, by: Actor, at: datetime) -> None:
    """End what a blocked contact has open."""
    repository = ConversationRepository(connection)
    for conversation in await repository.list_open_by_contact(contact_id):
        if not conversation.settle(now=at):
            conversation.fail(reason=BLOCKED, by=by, at=at)
        await repository.save(conversation)


async def load_contact(connection: Connection, contact: Contact) -> KnownContact:
    addresses = await ContactAddressRepository(connection).list_by_contacts([contact.contact_id])
    return KnownContact(contact, addresses)


async def lock_customers_of(connection: Connection, contacts: Sequence[Contact]) -> list[ContactAddress]:
    """Hold everything that these contacts' messages may open; returns their addresses.

    The contacts are locked, so that no address joins them meanwhile; one that leaves is held for nothing.
    """
    repository = ContactAddressRepository(connection)
    contact_ids = [contact.contact_id for contact in contacts]
    addresses = await repository.list_by_contacts(contact_ids)
    keys = [customer_lock(address.owner_id, address.key) for address in addresses]
    await ContactRepository(connection).lock_customers(keys)
    return await repository.list_by_contacts(contact_ids)


async def note(
    connection: Connection, contact: Contact, event_type: str, by: Actor, /, **facts: object
) -> None:
    event = NewEvent(event_type, by, contact_id=contact.contact_id, data=dict(facts))
    await EventRepository(connection).add_all(contact.owner_id, [event])


def asked_address(raw: str) -> Address:
    """The canonical address that a query means; a plus sign that a URL turned into a blank is one again."""
    written = f"+{raw[1:]}" if raw.startswith(" ") else raw
    if parse_address(written).channel is Channel.SMS and not written.startswith("+"):
        return Address(Channel.SMS, written.strip())
    return canonical(parse_phone_number(written, field="address"))
