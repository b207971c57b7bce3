"""The books of the chaos harness notice what they are for: each kind of loss, double and disorder breaks its line."""

import socket
from collections.abc import AsyncIterator, Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import psycopg
import pytest

from chaos.books import balance
from chaos.leaks import search
from chaos.ledger import Ledger, Send, Webhook
from chaos.listeners import Consumer
from conftest import TurnableClock
from databases import new_database, url_of
from e2e.stage import HOST
from factories import Tenant, make_inbound, make_tenant, some_number
from fakes import FakeGateway
from owner import bootstrap
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer
from owner.models.conversation_dtos import ConversationClose
from owner.models.event import SYSTEM
from owner.models.message import MessageCreate
from owner.services.catalog import Services
from owner.services.secrets_box import FernetBox, new_secret_key
from owner.settings import Settings


@dataclass
class Kept:
    """Both sides of the books after a little life."""

    database: psycopg.Connection[tuple[Any, ...]]
    ledger: Ledger
    taken: list[dict[str, Any]]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return self.database.execute(query.encode()).fetchall()

    def broken(self) -> set[str]:
        return {line.promise for line in balance(self.ledger, self.ask, self.taken) if not line.balances}


@dataclass(frozen=True)
class Life:
    """What a sound product leaves behind, and what was promised meanwhile."""

    url: str
    ledger: Ledger
    taken: list[dict[str, Any]]


@pytest.fixture(scope="module")
async def life(server: EmbeddedServer, template: str, worker_id: str) -> AsyncIterator[Life]:
    """Two customers wrote, one was answered, the other one's conversation was closed; all of it was told."""
    with new_database(server, f"owner_books_{worker_id}", template=template) as name:
        gateway, ledger = FakeGateway(), Ledger()
        database = await Database.connect(url_of(server, name))
        services = bootstrap.wire(
            Settings(), database, gateway, FernetBox([new_secret_key()]), TurnableClock()
        )
        acme = await make_tenant(services, "acme")
        answered, closed = [await _write(services, acme, ledger, some_number()) for _ in range(2)]
        sent = await services.messages.send(
            acme.owner_id, answered, MessageCreate(content="Já vai!"), by=SYSTEM
        )
        ledger.sends["one"] = Send(acme.owner_id, answered, "Já vai!", tries=1, msg_ids={sent.msg_id})
        await services.deliveries.deliver(acme.owner_id, answered)
        await services.conversations.close(acme.owner_id, closed, ConversationClose(reason="done"), by=SYSTEM)
        ledger.closings.add((acme.owner_id, closed))
        await database.close()
        with psycopg.connect(url_of(server, name, "postgres")) as superuser:
            superuser.execute("DELETE FROM jobs.pgqueuer")
            superuser.execute(
                "INSERT INTO webhook_endpoints (owner_id, url, secret_encrypted, after_event_id, created_at, updated_at)"
                " SELECT owner_id, 'http://127.0.0.1/', '', 0, now(), now() FROM owners"
            )
            events = superuser.execute("SELECT event_id FROM events ORDER BY xid, event_id").fetchall()
        ledger.streamed[acme.owner_id] = [event_id for (event_id,) in events]
        ledger.delivered[acme.owner_id] = {event_id for (event_id,) in events}
        [(message, answer)] = gateway.taken
        taken = {"direction": "outbound-api", "body": message.body, "message_sid": answer.provider_sid}
        yield Life(url_of(server, name, "postgres"), ledger, [taken])


@pytest.fixture
def kept(life: Life) -> Iterator[Kept]:
    """What a test changes here is undone after it."""
    with psycopg.connect(life.url) as superuser:
        yield Kept(superuser, deepcopy(life.ledger), deepcopy(life.taken))
        superuser.rollback()


async def _write(services: Services, tenant: Tenant, ledger: Ledger, customer: str) -> int:
    """The conversation that three messages of a customer went to."""
    for _ in range(3):
        inbound = make_inbound(tenant, customer=customer)
        ledger.webhooks[inbound.provider_sid] = Webhook(tenant.owner_id, acknowledged=1)
        receipt = await services.inbound.receive(
            inbound, owner=tenant.owner, twilio_account_id=tenant.account.twilio_account_id
        )
    assert receipt.conv_id is not None
    return receipt.conv_id


def _sql(statement: str) -> Callable[[Kept], object]:
    return lambda kept: kept.database.execute(statement.encode())


def _owner(kept: Kept) -> int:
    return next(iter(kept.ledger.sends.values())).owner_id


