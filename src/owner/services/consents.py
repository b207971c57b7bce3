"""The ledger of consent: what the company notes on a customer's behalf, and what it may take back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from owner.db.database import Connection, Database
from owner.models.addresses import Address, canonical
from owner.models.consent import Consent, NewConsent, OptOutCreate, OptOutImport
from owner.models.contact import Contact, ContactAddress
from owner.models.entity import Page
from owner.models.enums import ActorKind, ConsentChange, ConsentSource
from owner.models.errors import ContactOptedOut, NotFound
from owner.models.event import Actor
from owner.repositories.consents import ConsentRepository
from owner.repositories.contact_addresses import ContactAddressRepository
from owner.repositories.contacts import ContactRepository
from owner.services.address_book import AddressBook, opt_out_address
from owner.services.contacts import ContactService, KnownContact, load_contact, lock_customers_of, note
from owner.services.customer_lock import customer_lock
from owner.services.ports import Clock

BATCH: Final = 100  # addresses of an import in one transaction, so that nobody's messages wait for long


@dataclass(slots=True)
class Imported:
    """What an import changed."""

    opted_out: int = 0
    already_opted_out: int = 0
    contacts_created: int = 0


class ConsentService:
    """Who wants no messages, and how we know."""

    def __init__(
        self, database: Database, *, clock: Clock, contacts: ContactService, address_book: AddressBook
    ) -> None:
        self.database = database
        self.clock = clock
        self.contacts = contacts
        self.address_book = address_book

    async def list_page(
        self, owner_id: int, contact_id: int, *, limit: int, cursor: str | None = None
    ) -> Page[Consent]:
        """Every change of a contact's consent, newest first."""
        async with self.database.owner(owner_id) as connection:
            await ContactRepository(connection).get(contact_id)
            return await ConsentRepository(connection).list_page(
                limit=limit, cursor=cursor, where={"contact_id": contact_id}
            )

    async def opt_out(
        self, owner_id: int, contact_id: int, create: OptOutCreate, *, by: Actor
    ) -> KnownContact:
        """Note that a customer told us elsewhere that they want no more messages.

        Raises:
            NotFound: the contact has no such address.
        """
        async with self.contacts.changing(owner_id, contact_id) as (connection, contact):
            for address in await self._chosen(connection, contact, create):
                await opt_out_address(
                    connection,
                    owner_id,
                    address.key,
                    source=_source_of(by),
                    evidence={"reason": create.reason},
                    by=by,
                    at=self.clock.now(),
                )
            return await load_contact(connection, contact)

    async def opt_in(
        self, owner_id: int, contact_id: int, create: OptOutCreate, *, by: Actor
    ) -> KnownContact:
        """Take back what the company noted by mistake.

        Raises:
            ContactOptedOut: the customer said it, or the provider did: only the customer can take it back.
            NotFound: the contact has no such address.
        """
        async with self.contacts.changing(owner_id, contact_id) as (connection, contact):
            refusing = [
                address for address in await self._chosen(connection, contact, create) if address.is_opted_out
            ]
            for address in refusing:
                if address.is_opted_out_by_customer:
                    raise ContactOptedOut(opted_out_at=address.opted_out_at)
            for address in refusing:
                await self._opt_in(connection, contact, address, reason=create.reason, by=by)
            return await load_contact(connection, contact)

    async def import_opt_outs(self, owner_id: int, create: OptOutImport, *, by: Actor) -> Imported:
        """Note the opt-outs of a list; who is not known yet becomes a contact. Repeating it changes nothing.

        Raises:
            InvalidAddress: one of the addresses is none; nothing was noted.
        """
        written = [
            given.parsed(field=f"addresses.{place}.address") for place, given in enumerate(create.addresses)
        ]
        imported = Imported()
        for batch in _batches(sorted({canonical(address): address for address in written}.values())):
            async with self.database.owner(owner_id) as connection:
                keys = [customer_lock(owner_id, canonical(address)) for address in batch]
                await ContactRepository(connection).lock_customers(keys)
                for address in batch:
                    await self._import(connection, owner_id, address, imported, reason=create.reason, by=by)
        return imported

    async def _import(
        self,
        connection: Connection,
        owner_id: int,
        address: Address,
        imported: Imported,
        *,
        reason: str,
        by: Actor,
    ) -> None:
        key, addresses = canonical(address), ContactAddressRepository(connection)
        if await addresses.find(key) is None:
            imported.contacts_created += await self._make_known(connection, owner_id, address, by)
        is_new = await opt_out_address(
            connection,
            owner_id,
            key,
            source=ConsentSource.IMPORT,
            evidence={"reason": reason},
            by=by,
            at=self.clock.now(),
        )
        imported.opted_out += is_new
        imported.already_opted_out += not is_new

    async def _make_known(self, connection: Connection, owner_id: int, address: Address, by: Actor) -> bool:
        """Give an address to the person who has the number elsewhere, or to a new one; say whether it is one."""
        contact_id = await ContactAddressRepository(connection).find_contact_id(canonical(address).value)
        if contact_id is None:
            await self.address_book.add_contact(connection, owner_id, [address], by=by)
            return True
        contact = await ContactRepository(connection).get(contact_id)
        await self.address_book.add_addresses(connection, contact, [address])
        return False

    async def _chosen(
        self, connection: Connection, contact: Contact, create: OptOutCreate
    ) -> Sequence[ContactAddress]:
        """The address that was named, or all of the contact's, held against the customer's own words meanwhile."""
        addresses = await lock_customers_of(connection, [contact])
        if create.address is None:
            return addresses
        key = canonical(create.address.parsed(field="address.address"))
        chosen = [address for address in addresses if address.key == key]
        if not chosen:
            raise NotFound("The contact has no such address.", field="address")
        return chosen

    async def _opt_in(
        self, connection: Connection, contact: Contact, address: ContactAddress, *, reason: str, by: Actor
    ) -> None:
        source = _source_of(by)
        await ContactAddressRepository(connection).opt_in(address.key)
        change = NewConsent(
            contact.contact_id,
            address.key,
            ConsentChange.OPTED_IN,
            source,
            by,
            self.clock.now(),
            {"reason": reason},
        )
        await ConsentRepository(connection).add_all(contact.owner_id, [change])
        await note(connection, contact, "contact.opted_in", by, by=source.lower())


def _source_of(by: Actor) -> ConsentSource:
    return ConsentSource.AGENT if by.kind is ActorKind.USER else ConsentSource.API


def _batches(addresses: Sequence[Address]) -> Iterator[Sequence[Address]]:
    left = iter(addresses)
    while batch := list(islice(left, BATCH)):
        yield batch
