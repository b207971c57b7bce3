"""Two contacts become one and two again; whoever writes meanwhile is nobody else."""

import asyncio
from typing import Any

import pytest

from factories import Tenant, make_inbound, some_number
from owner.models.addresses import parse_address
from owner.models.contact import AddressInput, ContactCreate, ContactFilter, ContactUpdate
from owner.models.contact_errors import (
    ContactErased,
    ContactMerged,
    ContactNotFound,
    MergeNotFound,
    MergeUndone,
)
from owner.models.conversation_dtos import ConversationClose
from owner.models.enums import ActorKind, ConversationStatus
from owner.models.errors import InvalidInput
from owner.models.event import Actor
from owner.services.catalog import Services
from owner.services.contacts import KnownContact
from owner.services.inbound import Receipt
from reading import conversations_of, rows

ANA = Actor(ActorKind.USER, 7)


async def receive(
    services: Services, tenant: Tenant, customer: str, content: str = "Oi", **more: Any
) -> Receipt:
    return await services.inbound.receive(
        make_inbound(tenant, content, customer=customer, **more),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )


async def known(services: Services, tenant: Tenant, number: str, **values: Any) -> int:
    create = ContactCreate(addresses=[AddressInput(address=number)], **values)
    return (await services.contacts.create(tenant.owner_id, create, by=ANA)).contact.contact_id


async def get(services: Services, tenant: Tenant, contact_id: int) -> KnownContact:
    return await services.contacts.get(tenant.owner_id, contact_id)


async def snapshot(services: Services, tenant: Tenant) -> dict[str, list[dict[str, Any]]]:
    """Everything that a merge may touch, but for the time of the last change."""
    found = {}
    for table, order in (
        ("contacts", "contact_id"),
        ("contact_addresses", "address, channel"),
        ("conversations", "conv_id"),
        ("contact_consents", "consent_id"),
        ("contact_words", "word, contact_id"),
    ):
        every = await rows(services, tenant, f"SELECT * FROM {table} ORDER BY {order}")
        found[table] = [{**row, "updated_at": None} for row in every]
    return found


async def test_addresses_conversations_and_consents_move_and_a_tombstone_stays(
    services: Services, acme: Tenant
) -> None:
    first, second = some_number(), some_number()
    survivor = await known(services, acme, first, name="Ana", attributes={"plan": "gold"})
    merged = await known(
        services,
        acme,
        second,
        name="A. Souza",
        language="pt",
        attributes={"plan": "silver", "city": "Recife"},
    )
    conv = await receive(services, acme, second)
    await receive(services, acme, second, "STOP")

    merge = await services.contact_merges.merge(acme.owner_id, survivor, merged, by=ANA)

    whole, tombstone = await get(services, acme, survivor), await get(services, acme, merged)
    assert [address.address for address in whole.addresses] == [first, second]
    assert (whole.contact.name, whole.contact.language) == ("Ana", "pt")
    assert whole.contact.attributes == {"plan": "gold", "city": "Recife"}
    assert (tombstone.contact.merged_into_id, tombstone.addresses) == (survivor, [])
    assert (await services.conversations.get(acme.owner_id, conv.conv_id or 0)).contact_id == survivor
    consents = await services.consents.list_page(acme.owner_id, survivor, limit=10)
    assert [consent.address for consent in consents.items] == [second]
    page = await services.contacts.list_page(acme.owner_id, ContactFilter(text="recife"), limit=10)
    assert [each.contact.contact_id for each in page.items] == [survivor]
    [event] = await rows(services, acme, "SELECT * FROM events WHERE type = 'contact.merged'")
    assert (event["contact_id"], event["data"]) == (
        survivor,
        {"merge_id": merge.merge_id, "merged_id": merged},
    )


async def test_who_writes_from_either_number_is_one_person_afterwards(
    services: Services, acme: Tenant
) -> None:
    first, second = some_number(), some_number()
    survivor, merged = await known(services, acme, first), await known(services, acme, second)
    await services.contact_merges.merge(acme.owner_id, survivor, merged, by=ANA)

    receipts = [await receive(services, acme, number) for number in (first, second, first, second)]

    conversations = await conversations_of(services, acme)
    assert [conversation.customer_address for conversation in conversations] == [first, second]
    assert {conversation.contact_id for conversation in conversations} == {survivor}
    assert receipts[0].conv_id == receipts[2].conv_id
    assert receipts[1].conv_id == receipts[3].conv_id