SABOTAGE: dict[str, tuple[Callable[[Kept], object], str]] = {
    "acknowledged and lost": (
        lambda kept: kept.ledger.webhooks.update({"SMlost": Webhook(1, acknowledged=1)}),
        "every webhook that got a 2xx is one message",
    ),
    "invented": (
        lambda kept: kept.ledger.webhooks.popitem(),
        "every webhook that got a 2xx is one message",
    ),
    "never sent": (
        lambda kept: kept.taken.clear(),
        "every accepted message reached the provider once, no refused one did",
    ),
    "sent twice": (
        lambda kept: kept.taken.append(dict(kept.taken[0], message_sid="SMtwice")),
        "every accepted message reached the provider once, no refused one did",
    ),
    "sent though refused": (
        lambda kept: kept.ledger.sends["one"].__dict__.update(msg_ids=set(), refusal="conversation_closed"),
        "every accepted message reached the provider once, no refused one did",
    ),
    "sent by nobody's wish": (
        lambda kept: kept.taken.append(dict(kept.taken[0], body="Spam")),
        "every accepted message reached the provider once, no refused one did",
    ),
    "two messages for one key": (
        lambda kept: kept.ledger.sends["one"].msg_ids.add(999),
        "a request with one Idempotency-Key is one message",
    ),
    "a number of the provider forgotten": (
        _sql("UPDATE messages SET provider_sid = NULL WHERE direction = 'OUTBOUND'"),
        "each message knows its provider's number",
    ),
    "an event not streamed": (
        lambda kept: kept.ledger.streamed[_owner(kept)].pop(3),
        "every stream told every event once, in order",
    ),
    "an event streamed twice": (
        lambda kept: kept.ledger.streamed[_owner(kept)].append(kept.ledger.streamed[_owner(kept)][0]),
        "every stream told every event once, in order",
    ),
    "events in another order": (
        lambda kept: kept.ledger.streamed[_owner(kept)].reverse(),
        "every stream told every event once, in order",
    ),
    "an event not delivered": (
        lambda kept: kept.ledger.delivered[_owner(kept)].pop(),
        "every event reached the webhook consumer",
    ),
    "a hole": (
        _sql("DELETE FROM messages WHERE seq = 2 AND direction = 'INBOUND'"),
        "sequence numbers have no holes",
    ),
    "open twice": (
        _sql(
            "DROP INDEX idx_conversations_one_open; INSERT INTO conversations SELECT (jsonb_populate_record("
            "c, jsonb_build_object('conv_id', 999))).* FROM conversations AS c WHERE closed_at IS NULL"
        ),
        "no conversation is open twice",
    ),
    "a change that the table forbids": (
        _sql(
            "UPDATE events SET data = data || '{\"status_to\": \"IDLE_TIMEOUT\"}' WHERE type = 'conversation.closed'"
        ),
        "every change of status is in the table",
    ),
    "a change without an event": (
        _sql("UPDATE conversations SET status = 'EXPIRED' WHERE closed_at IS NOT NULL"),
        "every change of status is in the table",
    ),
    "a message after the end": (
        _sql(
            "INSERT INTO events (owner_id, type, actor_kind, conv_id) "
            "SELECT owner_id, 'message.received', 'CUSTOMER', conv_id FROM conversations WHERE closed_at IS NOT NULL"
        ),
        "no message follows an end, but for a goodbye",
    ),
    "a closing that never was": (
        lambda kept: kept.ledger.closings.add((_owner(kept), 12345)),
        "every acknowledged closing happened",
    ),
    "a message left": (
        _sql(
            "UPDATE messages SET provider_sid = NULL, delivery_status = 'QUEUED' WHERE direction = 'OUTBOUND'"
        ),
        "no message waits to be sent",
    ),
    "a job left": (
        _sql(
            "INSERT INTO jobs.pgqueuer (priority, status, entrypoint) VALUES (0, 'queued', 'message_queued')"
        ),
        "no job is left",
    ),
    "a webhook put aside": (
        _sql("INSERT INTO inbound_quarantine (reason, path, params) VALUES ('BAD_SIGNATURE', '/', '{}')"),
        "no well-signed webhook was put aside",
    ),
}


def test_books_of_a_sound_product_balance(kept: Kept) -> None:
    assert kept.broken() == set()


@pytest.mark.parametrize("case", SABOTAGE)
def test_books_notice(kept: Kept, case: str) -> None:
    sabotage, promise = SABOTAGE[case]

    sabotage(kept)

    assert promise in kept.broken()


def test_a_log_with_a_secret_a_text_or_a_number_is_found(tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    log.write_text(
        '{"event": "fine", "ids": [5511900000001]}\ntoken=whsec_1\n"to": "whatsapp:+5511987654321"\nTchau, Isso é tudo, obrigado. Tchau tchau!\n'
    )

    line = search([log], secrets={"whsec_1": "a webhook secret"}, numbers={"+5511987654321"})

    assert line.broken == [
        "serve.log:2 holds a webhook secret",
        "serve.log:3 holds somebody's number",
        "serve.log:4 holds what somebody said",
    ]


async def test_a_consumer_that_was_away_comes_back_to_its_port_which_nobody_took_meanwhile(
    acme: Tenant,
) -> None:
    consumer = Consumer(acme, Ledger())
    async with consumer.running(), aiohttp.ClientSession() as client:
        await consumer.die()
        with socket.socket() as somebody, pytest.raises(OSError, match="in use"):
            somebody.bind((HOST, urlsplit(consumer.url).port))
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.get(consumer.url)

        await consumer.start()

        assert (await client.get(consumer.url)).status == 405
