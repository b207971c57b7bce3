"""Contacts over HTTP: made known, found, changed, reached, blocked."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from factories import Tenant, make_inbound, some_number
from owner.models.conversation_dtos import ConversationClose
from owner.models.enums import ConversationStatus
from owner.models.event import SYSTEM
from owner.services.catalog import Services
from owner.services.inbound import Receipt
from reading import conversations_of, event_types, messages_of, rows
from visiting import Visit, visiting


@dataclass
class Contacts:
    """The routes of contacts, called with acme's first key."""

    visit: Visit
    key: str

    async def call(self, method: str, path: str = "", **options: Any) -> tuple[int, Any]:
        return await self.visit.call(method, f"/v1/contacts{path}", key=self.key, **options)

    async def create(self, *numbers: str, **values: Any) -> dict[str, Any]:
        addresses = [{"channel": "SMS", "address": number} for number in numbers]
        status, contact = await self.call("POST", json={"addresses": addresses, **values})
        assert status == 201, contact
        created: dict[str, Any] = contact
        return created

    async def found(self, **query: str) -> list[int]:
        status, page = await self.call("GET", params=query)
        assert status == 200, page
        return [contact["contact_id"] for contact in page["items"]]


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Contacts]:
    async with visiting(services) as visit:
        yield Contacts(visit, acme.api_key)


async def receive(
    services: Services, tenant: Tenant, customer: str, content: str = "Oi", **more: Any
) -> Receipt:
    return await services.inbound.receive(
        make_inbound(tenant, content, customer=customer, **more),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )


async def test_a_contact_is_made_known_with_its_addresses_in_one_form(api: Contacts) -> None:
    number = "+5511987654321"

    contact = await api.create(
        "+551187654321",
        number,
        name="  Ana Souza ",
        language="pt",
        attributes={"plan": "gold"},
    )

    assert contact["name"] == "Ana Souza"
    assert (contact["language"], contact["attributes"]) == ("pt", {"plan": "gold"})
    assert [address["address"] for address in contact["addresses"]] == [number]
    _, same = await api.call("GET", f"/{contact['contact_id']}")
    assert same == contact


async def test_a_number_with_and_without_the_ninth_digit_is_one_person(
    services: Services, api: Contacts, acme: Tenant
) -> None:
    contact = await api.create("+55 11 8765-4321".replace(" ", "").replace("-", ""))

    receipt = await receive(services, acme, "whatsapp:+5511987654321", to=acme.whatsapp)

    [conversation] = await conversations_of(services, acme)
    assert (conversation.conv_id, conversation.contact_id) == (receipt.conv_id, contact["contact_id"])
    _, known = await api.call("GET", f"/{contact['contact_id']}")
    assert [(each["channel"], each["address"]) for each in known["addresses"]] == [
        ("SMS", "+5511987654321"),
        ("WHATSAPP", "+5511987654321"),
    ]
    assert await api.found(address="+551187654321") == [contact["contact_id"]]


@pytest.mark.parametrize("channel", ["SMS", "WHATSAPP"])
async def test_an_address_of_another_contact_is_refused_and_names_it(api: Contacts, channel: str) -> None:
    number = some_number()
    first, second = await api.create(number), await api.create(some_number())
    address = {"channel": channel, "address": number}

    created, problem = await api.call("POST", json={"addresses": [address]})
    added, other = await api.call("POST", f"/{second['contact_id']}/addresses", json=address)

    assert (created, problem["code"], problem["contact_id"]) == (409, "address_taken", first["contact_id"])
    assert (added, other["code"], other["contact_id"]) == (409, "address_taken", first["contact_id"])