async def test_a_goodbye_from_one_number_stays_out_of_the_other_numbers_conversation(
    services: Services, acme: Tenant
) -> None:
    first, second = some_number(), some_number()
    survivor, merged = await known(services, acme, first), await known(services, acme, second)
    await services.contact_merges.merge(acme.owner_id, survivor, merged, by=ANA)
    one = await receive(services, acme, first)
    await services.conversations.close(acme.owner_id, one.conv_id or 0, ConversationClose(), by=ANA)

    other = await receive(services, acme, second, "obrigado!")

    assert other.conv_id != one.conv_id


async def test_undoing_restores_exactly_what_was_and_keeps_what_came_since(
    services: Services, acme: Tenant
) -> None:
    first, second = some_number(), some_number()
    survivor = await known(services, acme, first, attributes={"a": 1})
    merged = await known(services, acme, second, name="Bruno", language="es", attributes={"a": 2, "b": 3})
    for number in (first, second):
        await receive(services, acme, number)
        await receive(services, acme, number, "STOP")
    before = await snapshot(services, acme)

    merge = await services.contact_merges.merge(acme.owner_id, survivor, merged, by=ANA)
    assert await snapshot(services, acme) != before
    await services.contact_merges.undo(acme.owner_id, merge.merge_id, by=ANA)

    assert await snapshot(services, acme) == before

    again = await services.contact_merges.merge(acme.owner_id, survivor, merged, by=ANA)
    since = await receive(services, acme, f"whatsapp:{first}", to=acme.whatsapp)
    await services.contacts.update(
        acme.owner_id, survivor, ContactUpdate(name="Bruno Lima", attributes={"b": 4, "c": 5}), by=ANA
    )
    await services.contact_merges.undo(acme.owner_id, again.merge_id, by=ANA)
    kept = (await get(services, acme, survivor)).contact
    assert (kept.name, kept.language, kept.attributes) == ("Bruno Lima", None, {"a": 1, "b": 4, "c": 5})
    assert (await services.conversations.get(acme.owner_id, since.conv_id or 0)).contact_id == survivor
    back = await get(services, acme, merged)
    assert ([each.address for each in back.addresses], back.contact.attributes) == (
        [second],
        {"a": 2, "b": 3},
    )


