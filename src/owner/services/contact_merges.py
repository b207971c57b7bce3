"""Makes two contacts one, and two again."""

from owner.db.database import Connection, Database
from owner.models.contact import Contact
from owner.models.contact_errors import ContactNotFound
from owner.models.contact_merge import ContactMerge
from owner.models.entity import Page
from owner.models.errors import InvalidInput
from owner.models.event import Actor
from owner.repositories.consents import ConsentRepository
from owner.repositories.contact_addresses import ContactAddressRepository
from owner.repositories.contact_merges import ContactMergeRepository
from owner.repositories.contacts import ContactRepository
from owner.services.address_book import index_contact
from owner.services.contacts import end_conversations, lock_customers_of, note
from owner.services.ports import Clock


class ContactMergeService:
    """Merges; each can be undone, the latest of a chain first."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def merge(self, owner_id: int, survivor_id: int, merged_id: int, *, by: Actor) -> ContactMerge:
        """Let one contact become part of another one: addresses, conversations and the ledger of consent move.

        Raises:
            InvalidInput: the two are one already.
            ContactMerged, ContactErased: one of them is a tombstone.
        """
        if survivor_id == merged_id:
            raise InvalidInput("A contact can't be merged with itself.", field="merge_id")
        async with self.database.owner(owner_id) as connection:
            survivor, merged = await _lock_both(connection, survivor_id, merged_id)
            survivor.refuse_if_gone()
            merged.refuse_if_gone()
            merge = await self._move(connection, survivor, merged, by)
            await _store(connection, survivor, merged)
            if survivor.is_blocked:
                await end_conversations(connection, survivor_id, by=by, at=self.clock.now())
            await note(
                connection, survivor, "contact.merged", by, merge_id=merge.merge_id, merged_id=merged_id
            )
        return merge

    async def undo(self, owner_id: int, merge_id: int, *, by: Actor) -> ContactMerge:
        """Give back exactly what was moved; what came since stays with the contact that it came to.

        Raises:
            MergeUndone: it was undone before.
            ContactMerged: the survivor is part of another contact by now; that merge has to be undone first.
            ContactErased: nothing is left to give back.
        """
        async with self.database.owner(owner_id) as connection:
            merges = ContactMergeRepository(connection)
            merge = await merges.get(merge_id)
            survivor, merged = await _lock_both(connection, merge.survivor_id, merge.merged_id)
            merge = await merges.get(merge_id, for_update=True)
            merge.undo(by=by, at=self.clock.now())
            survivor.refuse_if_gone()
            await self._move_back(connection, merge, survivor, merged)
            await _store(connection, survivor, merged)
            await merges.save(merge)
            await note(
                connection,
                survivor,
                "contact.merge_undone",
                by,
                merge_id=merge_id,
                merged_id=merge.merged_id,
            )
        return merge

    async def list_page(
        self, owner_id: int, survivor_id: int, *, limit: int, cursor: str | None = None
    ) -> Page[ContactMerge]:
        """The merges into a contact, newest first."""
        async with self.database.owner(owner_id) as connection:
            await ContactRepository(connection).get(survivor_id)
            return await ContactMergeRepository(connection).list_page(
                limit=limit, cursor=cursor, where={"survivor_id": survivor_id}
            )

    async def _move(
        self, connection: Connection, survivor: Contact, merged: Contact, by: Actor
    ) -> ContactMerge:
        """Hold what either's messages may open, then move: whoever writes meanwhile is the survivor after it."""
        now, merges = self.clock.now(), ContactMergeRepository(connection)
        from_id, to_id = merged.contact_id, survivor.contact_id
        known = await lock_customers_of(connection, [survivor, merged])
        addresses = [address.key for address in known if address.contact_id == from_id]
        conv_ids = await merges.move_conversations(from_id=from_id, to_id=to_id)
        consent_ids = await ConsentRepository(connection).move_all(from_id=from_id, to_id=to_id)
        await ContactAddressRepository(connection).move(addresses, from_id=from_id, to_id=to_id)
        taken = survivor.absorb(merged, at=now)
        return await merges.add(
            {
                "owner_id": survivor.owner_id,
                "survivor_id": to_id,
                "merged_id": from_id,
                "moved_addresses": [list(address) for address in addresses],
                "moved_conv_ids": conv_ids,
                "moved_consent_ids": consent_ids,
                "taken": taken.model_dump(),
                "merged_by_kind": by.kind,
                "merged_by_id": by.id,
                "created_at": now,
            }
        )

    async def _move_back(
        self, connection: Connection, merge: ContactMerge, survivor: Contact, merged: Contact
    ) -> None:
        await lock_customers_of(connection, [survivor, merged])
        from_id, to_id = merge.survivor_id, merge.merged_id
        await ContactMergeRepository(connection).return_conversations(merge)
        await ConsentRepository(connection).move(merge.moved_consent_ids, from_id=from_id, to_id=to_id)
        await ContactAddressRepository(connection).move(merge.addresses, from_id=from_id, to_id=to_id)
        survivor.release(merged, merge.taken, at=self.clock.now())


async def _lock_both(connection: Connection, survivor_id: int, merged_id: int) -> tuple[Contact, Contact]:
    found = {
        contact.contact_id: contact
        for contact in await ContactRepository(connection).lock_all([survivor_id, merged_id])
    }
    for contact_id in (survivor_id, merged_id):
        if contact_id not in found:
            raise ContactNotFound(contact_id)
    return found[survivor_id], found[merged_id]


async def _store(connection: Connection, survivor: Contact, merged: Contact) -> None:
    for contact in (survivor, merged):
        await ContactRepository(connection).save(contact)
        await index_contact(connection, contact)
