"""A row of an owner in every table that owners have."""

from typing import Any

from factories import Tenant, make_inbound, some_number
from owner.db.database import Connection
from owner.models.addresses import Address, canonical
from owner.models.consent import NewConsent
from owner.models.enums import (
    ActorKind,
    Channel,
    ConsentChange,
    ConsentSource,
)
from owner.models.event import BEGINNING, SYSTEM, Actor, NewEvent
from owner.models.fact import Fact, FactKind
from owner.models.message import Attachment, MessageCreate
from owner.models.one_time_link import LinkPurpose
from owner.models.search import MessageSearch
from owner.models.session import SessionCreate, Visitor
from owner.models.webhook_endpoint import WebhookEndpointCreate
from owner.repositories.ai_results import AIResultRepository
from owner.repositories.canned_replies import CannedReplyRepository
from owner.repositories.consents import ConsentRepository
from owner.repositories.contact_addresses import ContactAddressRepository
from owner.repositories.conversation_reads import ConversationReadRepository
from owner.repositories.event_cursors import EventCursorRepository
from owner.repositories.events import EventRepository
from owner.repositories.facts import FactRepository
from owner.repositories.features import FeatureRepository
from owner.repositories.idempotency_keys import IdempotencyKeyRepository, KeptAnswer
from owner.repositories.labels import LabelRepository
from owner.repositories.notes import NoteRepository
from owner.repositories.users import UserRepository
from owner.services.catalog import Services
from owner.services.webhook_fan_out import store_deliveries

TENANT_TABLES = (
    "ai_results",
    "api_keys",
    "canned_replies",
    "channel_addresses",
    "contact_addresses",
    "contact_consents",
    "contact_merges",
    "contact_words",
    "contacts",
    "conversation_labels",
    "conversation_reads",
    "conversations",
    "event_cursors",
    "events",
    "fact_days",
    "fact_zones",
    "facts",
    "features",
    "idempotency_keys",
    "labels",
    "media",
    "message_search",
    "messages",
    "one_time_links",
    "notes",
    "owners",
    "recovery_codes",
    "sessions",
    "suppression_keys",
    "suppressions",
    "twilio_accounts",
    "users",
    "webhook_deliveries",
    "webhook_endpoints",
    "webhook_sequences",
)


async def fill(services: Services, tenant: Tenant) -> Tenant:
    inbound = make_inbound(
        tenant,
        "Oi",
        customer=some_number(),
        attachments=[Attachment(url="https://api.twilio.com/media/1", content_type="image/jpeg")],
    )
    receipt = await services.inbound.receive(
        inbound, owner=tenant.owner, twilio_account_id=tenant.account.twilio_account_id
    )
    assert receipt.conv_id is not None
    agent = Actor(ActorKind.USER, tenant.user_id)
    await fill_access(services, tenant)
    await services.messages.send(tenant.owner_id, receipt.conv_id, MessageCreate(content="Olá!"), by=agent)
    async with services.database.owner(tenant.owner_id) as connection:
        await IdempotencyKeyRepository(connection).put(
            tenant.owner_id, "a", KeptAnswer(b"1", 201, b"{}", "application/json"), at=tenant.owner.created_at
        )
        await EventCursorRepository(connection).start(tenant.owner_id, "facts", at=BEGINNING)
        facts = FactRepository(connection, tenant.owner_id)
        await facts.settle_zone()
        await facts.add_all([Fact(FactKind.OPENED, 1, tenant.owner.created_at, Channel.SMS)])
        await fill_library(connection, tenant.owner_id, receipt.conv_id, agent)
        await fill_contacts(services, connection, tenant, customer=inbound.customer)
        feature = await FeatureRepository(connection).add({"owner_id": tenant.owner_id, "name": "closure"})
        await AIResultRepository(connection).add(
            {
                "owner_id": tenant.owner_id,
                "msg_id": receipt.msg_id,
                "feature_id": feature.feature_id,
                "result_json": {"confidence": 0.5},
            }
        )
    await fill_webhooks(services, tenant, receipt.conv_id)
    await services.search.search(tenant.owner_id, MessageSearch(text="oi"))
    return tenant


async def fill_webhooks(services: Services, tenant: Tenant, conv_id: int) -> None:
    create = WebhookEndpointCreate(url="https://hooks.example.com/")
    endpoint, _ = await services.webhook_endpoints.create(tenant.owner_id, create, by=SYSTEM)
    now = services.webhook_endpoints.clock.now()
    async with services.database.owner(tenant.owner_id) as connection:
        opened = NewEvent("conversation.opened", SYSTEM, conv_id=conv_id)
        event = await EventRepository(connection).add(tenant.owner_id, opened)
        await store_deliveries(connection, tenant.owner_id, [(endpoint, event)], now=now)


async def fill_access(services: Services, tenant: Tenant) -> None:
    await services.sessions.sign_in(
        SessionCreate(email=tenant.owner.email, password="correct horse"), Visitor("203.0.113.7")
    )
    async with services.database.owner(tenant.owner_id) as connection:
        user = await UserRepository(connection).get(tenant.user_id)
        await services.password_links.make(connection, user, LinkPurpose.PASSWORD_RESET)
        values = {"owner_id": tenant.owner_id, "user_id": tenant.user_id, "code_hash": b"1"}
        await insert(connection, "recovery_codes", values)


async def fill_library(connection: Connection, owner_id: int, conv_id: int, reader: Actor) -> None:
    label = await LabelRepository(connection).add({"owner_id": owner_id, "name": "vip", "color": "#000000"})
    await LabelRepository(connection).put_on(owner_id, conv_id, label.label_id)
    await ConversationReadRepository(connection).put(owner_id, conv_id, reader, last_read_seq=1)
    await CannedReplyRepository(connection).add({"owner_id": owner_id, "shortcut": "hello", "content": "Oi"})
    author = {"author_kind": reader.kind, "author_id": reader.id}
    await NoteRepository(connection).add({"owner_id": owner_id, "conv_id": conv_id, "content": "x", **author})


async def fill_contacts(
    services: Services, connection: Connection, tenant: Tenant, *, customer: Address
) -> None:
    known = await ContactAddressRepository(connection).find(canonical(customer))
    assert known is not None
    at = tenant.owner.created_at
    refused = known.model_copy(update={"opted_out_at": at, "opt_out_evidence": {"by": "word"}})
    await services.consents.address_book.suppressions.keep(connection, tenant.owner_id, [refused])
    consent = NewConsent(
        known.contact_id,
        known.key,
        ConsentChange.OPTED_OUT,
        ConsentSource.API,
        SYSTEM,
        at,
        {"reason": "asked"},
    )
    await ConsentRepository(connection).add_all(tenant.owner_id, [consent])
    await insert(
        connection,
        "contact_merges",
        {
            "owner_id": tenant.owner_id,
            "survivor_id": known.contact_id,
            "merged_id": known.contact_id,
            "moved_addresses": [],
            "moved_conv_ids": [],
            "moved_consent_ids": [],
            "taken": {},
            "merged_by_kind": ActorKind.SYSTEM,
            "created_at": at,
        },
    )


async def insert(connection: Connection, table: str, values: dict[str, Any]) -> None:
    places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
    await connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", *values.values())