async def test_what_makes_no_sense_is_refused_clearly(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    one, two, three = [await known(services, acme, some_number()) for _ in range(3)]
    theirs = await known(services, globex, some_number())
    merge = services.contact_merges.merge

    with pytest.raises(InvalidInput, match="itself"):
        await merge(acme.owner_id, one, one, by=ANA)
    with pytest.raises(ContactNotFound):
        await merge(acme.owner_id, one, theirs, by=ANA)
    first = await merge(acme.owner_id, one, two, by=ANA)
    for survivor, merged in ((one, two), (two, three), (three, two)):
        with pytest.raises(ContactMerged) as refusal:
            await merge(acme.owner_id, survivor, merged, by=ANA)
        assert refusal.value.facts["merged_into_id"] == one
    with pytest.raises(MergeNotFound):
        await services.contact_merges.undo(globex.owner_id, first.merge_id, by=ANA)
    with pytest.raises(ContactMerged):
        await services.contacts.update(acme.owner_id, two, ContactUpdate(name="x"), by=ANA)


async def test_a_chain_is_undone_from_its_end_and_each_merge_once(services: Services, acme: Tenant) -> None:
    numbers = [some_number() for _ in range(3)]
    one, two, three = [await known(services, acme, number) for number in numbers]
    inner = await services.contact_merges.merge(acme.owner_id, two, three, by=ANA)
    outer = await services.contact_merges.merge(acme.owner_id, one, two, by=ANA)
    assert len((await get(services, acme, one)).addresses) == 3

    with pytest.raises(ContactMerged):
        await services.contact_merges.undo(acme.owner_id, inner.merge_id, by=ANA)
    await services.contact_merges.undo(acme.owner_id, outer.merge_id, by=ANA)
    await services.contact_merges.undo(acme.owner_id, inner.merge_id, by=ANA)
    with pytest.raises(MergeUndone):
        await services.contact_merges.undo(acme.owner_id, inner.merge_id, by=ANA)

    for contact_id, number in zip((one, two, three), numbers, strict=True):
        [address] = (await get(services, acme, contact_id)).addresses
        assert address.address == number


async def test_a_block_is_merged_too_and_ends_what_is_open(services: Services, acme: Tenant) -> None:
    first, second = some_number(), some_number()
    survivor, merged = await known(services, acme, first), await known(services, acme, second)
    conv = await receive(services, acme, first)
    await services.contacts.block(acme.owner_id, merged, reason="spam", by=ANA)

    merge = await services.contact_merges.merge(acme.owner_id, survivor, merged, by=ANA)

    assert (await get(services, acme, survivor)).contact.is_blocked
    ended = await services.conversations.get(acme.owner_id, conv.conv_id or 0)
    assert ended.status is ConversationStatus.FAILED
    await services.contact_merges.undo(acme.owner_id, merge.merge_id, by=ANA)
    assert [(await get(services, acme, each)).contact.is_blocked for each in (survivor, merged)] == [
        False,
        True,
    ]


async def test_merging_and_undoing_while_messages_come_in_loses_and_doubles_nothing(
    services: Services, acme: Tenant
) -> None:
    first, second = some_number(), some_number()
    one, two = await known(services, acme, first), await known(services, acme, second)

    async def merge_and_undo() -> None:
        for _ in range(4):
            merge = await services.contact_merges.merge(acme.owner_id, one, two, by=ANA)
            await services.contact_merges.undo(acme.owner_id, merge.merge_id, by=ANA)
        await services.contact_merges.merge(acme.owner_id, one, two, by=ANA)

    await asyncio.gather(
        merge_and_undo(),
        *(receive(services, acme, number, f"{each}") for each in range(10) for number in (first, second)),
        *(receive(services, acme, f"whatsapp:{number}", to=acme.whatsapp) for number in (first, second)),
    )

    conversations = await conversations_of(services, acme)
    assert len(conversations) == 4
    assert len(await rows(services, acme, "SELECT FROM messages")) == 22
    addresses = await rows(services, acme, "SELECT DISTINCT contact_id FROM contact_addresses")
    assert [row["contact_id"] for row in addresses] == [one]
    assert len(await rows(services, acme, "SELECT FROM contacts")) == 2
    assert {each.contact_id for each in conversations} <= {one, two}


async def test_two_that_merge_each_other_at_once_end_as_one(services: Services, acme: Tenant) -> None:
    one, two = await known(services, acme, some_number()), await known(services, acme, some_number())

    answers = await asyncio.gather(
        services.contact_merges.merge(acme.owner_id, one, two, by=ANA),
        services.contact_merges.merge(acme.owner_id, two, one, by=ANA),
        return_exceptions=True,
    )

    assert sum(isinstance(answer, ContactMerged) for answer in answers) == 1
    assert len(await rows(services, acme, "SELECT FROM contacts WHERE merged_into_id IS NULL")) == 1


async def test_nothing_is_merged_with_or_given_back_to_who_was_erased(
    services: Services, acme: Tenant
) -> None:
    one, two, three = [await known(services, acme, some_number()) for _ in range(3)]
    merge = await services.contact_merges.merge(acme.owner_id, one, two, by=ANA)
    await services.contact_erasure.erase(acme.owner_id, one, by=ANA)

    for survivor, merged in ((one, three), (three, one), (three, two)):
        with pytest.raises(ContactErased):
            await services.contact_merges.merge(acme.owner_id, survivor, merged, by=ANA)
    with pytest.raises(ContactErased):
        await services.contact_merges.undo(acme.owner_id, merge.merge_id, by=ANA)


async def test_a_removed_address_does_not_come_back_by_undoing(services: Services, acme: Tenant) -> None:
    second = some_number()
    one, two = await known(services, acme, some_number()), await known(services, acme, second)
    merge = await services.contact_merges.merge(acme.owner_id, one, two, by=ANA)
    await services.contacts.remove_address(acme.owner_id, one, AddressInput(address=second), by=ANA)
    other = await known(services, acme, second)

    await services.contact_merges.undo(acme.owner_id, merge.merge_id, by=ANA)

    assert (await get(services, acme, two)).addresses == []
    assert [address.key for address in (await get(services, acme, other)).addresses] == [
        parse_address(second)
    ]
