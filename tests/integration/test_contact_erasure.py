"""One person's data: handed out whole, erased without a trace, and still left alone afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import asyncpg
import pytest

from conftest import TurnableClock
from databases import url_of
from factories import Tenant, make_inbound, some_number, some_sid
from fakes import FakeGateway
from owner.db.database import Connection
from owner.db.embedded import EmbeddedServer
from owner.models.consent import OptOutCreate
from owner.models.contact import ContactUpdate
from owner.models.contact_errors import ContactBlocked, ContactErased, ContactMerged, ContactNotFound
from owner.models.conversation_dtos import ConversationClose, ConversationCreate, ConversationUndoClose
from owner.models.enums import ActorKind, ConsentSource, ConversationStatus, DeliveryStatus, UserRole
from owner.models.errors import ContactOptedOut, MediaNotFound
from owner.models.event import Actor, Event
from owner.models.media import MediaStatus
from owner.models.message import Attachment, MessageCreate
from owner.models.note import NoteCreate
from owner.models.permissions import permissions_of_role
from owner.models.principal import Principal
from owner.models.webhook_endpoint import WebhookEndpoint, WebhookEndpointCreate
from owner.repositories.ai_results import AIResultRepository
from owner.services.catalog import Services
from owner.services.idempotency import Answer, RequestIdentity
from owner.services.inbound import Receipt
from owner.services.ports import FetchedMedia
from owner.services.webhook_fan_out import store_deliveries
from reading import address_of, conversations_of, messages_of, rows
from serving import serving_api

ANA = Actor(ActorKind.USER, 7)
WORDS = (
    "zarabatana",
    "quindim",
    "jabuticaba",
    "pirulito",
    "umbuzada",
    "caxinguele",
)  # what only this customer says
NUMBER, OTHER_NUMBER = "+5511987651234", "+5521976543210"
DIGITS = ("987651234", "87651234", "976543210")


@pytest.fixture
async def catalogue(server: EmbeddedServer, database_name: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url_of(server, database_name, "postgres"))
    yield connection
    await connection.close()


async def receive(
    services: Services, tenant: Tenant, customer: str, content: str = "Oi", **more: Any
) -> Receipt:
    return await services.inbound.receive(
        make_inbound(tenant, content, customer=customer, **more),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )


async def send(services: Services, tenant: Tenant, receipt: Receipt, content: str) -> None:
    create = MessageCreate(content=content, media_urls=[f"https://a.example/{WORDS[3]}.pdf"])
    await services.messages.send(tenant.owner_id, receipt.conv_id or 0, create, by=ANA)


async def a_whole_person(
    services: Services, tenant: Tenant, gateway: FakeGateway, clock: TurnableClock
) -> int:
    """A customer with words in every place that can hold some."""
    url = f"https://api.twilio.com/{some_sid('ME')}/{WORDS[0]}"
    create = WebhookEndpointCreate(url="https://hooks.example.com/")
    endpoint, _ = await services.webhook_endpoints.create(tenant.owner_id, create, by=ANA)
    gateway.media[url] = FetchedMedia(WORDS[0].encode(), "text/plain")
    first = await receive(
        services,
        tenant,
        NUMBER,
        f"Quero {WORDS[0]}",
        profile_name=WORDS[1],
        attachments=[Attachment(url=url, content_type="text/plain")],
        metadata={"twilio": {"From": NUMBER, "ProfileName": WORDS[1]}},
    )
    await send(services, tenant, first, f"Segue {WORDS[2]}")
    await receive(services, tenant, NUMBER, f"pode encerrar, obrigado {WORDS[0]}")
    await receive(services, tenant, NUMBER, "pode encerrar, obrigado")
    [file] = await rows(services, tenant, "SELECT media_id FROM media")
    await services.media.fetch(tenant.owner_id, file["media_id"])
    contact_id = (await address_of(services, tenant)).contact_id
    await services.contacts.update(
        tenant.owner_id, contact_id, ContactUpdate(attributes={"sweet": WORDS[2], WORDS[4]: 1}), by=ANA
    )
    second = await receive(services, tenant, OTHER_NUMBER, WORDS[5], profile_name=WORDS[5])
    other_id = next(
        each.contact_id for each in await conversations_of(services, tenant) if each.conv_id == second.conv_id
    )
    await services.consents.opt_out(tenant.owner_id, other_id, OptOutCreate(reason=WORDS[3]), by=ANA)
    await services.contact_merges.merge(tenant.owner_id, contact_id, other_id, by=ANA)
    await services.conversations.close(
        tenant.owner_id, second.conv_id or 0, ConversationClose(reason=WORDS[3]), by=ANA
    )
    clock.turn(minutes=20)  # beyond the grace period
    third = await receive(services, tenant, NUMBER, WORDS[0])
    await send(services, tenant, third, WORDS[2])
    async with services.database.owner(tenant.owner_id) as connection:
        await AIResultRepository(connection).add(
            {"owner_id": tenant.owner_id, "msg_id": first.msg_id, "result_json": {"summary": WORDS[0]}}
        )
    author = Principal(tenant.owner_id, ANA, permissions_of_role(UserRole.ADMIN), UserRole.ADMIN)
    await services.notes.create(author, first.conv_id or 0, NoteCreate(content=f"{WORDS[1]} liked it"))
    await tell_integrators(services, tenant, endpoint)
    await keep_answer(services, tenant, {"contact_id": contact_id, "name": WORDS[1]})
    return contact_id


async def tell_integrators(services: Services, tenant: Tenant, endpoint: WebhookEndpoint) -> None:
    """A delivery for every event, and an answer that repeats what it was told."""
    every = [Event.model_validate(row) for row in await rows(services, tenant, "SELECT * FROM events")]
    now = services.webhook_endpoints.clock.now()
    async with services.database.owner(tenant.owner_id) as connection:
        told = [(endpoint, event) for event in every]
        await store_deliveries(connection, tenant.owner_id, told, now=now)
        log = [{"at": now, "status": 500, "error": "STATUS", "duration_ms": 1, "response_body": WORDS[0]}]
        await connection.execute(
            "UPDATE webhook_deliveries SET attempt_log = $1 WHERE event_type ~ '^(contact|conv|mess)'", log
        )


async def keep_answer(services: Services, tenant: Tenant, body: dict[str, Any]) -> None:
    async def produce() -> Answer:
        return Answer(201, json.dumps(body, separators=(",", ":")).encode(), "application/json")

    identity = RequestIdentity.of(key=some_sid(), method="POST", path="/v1/contacts", query="", body=b"{}")
    await services.idempotency.run(tenant.owner_id, identity, produce)


async def found_in(catalogue: Connection, tenant: Tenant, texts: tuple[str, ...]) -> list[str]:
    """Every table of the tenant that holds one of the texts in any column, whatever its type."""
    tables = await catalogue.fetch(
        """
        SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'owner_id'
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        """
    )
    assert len(tables) > 15
    found = []
    for table in tables:
        every = await catalogue.fetch(
            f"SELECT * FROM {table['relname']} WHERE owner_id = $1", tenant.owner_id
        )
        for row in every:
            whole = " ".join(
                value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row.values()
            ).lower()
            found += [f"{table['relname']}: {text}" for text in texts if text in whole]
    return found


async def test_an_erasure_leaves_no_word_and_no_number_in_any_table(
    services: Services, acme: Tenant, gateway: FakeGateway, clock: TurnableClock, catalogue: Connection
) -> None:
    contact_id = await a_whole_person(services, acme, gateway, clock)
    before = {place.split(":")[0] for place in await found_in(catalogue, acme, (*WORDS, *DIGITS))}
    assert before >= {
        "ai_results",
        "contact_addresses",
        "contact_consents",
        "contact_merges",
        "contact_words",
        "contacts",
        "conversations",
        "events",
        "media",
        "messages",
        "notes",
        "webhook_deliveries",
    }

    await services.contact_erasure.erase(acme.owner_id, contact_id, by=ANA)

    assert await found_in(catalogue, acme, (*WORDS, *DIGITS)) == []


async def test_counts_times_and_states_stay(
    services: Services, acme: Tenant, gateway: FakeGateway, clock: TurnableClock
) -> None:
    contact_id = await a_whole_person(services, acme, gateway, clock)
    kept = "msg_id, conv_id, seq, direction, message_owner, message_type, created_at, provider_sid"
    messages = await rows(services, acme, f"SELECT {kept} FROM messages ORDER BY msg_id")
    events = await rows(
        services, acme, "SELECT event_id, type, xid, created_at FROM events ORDER BY event_id"
    )

    erasure = await services.contact_erasure.erase(acme.owner_id, contact_id, by=ANA)
    again = await services.contact_erasure.erase(acme.owner_id, contact_id, by=ANA)

    assert again == erasure
    assert (erasure.conversations, erasure.messages, erasure.files) == (3, len(messages), 1)
    assert await rows(services, acme, f"SELECT {kept} FROM messages ORDER BY msg_id") == messages
    after = await rows(services, acme, "SELECT event_id, type, xid, created_at FROM events ORDER BY event_id")
    assert after[: len(events)] == events
    assert [event["type"] for event in after].count("contact.erased") == 1
    conversations = await conversations_of(services, acme)
    assert {each.customer_address for each in conversations} == {f"erased:{contact_id}"}
    assert not any(each.is_open for each in conversations)
    known = await services.contacts.get(acme.owner_id, contact_id)
    assert (known.contact.name, known.contact.attributes, known.addresses) == (None, {}, [])
    assert known.contact.erased_at == erasure.erased_at
    with pytest.raises(ContactErased):
        await services.contacts.update(acme.owner_id, contact_id, ContactUpdate(name="x"), by=ANA)


async def test_what_is_open_ends_and_what_waits_is_not_sent(
    services: Services, acme: Tenant, gateway: FakeGateway
) -> None:
    number = some_number()
    one = await receive(services, acme, number)
    other = await receive(services, acme, f"whatsapp:{number}", to=acme.whatsapp)
    await services.messages.send(acme.owner_id, one.conv_id or 0, MessageCreate(content="Olá"), by=ANA)
    contact_id = (await address_of(services, acme)).contact_id

    await services.contact_erasure.erase(acme.owner_id, contact_id, by=ANA)
    await services.deliveries.deliver(acme.owner_id, one.conv_id or 0)

    assert gateway.taken == []
    assert (await messages_of(services, acme, one.conv_id or 0))[-1].delivery_status is DeliveryStatus.FAILED
    for receipt in (one, other):
        conversation = await services.conversations.get(acme.owner_id, receipt.conv_id or 0)
        assert (conversation.status, conversation.closed_reason) == (
            ConversationStatus.FAILED,
            "the contact was erased",
        )


async def test_two_open_conversations_over_one_channel_end_together(services: Services, acme: Tenant) -> None:
    first, second = some_number(), some_number()
    for number in (first, second):
        await receive(services, acme, number)
    one, two = [each.contact_id for each in await conversations_of(services, acme)]
    await services.contact_merges.merge(acme.owner_id, one, two, by=ANA)

    erasure = await services.contact_erasure.erase(acme.owner_id, one, by=ANA)

    assert erasure.conversations == 2


async def test_the_files_are_deleted_by_a_job_that_may_run_twice(
    services: Services, acme: Tenant, gateway: FakeGateway, clock: TurnableClock
) -> None:
    contact_id = await a_whole_person(services, acme, gateway, clock)
    [file] = await rows(services, acme, "SELECT media_id FROM media")
    key = f"{acme.owner_id}/{file['media_id']}"
    assert await services.media.store.get(key) is not None

    await services.contact_erasure.erase(acme.owner_id, contact_id, by=ANA)
    with pytest.raises(MediaNotFound):
        await services.media.open(acme.owner_id, file["media_id"])
    for _ in range(2):
        await services.contact_erasure.finish(acme.owner_id, contact_id)

    assert await services.media.store.get(key) is None
    async with services.database.system() as connection:
        jobs = await connection.fetch("SELECT payload FROM jobs.pgqueuer WHERE entrypoint = 'contact_erased'")
    assert {"owner_id": acme.owner_id, "contact_id": contact_id} in [
        json.loads(job["payload"]) for job in jobs
    ]


async def test_answers_that_are_kept_for_repeated_requests_go_with_the_person(
    services: Services, acme: Tenant, gateway: FakeGateway, clock: TurnableClock
) -> None:
    contact_id = await a_whole_person(services, acme, gateway, clock)
    [conversation] = (await conversations_of(services, acme))[:1]
    await keep_answer(services, acme, {"conv_id": conversation.conv_id, "content": WORDS[0]})
    await keep_answer(services, acme, {"contact_id": 2**62, "conv_id": None, "name": "Bruno"})
    before = await rows(services, acme, "SELECT FROM idempotency_keys")

    await services.contact_erasure.erase(acme.owner_id, contact_id, by=ANA)
    for _ in range(2):
        await services.contact_erasure.finish(acme.owner_id, contact_id)

    [kept] = await rows(services, acme, "SELECT body FROM idempotency_keys")
    assert len(before) == 3
    assert "Bruno" in services.contact_erasure.secrets_box.decrypt(kept["body"])


async def test_a_file_that_arrives_during_the_erasure_is_not_kept(
    services: Services, acme: Tenant, gateway: FakeGateway
) -> None:
    url = "https://api.twilio.com/late"
    gateway.media[url] = FetchedMedia(b"late", "text/plain")
    await receive(services, acme, NUMBER, attachments=[Attachment(url=url, content_type="text/plain")])
    [file] = await rows(services, acme, "SELECT media_id FROM media")
    contact_id = (await address_of(services, acme)).contact_id
    fetching = gateway.fetch_media

    async def fetch_while_erasing(*arguments: Any, **options: Any) -> FetchedMedia:
        await services.contact_erasure.erase(acme.owner_id, contact_id, by=ANA)
        await services.contact_erasure.finish(acme.owner_id, contact_id)
        return await fetching(*arguments, **options)

    gateway.fetch_media = fetch_while_erasing  # type: ignore[method-assign]
    await services.media.fetch(acme.owner_id, file["media_id"])

    [row] = await rows(services, acme, "SELECT status, provider_url FROM media")
    assert (row["status"], row["provider_url"]) == (MediaStatus.ERASED, "")
    assert await services.media.store.get(f"{acme.owner_id}/{file['media_id']}") is None
    assert await rows(services, acme, "SELECT FROM events WHERE type LIKE 'media.%'") == []


async def test_who_writes_again_is_a_new_contact_who_still_wants_no_messages(
    services: Services, acme: Tenant
) -> None:
    await receive(services, acme, NUMBER, "STOP", profile_name="Quindim")
    former = (await address_of(services, acme)).contact_id
    await services.contact_erasure.erase(acme.owner_id, former, by=ANA)
    assert await rows(services, acme, "SELECT FROM contact_addresses") == []

    receipt = await receive(services, acme, "+551187651234", "Oi de novo")

    address = await address_of(services, acme)
    assert address.contact_id != former
    assert (address.is_opted_out, address.opt_out_source) == (True, ConsentSource.WORD)
    conversation = await services.conversations.get(acme.owner_id, receipt.conv_id or 0)
    assert (conversation.contact_id, conversation.previous_conv_id) == (address.contact_id, None)
    with pytest.raises(ContactOptedOut):
        await services.messages.send(
            acme.owner_id, receipt.conv_id or 0, MessageCreate(content="Olá"), by=ANA
        )
    await receive(services, acme, NUMBER, "VOLTAR")
    assert not (await address_of(services, acme)).is_opted_out


async def test_a_send_to_an_erased_number_is_still_an_unwanted_one(services: Services, acme: Tenant) -> None:
    await receive(services, acme, NUMBER, "STOP")
    await services.contact_erasure.erase(acme.owner_id, (await address_of(services, acme)).contact_id, by=ANA)

    create = ConversationCreate(channel="SMS", customer_address=NUMBER)
    conversation, _ = await services.conversations.create_or_get(acme.owner_id, create, by=ANA)

    with pytest.raises(ContactOptedOut):
        await services.messages.send(
            acme.owner_id, conversation.conv_id, MessageCreate(content="Olá"), by=ANA
        )


async def test_the_table_of_suppressions_can_not_be_read_without_the_key(
    services: Services, acme: Tenant
) -> None:
    await receive(services, acme, NUMBER, "STOP")
    await services.contact_erasure.erase(acme.owner_id, (await address_of(services, acme)).contact_id, by=ANA)

    [suppression] = await rows(services, acme, "SELECT * FROM suppressions")
    [key] = await rows(services, acme, "SELECT * FROM suppression_keys")

    assert len(suppression["address_hash"]) == 32
    assert b"87651234" not in suppression["address_hash"] + key["key_encrypted"]


async def test_a_merged_contact_is_erased_with_the_one_it_is_part_of_only(
    services: Services, acme: Tenant
) -> None:
    await receive(services, acme, NUMBER)
    await receive(services, acme, OTHER_NUMBER)
    one, two = [each.contact_id for each in await conversations_of(services, acme)]
    await services.contact_merges.merge(acme.owner_id, one, two, by=ANA)

    with pytest.raises(ContactMerged):
        await services.contact_erasure.erase(acme.owner_id, two, by=ANA)
    await services.contact_erasure.erase(acme.owner_id, one, by=ANA)

    assert (await services.contacts.get(acme.owner_id, two)).contact.erased_at is not None


async def test_erasing_while_messages_come_in_leaves_each_message_somewhere_once(
    services: Services, acme: Tenant
) -> None:
    await receive(services, acme, NUMBER)
    contact_id = (await address_of(services, acme)).contact_id

    await asyncio.gather(
        *(receive(services, acme, NUMBER, f"{each}") for each in range(10)),
        *(services.contact_erasure.erase(acme.owner_id, contact_id, by=ANA) for _ in range(2)),
    )

    found = await rows(
        services,
        acme,
        "SELECT content, contact_id FROM messages JOIN conversations USING (owner_id, conv_id)",
    )
    assert len(found) == 11
    assert all(row["content"] == "" for row in found if row["contact_id"] == contact_id)
    assert await rows(services, acme, "SELECT FROM events WHERE type = 'contact.erased'") == [{}]


async def test_another_owner_can_neither_export_nor_erase(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    await receive(services, acme, NUMBER)
    contact_id = (await address_of(services, acme)).contact_id

    with pytest.raises(ContactNotFound):
        await services.contact_erasure.erase(globex.owner_id, contact_id, by=ANA)
    with pytest.raises(ContactNotFound):
        await services.contact_export.export(globex.owner_id, contact_id)


async def test_everything_about_a_person_is_handed_out_as_one_document(
    services: Services, acme: Tenant, gateway: FakeGateway, clock: TurnableClock
) -> None:
    contact_id = await a_whole_person(services, acme, gateway, clock)

    async with serving_api(services) as url:
        headers = {"Authorization": f"Bearer {acme.api_key}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.get(f"{url}/v1/contacts/{contact_id}/export") as response:
                whole = await response.json()
                disposition = response.headers["Content-Disposition"]
            async with session.post(
                f"{url}/v1/contacts/{contact_id}/erase", json={"confirm": "yes"}
            ) as response:
                unconfirmed = response.status
            async with session.post(
                f"{url}/v1/contacts/{contact_id}/erase", json={"confirm": "ERASE"}
            ) as response:
                erased = await response.json()
            async with session.get(f"{url}/v1/contacts/{contact_id}/export") as response:
                empty = await response.text()

    assert disposition == f"attachment; filename=contact-{contact_id}.json"
    said = [message["content"] for each in whole["conversations"] for message in each["messages"]]
    assert len(said) == erased["messages"] == len(await rows(services, acme, "SELECT FROM messages"))
    text = json.dumps(whole)
    for word in (*WORDS, NUMBER, OTHER_NUMBER):
        assert word in text, word
    files = [
        file for each in whole["conversations"] for message in each["messages"] for file in message["media"]
    ]
    assert [file["is_available"] for file in files] == [True]
    assert [len(whole[name]) for name in ("merged_contacts", "consents", "conversations")] == [1, 1, 3]
    assert unconfirmed == 422
    assert not any(word in empty for word in (*WORDS, *DIGITS))


async def test_no_closing_is_undone_that_would_wake_a_blocked_or_an_erased_contact(
    services: Services, acme: Tenant
) -> None:
    first = await receive(services, acme, NUMBER)
    create = MessageCreate(content="Pronto?")
    await services.messages.send(acme.owner_id, first.conv_id or 0, create, by=ANA)
    closed = await receive(services, acme, NUMBER, "pode encerrar, obrigado")
    assert closed.status is ConversationStatus.USER_CLOSED
    contact_id = (await address_of(services, acme)).contact_id
    agent = Principal(acme.owner_id, ANA, permissions_of_role(UserRole.AGENT), UserRole.AGENT)
    undo = services.conversation_changes.undo_close

    await services.contacts.block(acme.owner_id, contact_id, reason=None, by=ANA)
    with pytest.raises(ContactBlocked):
        await undo(agent, first.conv_id or 0, ConversationUndoClose())
    await services.contact_erasure.erase(acme.owner_id, contact_id, by=ANA)
    with pytest.raises(ContactErased):
        await undo(agent, first.conv_id or 0, ConversationUndoClose())
