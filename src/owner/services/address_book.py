"""Whose address it is, and whether it is wanted: what every path that brings or refuses an address has in common."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from owner.db.database import Connection
from owner.models.addresses import Address, canonical
from owner.models.consent import NewConsent
from owner.models.contact import Contact, ContactAddress, name_key_of
from owner.models.enums import ConsentChange, ConsentSource
from owner.models.event import SYSTEM, Actor, NewEvent
from owner.models.message import Message
from owner.repositories.consents import ConsentRepository
from owner.repositories.contact_addresses import ContactAddressRepository
from owner.repositories.contact_words import ContactWordRepository
from owner.repositories.contacts import ContactRepository
from owner.repositories.events import EventRepository
from owner.repositories.suppressions import Suppression
from owner.services.ports import Clock
from owner.services.suppressions import SuppressionList


class AddressBook:
    """Adds addresses to contacts. The caller holds the lock of every customer whose address it adds."""

    def __init__(self, *, clock: Clock, suppressions: SuppressionList) -> None:
        self.clock = clock
        self.suppressions = suppressions

    async def find_or_add_contact(
        self, connection: Connection, owner_id: int, customer: Address, *, name: str | None, by: Actor
    ) -> int:
        """The person behind an address, made known now if they are new.

        Raises:
            ContactBlocked: the company wants nothing to do with them.
        """
        key, addresses = canonical(customer), ContactAddressRepository(connection)
        known = await addresses.find(key)
        contact_id = known.contact_id if known else await addresses.find_contact_id(key.value)
        if contact_id is None:
            return (await self.add_contact(connection, owner_id, [customer], name=name, by=by)).contact_id
        contact = await ContactRepository(connection).get(contact_id)
        contact.refuse_if_blocked()
        if known is None:
            await self.add_addresses(connection, contact, [customer])
        return contact_id

    async def add_contact(
        self,
        connection: Connection,
        owner_id: int,
        addresses: Sequence[Address],
        *,
        by: Actor,
        **values: Any,
    ) -> Contact:
        """A new person, with the addresses as they were written."""
        now = self.clock.now()
        contact = await ContactRepository(connection).add(
            {
                "owner_id": owner_id,
                "name_key": name_key_of(values.get("name")),
                "created_at": now,
                "updated_at": now,
                **values,
            }
        )
        created = NewEvent("contact.created", by, contact_id=contact.contact_id)
        await EventRepository(connection).add_all(owner_id, [created])
        await self.add_addresses(connection, contact, addresses)
        return contact

    async def add_addresses(
        self, connection: Connection, contact: Contact, addresses: Sequence[Address]
    ) -> list[ContactAddress]:
        """Let a person be reached there, too; whoever wanted no messages there before still wants none."""
        now = self.clock.now()
        written = {canonical(address): address.value for address in reversed(addresses)}
        taken = await self.suppressions.take(connection, list(written)) if written else {}
        new = [
            new_address(
                key,
                owner_id=contact.owner_id,
                contact_id=contact.contact_id,
                reply_address=written[key],
                suppression=taken.get(key),
                at=now,
            )
            for key in reversed(written)
        ]
        await ContactAddressRepository(connection).add_all(new)
        returned = [returned_consent(address, at=now) for address in new if address.is_opted_out]
        await ConsentRepository(connection).add_all(contact.owner_id, returned)
        await index_contact(connection, contact)
        return new


def new_address(
    key: Address,
    *,
    owner_id: int,
    contact_id: int,
    reply_address: str,
    suppression: Suppression | None,
    at: datetime,
) -> ContactAddress:
    """An address from now on; opted out if that is remembered of it."""
    return ContactAddress(
        owner_id=owner_id,
        channel=key.channel,
        address=key.value,
        reply_address=reply_address,
        contact_id=contact_id,
        opted_out_at=suppression.opted_out_at if suppression else None,
        opt_out_evidence={"by": suppression.source.lower(), "remembered": True} if suppression else None,
        created_at=at,
    )


def returned_consent(address: ContactAddress, *, at: datetime) -> NewConsent:
    """The ledger's line for an opt-out that was remembered without its address."""
    return NewConsent(
        address.contact_id,
        address.key,
        ConsentChange.OPTED_OUT,
        address.opt_out_source or ConsentSource.PROVIDER,
        SYSTEM,
        at,
        {
            "remembered": True,
            "opted_out_at": address.opted_out_at.isoformat() if address.opted_out_at else None,
        },
    )


async def index_contact(connection: Connection, contact: Contact) -> None:
    """Let a contact be found by what it is now."""
    addresses = await ContactAddressRepository(connection).list_by_contacts([contact.contact_id])
    words = contact.search_words([address.address for address in addresses])
    await ContactWordRepository(connection).store(contact, words)


async def opt_out_address(
    connection: Connection,
    owner_id: int,
    address: Address,
    *,
    source: ConsentSource,
    evidence: dict[str, Any],
    by: Actor,
    at: datetime,
    message: Message | None = None,
) -> bool:
    """Note that a customer wants no more messages, with what proves it; say whether that is new.

    What a person wrote as the reason goes into the ledger only, because events hold no words.
    """
    addresses = ContactAddressRepository(connection)
    contact_id = await addresses.opt_out(address, at=at, source=source, evidence=evidence)
    if contact_id is None:
        return False
    change = NewConsent(contact_id, address, ConsentChange.OPTED_OUT, source, by, at, evidence)
    await ConsentRepository(connection).add_all(owner_id, [change])
    event = NewEvent(
        "contact.opted_out",
        by,
        conv_id=message.conv_id if message else None,
        msg_id=message.msg_id if message else None,
        contact_id=contact_id,
        data={key: value for key, value in evidence.items() if key != "reason"} | {"by": source.lower()},
    )
    await EventRepository(connection).add_all(owner_id, [event])
    return True
