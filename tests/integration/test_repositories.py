"""What every repository can do, on several tables, and what some can do besides."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from factories import Tenant, make_inbound, some_number
from owner.db.database import Connection, Database
from owner.models.addresses import parse_address
from owner.models.entity import Entity
from owner.models.enums import ActorKind, Channel, ConsentSource, UserRole
from owner.models.errors import AlreadyExists, InvalidCursor, NotFound, OwnerNotFound
from owner.models.event import SYSTEM, Actor, NewEvent
from owner.models.message import MessageCreate
from owner.repositories.ai_results import AIResultRepository
from owner.repositories.base import BaseRepository, read_cursor, write_cursor
from owner.repositories.contact_addresses import ContactAddressRepository
from owner.repositories.contacts import ContactRepository
from owner.repositories.conversations import ConversationRepository
from owner.repositories.directory import Directory, Key
from owner.repositories.events import EventRepository
from owner.repositories.features import FeatureRepository
from owner.repositories.messages import MessageRepository
from owner.repositories.outbox import OutboxRepository, Sought
from owner.repositories.owners import OwnerRepository
from owner.repositories.twilio_accounts import TwilioAccountRepository
from owner.repositories.users import UserRepository
from owner.services.catalog import Services


@dataclass(frozen=True)
class Noun:
    """A table to try the generic methods on: how the n-th row is made and what of it may change."""

    repository: Callable[[Connection], BaseRepository[Any]]
    values: Callable[[int], dict[str, object]]
    change: dict[str, object]
    identity: tuple[str, ...]  # columns that no two rows share


NOUNS = {
    "features": Noun(
        FeatureRepository,
        lambda n: {"name": f"feature {n}", "enabled": n % 2 == 0, "config_json": {"ações": [n, None]}},
        {"enabled": True, "config_json": {"limit": 1.5}},
        ("name",),
    ),
    "users": Noun(
        UserRepository,
        lambda n: {
            "name": "Ana",
            "email": f"ana-{n}@example.com",
            "role": UserRole.AGENT,
            "password_hash": "$argon2",
        },
        {"name": "Bruno", "role": UserRole.SUPPORT, "is_active": False},
        ("email",),
    ),
    "contacts": Noun(
        ContactRepository,
        lambda n: {"name": f"Ana {n}", "attributes": {"n": n}},
        {"name": None, "language": "es"},
        (),
    ),
    "twilio_accounts": Noun(
        TwilioAccountRepository,
        lambda n: {"account_sid": f"AC{n:032x}", "auth_token_encrypted": b"\x00\xff", "webhook_key": f"{n}"},
        {"auth_token_encrypted": b"other", "messaging_service_sid": "MG1"},
        ("account_sid",),
    ),
}
every_noun = pytest.mark.parametrize("noun", NOUNS.values(), ids=NOUNS.keys())


def values_of(noun: Noun, tenant: Tenant, number: int) -> dict[str, object]:
    values = {"owner_id": tenant.owner_id, **noun.values(number)}
    if "webhook_key" in values:  # unique across owners
        values["webhook_key"] = f"{tenant.owner_id}-{number}"
    return values


def key_of(repository: BaseRepository[Any], entity: Entity) -> int:
    key: int = getattr(entity, repository.key)
    return key


@every_noun
async def test_what_is_added_is_found_as_it_was(database: Database, acme: Tenant, noun: Noun) -> None:
    values = values_of(noun, acme, 1)

    async with database.owner(acme.owner_id) as connection:
        added = await noun.repository(connection).add(values)

    async with database.owner(acme.owner_id) as connection:
        repository = noun.repository(connection)
        found = await repository.get(key_of(repository, added))
        assert found == added == await repository.find(key_of(repository, added))
        assert {name: getattr(found, name) for name in values} == values


@every_noun
async def test_what_is_saved_is_found_as_it_is(database: Database, acme: Tenant, noun: Noun) -> None:
    async with database.owner(acme.owner_id) as connection:
        repository = noun.repository(connection)
        bystander = await repository.add(values_of(noun, acme, 1))
        added = await repository.add(values_of(noun, acme, 2))
        loaded = await repository.get(key_of(repository, added), for_update=True)
        changed = loaded.model_copy(update=noun.change)
        await repository.save(changed)

    async with database.owner(acme.owner_id) as connection:
        repository = noun.repository(connection)
        assert await repository.get(key_of(repository, added)) == changed != added
        assert await repository.get(key_of(repository, bystander)) == bystander


@every_noun
async def test_what_is_deleted_is_gone(database: Database, acme: Tenant, noun: Noun) -> None:
    async with database.owner(acme.owner_id) as connection:
        repository = noun.repository(connection)
        key = key_of(repository, await repository.add(values_of(noun, acme, 1)))
        await repository.delete(key)

        assert await repository.find(key) is None
        for gone in (repository.get(key), repository.delete(key)):
            with pytest.raises(NotFound, match=f"{key}"):
                await gone


@every_noun
async def test_another_owners_row_is_not_there(
    database: Database, acme: Tenant, globex: Tenant, noun: Noun
) -> None:
    async with database.owner(acme.owner_id) as connection:
        added = await noun.repository(connection).add(values_of(noun, acme, 1))

    async with database.owner(globex.owner_id) as connection:
        repository = noun.repository(connection)
        key = key_of(repository, added)
        assert await repository.find(key) is None
        for refused in (repository.get(key), repository.delete(key), repository.save(added)):
            with pytest.raises(NotFound):
                await refused
        assert added not in await repository.list_where()

    async with database.owner(acme.owner_id) as connection:
        assert await noun.repository(connection).get(key) == added


@pytest.mark.parametrize(
    "noun", [noun for noun in NOUNS.values() if noun.identity], ids=lambda n: n.identity[0]
)
async def test_what_exists_already_is_refused_for_one_owner_and_not_for_another(
    database: Database, acme: Tenant, globex: Tenant, noun: Noun
) -> None:
    async with database.owner(acme.owner_id) as connection:
        await noun.repository(connection).add(values_of(noun, acme, 1))

    with pytest.raises(AlreadyExists):
        async with database.owner(acme.owner_id) as connection:
            await noun.repository(connection).add(values_of(noun, acme, 1))

    async with database.owner(globex.owner_id) as connection:
        await noun.repository(connection).add(values_of(noun, globex, 1))


@every_noun
async def test_pages_hold_every_row_once_newest_first_whatever_comes_meanwhile(
    database: Database, acme: Tenant, globex: Tenant, noun: Noun
) -> None:
    async with database.owner(globex.owner_id) as connection:
        await noun.repository(connection).add(values_of(noun, globex, 1))
    async with database.owner(acme.owner_id) as connection:
        repository = noun.repository(connection)
        for number in range(7):
            await repository.add(values_of(noun, acme, number))
        keys = [key_of(repository, row) for row in await repository.list_where()]

        seen: list[int] = []
        cursor = None
        for number in range(100, 200):
            page = await repository.list_page(limit=3, cursor=cursor)
            seen += [key_of(repository, row) for row in page.items]
            await repository.add(values_of(noun, acme, number))
            cursor = page.next_cursor
            if cursor is None:
                break

    assert seen == sorted(keys, reverse=True)


async def test_the_last_page_that_is_full_has_no_next(database: Database, acme: Tenant) -> None:
    async with database.owner(acme.owner_id) as connection:
        repository = FeatureRepository(connection)
        assert (await repository.list_page(limit=2)).items == []
        for name in ("a", "b"):
            await repository.add({"owner_id": acme.owner_id, "name": name})

        page = await repository.list_page(limit=2)

    assert [feature.name for feature in page.items] == ["b", "a"]
    assert page.next_cursor is None


async def test_no_page_is_longer_than_a_hundred(database: Database, acme: Tenant) -> None:
    async with database.owner(acme.owner_id) as connection:
        repository = FeatureRepository(connection)
        for number in range(101):
            await repository.add({"owner_id": acme.owner_id, "name": f"{number}"})

        page = await repository.list_page(limit=1_000_000)

    assert len(page.items) == 100
    assert page.next_cursor is not None


async def test_a_page_compares_what_is_given_and_leaves_out_what_is_none(
    database: Database, acme: Tenant
) -> None:
    async with database.owner(acme.owner_id) as connection:
        repository = FeatureRepository(connection)
        for name in ("a", "b", "c"):
            await repository.add({"owner_id": acme.owner_id, "name": name, "enabled": name != "b"})

        page = await repository.list_page(limit=1, where={"enabled": True, "name": None})
        rest = await repository.list_page(limit=1, cursor=page.next_cursor, where={"enabled": True})

    assert [feature.name for feature in (*page.items, *rest.items)] == ["c", "a"]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "AAAA",
        "=",
        "%00",
        "A" * 5_000,
        write_cursor(5, "messages"),
        write_cursor(5, "features")[:-1],
    ],
)
async def test_a_cursor_that_this_list_did_not_give_is_refused(
    database: Database, acme: Tenant, cursor: str
) -> None:
    async with database.owner(acme.owner_id) as connection:
        with pytest.raises(InvalidCursor):
            await FeatureRepository(connection).list_page(limit=1, cursor=cursor)


def test_a_cursor_with_a_changed_letter_is_refused() -> None:
    cursor = write_cursor(123_456, "features")

    assert read_cursor(cursor, "features") == 123_456
    for place in range(len(cursor) - 1):
        changed = cursor[:place] + ("B" if cursor[place] != "B" else "C") + cursor[place + 1 :]
        with pytest.raises(InvalidCursor):
            read_cursor(changed, "features")


async def test_an_owner_is_found_by_its_email_however_it_is_written(database: Database, acme: Tenant) -> None:
    async with database.owner(acme.owner_id) as connection:
        repository = OwnerRepository(connection)

        assert await repository.find_by_email(f"  {acme.owner.email.upper()} ") == acme.owner
        assert await repository.find_by_email("nobody@example.com") is None


async def test_an_owner_sees_and_saves_its_own_row_only(
    database: Database, acme: Tenant, globex: Tenant
) -> None:
    async with database.owner(acme.owner_id) as connection:
        repository = OwnerRepository(connection)
        assert await repository.list_where() == [acme.owner]
        assert await repository.find_by_email(globex.owner.email) is None
        with pytest.raises(OwnerNotFound, match=f"There is no owner {globex.owner_id}"):
            await repository.get(globex.owner_id)
        renamed = acme.owner.model_copy(update={"name": "Padaria"})
        await repository.save(renamed)
        assert await repository.get(acme.owner_id) == renamed


async def test_a_second_owner_with_an_email_is_refused_by_the_field(database: Database, acme: Tenant) -> None:
    async with database.system() as connection:
        owner_id = await OwnerRepository(connection).next_id()

    with pytest.raises(AlreadyExists) as problem:
        async with database.owner(owner_id) as connection:
            await OwnerRepository(connection).add(
                {"owner_id": owner_id, "name": "acme", "email": acme.owner.email}
            )

    assert problem.value.field == "email"


async def test_a_person_is_found_by_their_email(database: Database, acme: Tenant, globex: Tenant) -> None:
    async with database.owner(acme.owner_id) as connection:
        found = await UserRepository(connection).find_by_email(acme.owner.email.upper())
        stranger = await UserRepository(connection).find_by_email(globex.owner.email)

    assert found is not None
    assert (found.user_id, stranger) == (acme.user_id, None)


async def test_features_are_found_by_name_and_listed_while_they_are_on(
    database: Database, acme: Tenant
) -> None:
    async with database.owner(acme.owner_id) as connection:
        repository = FeatureRepository(connection)
        closure = await repository.add({"owner_id": acme.owner_id, "name": "closure", "enabled": True})
        await repository.add({"owner_id": acme.owner_id, "name": "summary"})

        assert await repository.find_by_name("closure") == closure
        assert await repository.find_by_name("nothing") is None
        assert await repository.list_enabled() == [closure]


async def test_results_are_listed_by_their_message(services: Services, acme: Tenant) -> None:
    receipts = [await receive(services, acme), await receive(services, acme)]

    async with services.database.owner(acme.owner_id) as connection:
        repository = AIResultRepository(connection)
        for msg_id, _ in receipts:
            await repository.add(
                {"owner_id": acme.owner_id, "msg_id": msg_id, "result_json": {"about": msg_id}}
            )

        found = await repository.list_by_message(receipts[0][0])

    assert [result.result_json for result in found] == [{"about": receipts[0][0]}]


async def test_the_addresses_of_an_account_are_listed_by_account_and_channel(
    database: Database, acme: Tenant
) -> None:
    async with database.owner(acme.owner_id) as connection:
        repository = TwilioAccountRepository(connection)

        both = await repository.list_addresses()
        whatsapp = await repository.list_addresses(channel=Channel.WHATSAPP)
        of_another = await repository.list_addresses(twilio_account_id=acme.account.twilio_account_id + 1)
        found = await repository.find_address(parse_address(acme.whatsapp))

    assert {address.channel for address in both} == {Channel.SMS, Channel.WHATSAPP}
    assert whatsapp == [found]
    assert of_another == []


async def test_pausing_an_account_twice_and_resuming_it_twice_is_new_once(
    services: Services, acme: Tenant
) -> None:
    async with services.database.owner(acme.owner_id) as connection:
        repository = TwilioAccountRepository(connection)
        at = services.twilio.clock.now()
        account_id = acme.account.twilio_account_id

        assert [await repository.pause(account_id, reason="20003", at=at) for _ in range(2)] == [True, False]
        paused = await repository.get(account_id)
        assert paused.paused_at == at
        assert [await repository.resume(paused, at=at) for _ in range(2)] == [True, False]
        assert paused == await repository.get(account_id)


async def test_opting_out_is_noted_with_its_evidence_once(services: Services, acme: Tenant) -> None:
    customer = some_number()
    await receive(services, acme, customer)
    address = parse_address(customer)

    async with services.database.owner(acme.owner_id) as connection:
        repository, source = ContactAddressRepository(connection), ConsentSource.PROVIDER
        now = services.twilio.clock.now()
        first = await repository.opt_out(address, at=now, source=source, evidence={"error_code": 21610})
        second = await repository.opt_out(address, at=now, source=source, evidence={"error_code": 1})
        found = await repository.find(address)

    assert found is not None
    assert (first, second) == (found.contact_id, None)
    assert (found.is_opted_out, found.opt_out_evidence) == (True, {"error_code": 21610, "by": "provider"})


async def test_a_conversation_has_its_messages_in_order_page_by_page(
    services: Services, acme: Tenant
) -> None:
    customer = some_number()
    msg_id, conv_id = await receive(services, acme, customer)
    for content in ("um", "dois", "três"):
        await services.messages.send(
            acme.owner_id, conv_id, MessageCreate(content=content), by=Actor(ActorKind.USER, acme.user_id)
        )

    async with services.database.owner(acme.owner_id) as connection:
        repository = MessageRepository(connection)
        first = await repository.list_by_conversation(conv_id, limit=3)
        second = await repository.list_by_conversation(conv_id, limit=3, cursor=first.next_cursor)
        [line] = await OutboxRepository(connection).load([Sought(acme.owner_id, conv_id)])

    assert [message.seq for message in (*first.items, *second.items)] == [1, 2, 3, 4]
    assert (first.items[0].msg_id, second.next_cursor) == (msg_id, None)
    assert line is not None
    assert line.next is not None
    assert (line.next.message.content, str(line.next.to), str(line.next.sender)) == ("um", customer, acme.sms)


async def test_the_history_of_a_conversation_goes_on_where_its_page_ended(
    database: Database, services: Services, acme: Tenant
) -> None:
    _, conv_id = await receive(services, acme)
    async with database.owner(acme.owner_id) as connection:
        repository = EventRepository(connection)
        await repository.add_all(
            acme.owner_id, [NewEvent(f"note.{number}", SYSTEM, conv_id=conv_id) for number in range(5)]
        )

        types: list[str] = []
        cursor = None
        while True:
            page = await repository.list_by_conversation(conv_id, limit=2, cursor=cursor)
            types += [event.type for event in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break

    assert types[-5:] == [f"note.{number}" for number in range(5)]
    assert len(types) == len(set(types))


async def test_one_customer_has_one_open_conversation_whatever_the_code_does(
    services: Services, acme: Tenant
) -> None:
    _, conv_id = await receive(services, acme)

    with pytest.raises((asyncpg.UniqueViolationError, AlreadyExists)):  # noqa: PT012 - it rises at the block's end
        async with services.database.owner(acme.owner_id) as connection:
            repository = ConversationRepository(connection)
            found = await repository.get(conv_id)
            await repository.store_new(found.model_copy(update={"conv_id": await repository.next_id()}))


async def test_the_directory_answers_whose_something_is_without_an_owner(
    services: Services, acme: Tenant
) -> None:
    async with services.database.system() as connection:
        directory = Directory(connection)

        ours = Key(acme.owner_id, acme.account.twilio_account_id)
        assert await directory.accounts_by_sid(acme.account.account_sid) == [ours]
        assert await directory.account_by_webhook_key(acme.account.webhook_key) == [ours]
        assert acme.owner_id in await directory.owner_ids()
        assert await directory.accounts_by_sid("AC0") == []
        assert await directory.account_by_webhook_key("") == []
        assert await directory.users_by_email(b"") == []


async def receive(services: Services, tenant: Tenant, customer: str | None = None) -> tuple[int, int]:
    """The ids of a new message and of its conversation."""
    receipt = await services.inbound.receive(
        make_inbound(tenant, customer=customer or some_number()),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    assert receipt.conv_id is not None
    return receipt.msg_id, receipt.conv_id