async def test_contacts_made_at_once_with_one_number_are_one_contact_and_refusals(
    services: Services, api: Contacts, acme: Tenant
) -> None:
    number = some_number()
    create = {"addresses": [{"channel": "SMS", "address": number}]}

    answers = await asyncio.gather(
        *(api.call("POST", json=create) for _ in range(6)),
        *(receive(services, acme, number) for _ in range(6)),
    )

    made = [answer[0] for answer in answers if isinstance(answer, tuple)]
    assert made.count(201) <= 1
    assert set(made) <= {201, 409}
    assert len(await rows(services, acme, "SELECT FROM contacts")) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "   "}, "name"),
        ({"name": "a\x00"}, None),
        ({"language": "fr"}, "language"),
        ({"attributes": {"1plan": "x"}}, None),
        ({"attributes": {"plan": "x" * 501}}, None),
        ({"attributes": {"plan": {"deep": 1}}}, None),
        ({"attributes": {"plan": None}}, None),
        ({"attributes": {f"a{number}": 1 for number in range(51)}}, "attributes"),
        ({"addresses": [{"channel": "SMS", "address": "ana"}]}, "addresses.0.address"),
        ({"addresses": [{"channel": "SMS", "address": "whatsapp:+5511987654321"}]}, "addresses.0.address"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_contact_that_can_not_be_meant_is_refused_with_its_field(
    api: Contacts, body: dict[str, Any], field: str | None
) -> None:
    status, problem = await api.call("POST", json=body)

    assert status == 422
    assert field is None or problem["field"] == field


async def test_a_change_leaves_what_it_does_not_name(services: Services, api: Contacts, acme: Tenant) -> None:
    contact = await api.create(
        name="Ana", language="pt", attributes={"plan": "gold", "orders": 2, "vip": True}
    )
    path = f"/{contact['contact_id']}"

    _, renamed = await api.call("PATCH", path, json={"name": "Ana Lima"})
    _, changed = await api.call(
        "PATCH", path, json={"language": None, "attributes": {"plan": None, "orders": 3.5}}
    )
    _, same = await api.call("PATCH", path, json={})

    assert (renamed["name"], renamed["language"], renamed["attributes"]) == (
        "Ana Lima",
        "pt",
        {"plan": "gold", "orders": 2, "vip": True},
    )
    assert (changed["name"], changed["language"], changed["attributes"]) == (
        "Ana Lima",
        None,
        {"orders": 3.5, "vip": True},
    )
    assert same == changed
    events = await rows(
        services, acme, "SELECT data FROM events WHERE type = 'contact.updated' ORDER BY event_id"
    )
    assert [event["data"] for event in events] == [
        {"fields": ["name"]},
        {"fields": ["language", "attributes"]},
    ]


async def test_a_change_can_not_bring_more_attributes_than_a_contact_may_have(api: Contacts) -> None:
    contact = await api.create(attributes={f"a{number}": number for number in range(50)})

    status, problem = await api.call("PATCH", f"/{contact['contact_id']}", json={"attributes": {"b": 1}})
    swapped, _ = await api.call(
        "PATCH", f"/{contact['contact_id']}", json={"attributes": {"b": 1, "a0": None}}
    )
    nulled, _ = await api.call("PATCH", f"/{contact['contact_id']}", json={"attributes": None})

    assert (status, problem["field"], swapped, nulled) == (422, "attributes", 200, 422)


async def test_contacts_are_found_by_words_numbers_and_attributes_whatever_case_and_accents(
    services: Services, api: Contacts, acme: Tenant
) -> None:
    number = "+5511987654321"
    jose = (
        await api.create(number, name="José da Conceição", attributes={"city": "São Luís", "code": 4711})
    )["contact_id"]
    ana = (await api.create(some_number(), name="Ana Conceição"))["contact_id"]
    wrote = await receive(services, acme, some_number(), profile_name="Érica")
    [erica] = [
        each.contact_id for each in await conversations_of(services, acme) if each.conv_id == wrote.conv_id
    ]

    for text in (
        "jose",
        "JOSÉ conc",
        "sao luis",
        "4711",
        number,
        number[1:],
        f"{number[3:5]} {number[5:]}",
        number[-9:],
        number[-4:],
        f"({number[3:5]}) {number[6:10]}-{number[10:]}",
    ):
        assert jose in await api.found(text=text), text
    assert await api.found(text="conceicao") == [ana, jose]
    assert await api.found(text="ana jose") == []
    assert await api.found(text="erica") == [erica]


async def test_a_contact_is_found_by_what_it_is_now_and_not_by_what_it_was(api: Contacts) -> None:
    contact = await api.create(name="Josefina", attributes={"plan": "golden"})

    await api.call("PATCH", f"/{contact['contact_id']}", json={"name": "Maria", "attributes": {"plan": None}})

    assert await api.found(text="josefina") == []
    assert await api.found(text="golden") == []
    assert await api.found(text="maria") == [contact["contact_id"]]


async def test_lists_are_narrowed_and_read_page_by_page(api: Contacts) -> None:
    made = [
        (await api.create(some_number(), name=name))["contact_id"]
        for name in ("Bia", "ana", "Ána", "Anabel", "Zé")
    ]
    await api.call("POST", f"/{made[1]}/block", json={"reason": "spam"})
    await api.call("POST", f"/{made[2]}/opt-out", json={"reason": "by phone"})

    assert await api.found() == made[::-1]
    assert await api.found(name="AN") == [made[1], made[2], made[3]]
    assert await api.found(blocked="true") == [made[1]]
    assert await api.found(blocked="false", name="an") == [made[2], made[3]]
    assert await api.found(opted_out="true") == [made[2]]
    assert await api.found(opted_out="false") == [made[4], made[3], made[1], made[0]]
    for query in ({}, {"name": "a"}, {"text": "an"}):
        whole, pages, cursor = await api.found(**query), [], None
        while True:
            _, page = await api.call(
                "GET", params={**query, "limit": "2", **({"cursor": cursor} if cursor else {})}
            )
            pages += [contact["contact_id"] for contact in page["items"]]
            if (cursor := page["next_cursor"]) is None:
                break
        assert pages == whole
    _, by_age = await api.call("GET", params={"limit": "1"})
    status, problem = await api.call("GET", params={"name": "a", "cursor": by_age["next_cursor"]})
    assert (status, problem["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    "query", ["text=a", "text=%00%00", "name=%00", "address=ana%00", "address=%2B", "blocked=maybe"]
)
async def test_a_question_that_can_not_be_meant_is_refused(api: Contacts, query: str) -> None:
    status, _ = await api.call("GET", f"?{query}")

    assert status == 422


async def test_another_owners_contact_looks_like_one_that_is_not_there(
    services: Services, api: Contacts, globex: Tenant
) -> None:
    contact = await api.create(some_number(), name="Ana")
    api.key = globex.api_key
    calls = [
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("POST", "/addresses", {"channel": "SMS", "address": some_number()}),
        ("DELETE", "/addresses?channel=SMS&address=%2B5511987654321", None),
        ("POST", "/block", {}),
        ("POST", "/unblock", None),
        ("GET", "/consents", None),
        ("POST", "/opt-out", {"reason": "x"}),
        ("POST", "/opt-in", {"reason": "x"}),
    ]

    for method, path, body in calls:
        theirs = await api.call(method, f"/{contact['contact_id']}{path}", json=body)
        missing = await api.call(method, f"/{2**62}{path}", json=body)
        assert (
            (theirs[0], theirs[1]["code"]) == (missing[0], missing[1]["code"]) == (404, "contact_not_found")
        )
    assert await api.found() == []


async def test_an_address_is_added_and_removed_but_not_while_it_has_an_open_conversation(
    services: Services, api: Contacts, acme: Tenant
) -> None:
    first, second = some_number(), some_number()
    contact = await api.create(first)
    path = f"/{contact['contact_id']}/addresses"

    _, both = await api.call("POST", path, json={"channel": "WHATSAPP", "address": second})
    receipt = await receive(services, acme, f"whatsapp:{second}", to=acme.whatsapp)
    gone = {"channel": "WHATSAPP", "address": second}
    refused, problem = await api.call("DELETE", path, params=gone)
    await services.conversations.close(acme.owner_id, receipt.conv_id or 0, ConversationClose(), by=SYSTEM)
    removed, one = await api.call("DELETE", path, params=gone)
    again, missing = await api.call("DELETE", path, params=gone)

    assert len(both["addresses"]) == 2
    assert (refused, problem["code"], problem["conv_id"]) == (409, "address_in_use", receipt.conv_id)
    assert (removed, [each["address"] for each in one["addresses"]]) == (200, [first])
    assert (again, missing["code"]) == (404, "not_found")
    assert await api.found(text=second) == []


async def test_an_opt_out_outlives_its_address(services: Services, api: Contacts, acme: Tenant) -> None:
    number = some_number()
    await receive(services, acme, number, "STOP")
    [contact_id] = await api.found(address=number)
    [conversation] = await conversations_of(services, acme)
    await services.conversations.close(acme.owner_id, conversation.conv_id, ConversationClose(), by=SYSTEM)
    await api.call("DELETE", f"/{contact_id}/addresses", params={"channel": "SMS", "address": number})

    other = await api.create(number)

    assert other["contact_id"] != contact_id
    [address] = other["addresses"]
    assert (address["opted_out_at"] is not None, address["opt_out_source"]) == (True, "WORD")
    assert await rows(services, acme, "SELECT FROM suppressions") == []


async def test_what_a_blocked_contact_writes_is_kept_and_wakes_nobody(
    services: Services, api: Contacts, acme: Tenant
) -> None:
    number = some_number()
    before = await receive(services, acme, number)
    [contact_id] = await api.found(address=number)
    _, blocked = await api.call("POST", f"/{contact_id}/block", json={"reason": "spam"})

    receipt = await receive(services, acme, number, "Compre já")

    assert (blocked["blocked_at"] is not None, blocked["blocked_reason"]) == (True, "spam")
    [conversation] = await conversations_of(services, acme)
    assert (conversation.status, conversation.closed_reason) == (
        ConversationStatus.FAILED,
        "the contact is blocked",
    )
    assert receipt.conv_id == before.conv_id
    last = (await messages_of(services, acme, conversation.conv_id))[-1]
    assert (last.content, last.is_after_closure) == ("Compre já", True)
    assert (await event_types(services, acme, conversation.conv_id))[-2:] == [
        "conversation.closed",
        "message.received",
    ]


async def test_the_first_message_of_a_blocked_contact_opens_nothing_that_waits(
    services: Services, api: Contacts, acme: Tenant
) -> None:
    number = some_number()
    contact = await api.create(number)
    await api.call("POST", f"/{contact['contact_id']}/block")

    first, second = await receive(services, acme, number), await receive(services, acme, number, "?")

    assert first.status is ConversationStatus.FAILED
    assert second.conv_id == first.conv_id
    assert [message.content for message in await messages_of(services, acme, first.conv_id or 0)] == [
        "Oi",
        "?",
    ]


async def test_nothing_is_written_to_a_blocked_contact_until_it_is_unblocked(
    services: Services, api: Contacts, acme: Tenant
) -> None:
    number = some_number()
    contact = await api.create(number)
    await api.call("POST", f"/{contact['contact_id']}/block")
    create = {"channel": "SMS", "customer_address": number}

    _, refused = await api.visit.call("POST", "/v1/conversations", key=api.key, json=create)
    await api.call("POST", f"/{contact['contact_id']}/unblock")
    receipt = await receive(services, acme, number)

    assert refused["code"] == "contact_blocked"
    assert receipt.status is ConversationStatus.PENDING
    types = [
        row["type"]
        for row in await rows(
            services, acme, "SELECT type FROM events WHERE conv_id IS NULL ORDER BY event_id"
        )
    ]
    assert types[-2:] == ["contact.blocked", "contact.unblocked"]


async def test_blocking_while_messages_come_in_leaves_nothing_open(
    services: Services, api: Contacts, acme: Tenant
) -> None:
    number = some_number()
    contact = await api.create(number)

    await asyncio.gather(
        *(receive(services, acme, number, f"número {each}") for each in range(8)),
        api.call("POST", f"/{contact['contact_id']}/block"),
    )

    assert [each.is_open for each in await conversations_of(services, acme)] == [False]
    assert len(await rows(services, acme, "SELECT FROM messages")) == 8
