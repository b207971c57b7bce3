"""Fills a database with conversations of many owners, as the product would have written them, in minutes.

The server makes the rows itself (`flat_data.sql`), as its superuser, the one role that row level security leaves
alone. Indexes and foreign keys of the large tables are taken down before and put back as the catalogue described them,
which also proves every reference; `fact_days` are summed up by the product.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psycopg
from flat_texts import SELDOM, people, texts
from psycopg import sql

from owner import bootstrap
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer, Role
from owner.integrations.twilio.client import TwilioGateway
from owner.models.event import SYSTEM
from owner.models.owner import OwnerCreate
from owner.models.search import words_of
from owner.models.twilio_account import TwilioAccountCreate
from owner.models.webhook_endpoint import WebhookEndpointCreate
from owner.repositories.facts import FactRepository
from owner.services.catalog import Services
from owner.services.clock import SteadyClock
from owner.services.secrets_box import FernetBox, new_secret_key
from owner.settings import Settings

MESSAGES_EACH = 10  # of a conversation, on average
AT_ONCE = 2  # connections that fill
SLICES = 8  # of a large table
TOLD_OWNERS = frozenset({1, 10, 50})  # ranks of owners with an endpoint
EVEN_SHARE = 0.4  # of the conversations: spread evenly, so that the smallest owner has some too
_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)
_LARGE = (
    "contacts",
    "contact_addresses",
    "contact_words",
    "conversations",
    "conversation_labels",
    "conversation_reads",
    "messages",
    "message_search",
    "events",
    "facts",
    "webhook_deliveries",
    "inbound_quarantine",
)
_PARTITIONED = ("events", "facts", "webhook_deliveries", "inbound_quarantine")
_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_wal_size": "8GB",
}
PASSWORD = "correct-horse-battery"  # of everybody
_REFERENCES = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'f' AND conparentid = 0 AND (conrelid = ANY ({tables}::regclass[]) OR confrelid = ANY ({tables}::regclass[]))
"""
_KEYS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype IN ('p', 'u') AND conparentid = 0 AND conrelid = ANY ({tables}::regclass[])
"""
_INDEXES = """
SELECT indexrelid::regclass::text, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') FROM pg_index
WHERE indrelid = ANY ({tables}::regclass[])
"""


@dataclass(frozen=True)
class Size:
    """How much there is to be."""

    messages: int
    owners: int = 100
    days: int = 180
    event_days: int = 90  # as if `OWNER_EVENTS_KEPT_DAYS` were so many
    thread: int = 10_000  # messages of one conversation more, of the owner who has most
    transactions: int = 5_000

    @property
    def conversations(self) -> int:
        return self.messages // MESSAGES_EACH

    def shares(self) -> list[float]:
        """Of the conversations, by rank: the second has half of the first, the third a third, above an even share."""
        weights = [1 / rank for rank in range(1, self.owners + 1)]
        return [EVEN_SHARE / self.owners + (1 - EVEN_SHARE) * weight / sum(weights) for weight in weights]


@dataclass
class Filling:
    """A database of tenants while it is being filled."""

    server: EmbeddedServer
    name: str
    size: Size
    hurries: bool = True  # without caring for a crash, which would cost every database of the server
    tells: Callable[[str], None] = print
    parts: dict[str, str] = field(default_factory=dict)

    def url(self, role: Role = "postgres") -> str:
        return url_of(self.server, self.name, role)

    def fill(self) -> None:
        """Everything, from a copy of a database with tenants to VACUUM."""
        statements = (Path(__file__).parent / "flat_data.sql").read_text()
        _, *pieces = _NAME.split(statements)
        self.parts = dict(zip(pieces[::2], pieces[1::2], strict=True))
        with hurrying(self.server) if self.hurries else nullcontext():
            self._fill_tables()
            asyncio.run(self._sum_up())
            self._tidy()

    def _fill_tables(self) -> None:
        first_xid = self._burn_transactions()
        with self._step("people and plan"):
            self._run("prepare", "functions")
            self._plan()
            self._make_months()
            self._run("conversations_drawn", first_xid=first_xid)
        taken_down = self._take_down()
        for part in ("contacts", "conversations"):
            with self._step(part):
                self._run(part)
        for part in ("messages", "message_search", "events", "facts"):
            with self._step(part):
                self._at_once([partial(self._run, part, **self._slice(no)) for no in range(SLICES)])
        with self._step("deliveries, quarantine"):
            self._run("deliveries", "quarantine")
        for which, statements in taken_down.items():
            with self._step(which):
                self._at_once([partial(self._execute, statement) for statement in statements])
        self._run("finish")

    def _burn_transactions(self) -> int:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            row = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
            connection.execute(self._written("burn").encode())
        assert row is not None
        return int(row[0])

    def _slice(self, no: int) -> dict[str, int]:
        all_of_them = self.size.conversations + 1
        return {"from_no": all_of_them * no // SLICES, "to_no": all_of_them * (no + 1) // SLICES}

    def _written(self, part: str, **values: int) -> str:
        return self.parts[part].format(
            conversations=self.size.conversations,
            days=self.size.days,
            event_days=self.size.event_days,
            thread=self.size.thread,
            xids=self.size.transactions,
            **values,
        )

    def _run(self, *parts: str, **values: int) -> None:
        for part in parts:
            self._execute(self._written(part, **values))

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url()) as connection:
            connection.execute(
                "SET work_mem = '256MB'; SET maintenance_work_mem = '1GB'; SET timezone = 'UTC'"
            )
            connection.execute(statement.encode())

    def _at_once(self, tasks: Sequence[Callable[[], None]]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(task) for task in tasks]:
                done.result()

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self.tells(f"  {self.name}: {what}, {time.monotonic() - begun:.0f} s")

    def _plan(self) -> None:
        """Who has how much, and what is said."""
        contacts = [1 + int(share * self.size.conversations / 2.5) for share in self.size.shares()]
        with psycopg.connect(self.url()) as connection:
            for rank, count in enumerate(contacts, 1):
                connection.execute(
                    _PLAN_OWNER,
                    (
                        rank,
                        sum(self.size.shares()[: rank - 1]),
                        count,
                        1 + sum(contacts[: rank - 1]) + rank,
                        rank,
                    ),
                )
            for no, text in enumerate([SELDOM, "", *texts()], -2):
                words = " ".join(dict.fromkeys(words_of(text)))
                connection.execute(_PLAN_TEXT, (no, text or None, words))
            with connection.cursor().copy("COPY flat.person (no, name, name_key, words) FROM STDIN") as rows:
                for no, person in enumerate(people()):
                    rows.write_row((no, *person))
            connection.execute("ANALYZE flat.owner, flat.text, flat.person")

    def _make_months(self) -> None:
        months = self.size.days // 28 + 2
        with psycopg.connect(self.url("owner_admin")) as connection:
            for table in _PARTITIONED:
                for back in range(1, months):
                    connection.execute(
                        "SELECT make_month_partition(%s::regclass, now() - make_interval(months => %s))",
                        (table, back),
                    )

    def _take_down(self) -> dict[str, list[str]]:
        """Drop references, keys and indexes. Returns the statements that put them back, by what has to be first."""
        tables = "'{" + ",".join(_LARGE) + "}'"
        with psycopg.connect(self.url()) as connection:
            kept: dict[str, list[str]] = {}
            references = connection.execute(_REFERENCES.format(tables=tables).encode()).fetchall()
            keys = connection.execute(_KEYS.format(tables=tables).encode()).fetchall()
            for table, name, _ in [*references, *keys]:
                connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"'.encode())
            indexes = connection.execute(_INDEXES.format(tables=tables).encode()).fetchall()
            for name, _ in indexes:
                connection.execute(f"DROP INDEX {name}".encode())
        kept["keys"] = [
            f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}' for table, name, definition in keys
        ]
        kept["indexes"] = [definition for _, definition in indexes]
        kept["references"] = [
            f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}'
            for table, name, definition in references
        ]
        return kept

    async def _sum_up(self) -> None:
        """The product sums days up anew where they were another zone's."""
        with self._step("sums of days"):
            async with OpenServices(self.server, self.name) as services:
                for owner_id in await _owner_ids(services):
                    async with services.database.owner(owner_id) as connection:
                        await connection.execute(
                            "INSERT INTO fact_zones VALUES ($1, 'UTC') ON CONFLICT (owner_id) DO UPDATE SET time_zone = 'UTC'",
                            owner_id,
                        )
                        await FactRepository(connection, owner_id).settle_zone()

    def _tidy(self) -> None:
        with self._step("vacuum"), psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("SET maintenance_work_mem = '1GB'; SET vacuum_cost_delay = 0")
            connection.execute("VACUUM (ANALYZE, FREEZE)")


_PLAN_OWNER = """
INSERT INTO flat.owner (rank, owner_id, share_from, contacts, first_contact, twilio_account_id, our_address, user_ids, api_key_id,
                        endpoint_id, label_ids)
SELECT %s, owner_id, %s, %s, %s, (SELECT min(twilio_account_id) FROM twilio_accounts AS one WHERE one.owner_id = owners.owner_id),
       (SELECT min(address) FROM channel_addresses AS one WHERE one.owner_id = owners.owner_id),
       ARRAY(SELECT user_id FROM users AS one WHERE one.owner_id = owners.owner_id ORDER BY user_id),
       (SELECT min(api_key_id) FROM api_keys AS one WHERE one.owner_id = owners.owner_id),
       (SELECT min(endpoint_id) FROM webhook_endpoints AS one WHERE one.owner_id = owners.owner_id),
       ARRAY(SELECT label_id FROM labels AS one WHERE one.owner_id = owners.owner_id ORDER BY label_id)
FROM owners WHERE name = 'Company ' || %s
"""
_PLAN_TEXT = """
INSERT INTO flat.text (no, content, lexemes)
SELECT no, content, ARRAY(SELECT substr(lexeme, 3) FROM unnest(tsvector_to_array(search_lexemes(0, words))) AS lexeme)
FROM (VALUES (%s::integer, %s::text, %s::text)) AS given (no, content, words)
"""
_PEOPLE = """
INSERT INTO users (owner_id, email, name, role, password_hash)
SELECT owner_id, 'agent' || no || '@' || owner_id || '.example', 'Agent ' || no, 'AGENT', password_hash
FROM users, generate_series(1, 3) AS no
"""


class OpenServices:
    """All use cases over a database of the server, through the role that row level security binds."""

    def __init__(self, server: EmbeddedServer, name: str) -> None:
        self.url = url_of(server, name, "owner_service")
        self.home = server.home

    async def __aenter__(self) -> Services:
        self.database = await Database.connect(self.url, pool_size=4)
        settings = Settings(home=self.home, public_url="https://owner.example")
        self.gateway = TwilioGateway(settings.twilio_api_url)
        return bootstrap.wire(
            settings, self.database, self.gateway, FernetBox([new_secret_key()]), SteadyClock()
        )

    async def __aexit__(self, *problem: object) -> None:
        await self.gateway.aclose()
        await self.database.close()


def url_of(server: EmbeddedServer, name: str, role: Role = "owner_service") -> str:
    return server.url(role).replace("/owner?", f"/{name}?")


@contextmanager
def hurrying(server: EmbeddedServer) -> Iterator[None]:
    """Write without caring for a crash."""

    def settle(statements: Sequence[str]) -> None:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            for statement in [*statements, "SELECT pg_reload_conf()", "CHECKPOINT"]:
                connection.execute(statement.encode())

    settle([f"ALTER SYSTEM SET {name} = '{value}'" for name, value in _FAST.items()])
    try:
        yield
    finally:
        settle([f"ALTER SYSTEM RESET {name}" for name in _FAST])


def make_tenants(server: EmbeddedServer, name: str, *, count: int) -> None:
    """Tenants who have said nothing yet, in a database that is migrated."""
    asyncio.run(_make_tenants(server, name, count))


def create_database(server: EmbeddedServer, name: str, *, template: str) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER owner_admin TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )


async def _make_tenants(server: EmbeddedServer, name: str, count: int) -> None:
    async with OpenServices(server, name) as services:
        for rank in range(1, count + 1):
            await _make_tenant(services, rank)


async def _owner_ids(services: Services) -> list[int]:
    async with services.database.system() as connection:
        return [row["owner_id"] for row in await connection.fetch("SELECT owner_id FROM directory_owners()")]


def email_of(rank: int) -> str:
    return f"ana{rank}@example.com"


async def _make_tenant(services: Services, rank: int) -> None:
    create = OwnerCreate(name=f"Company {rank}", email=email_of(rank), password=PASSWORD)
    owner_id = (await services.tenants.create(create)).owner_id
    number = f"+5511300{rank:05d}"
    account = TwilioAccountCreate(
        account_sid=f"AC{secrets.token_hex(16)}",
        auth_token=secrets.token_hex(16),
        phone_numbers=[number, f"whatsapp:{number}"],
    )
    await services.twilio.connect(owner_id, account)
    if rank in TOLD_OWNERS:
        endpoint = WebhookEndpointCreate(url="https://hooks.example.com/", event_types=["message.received"])
        await services.webhook_endpoints.create(owner_id, endpoint, by=SYSTEM)
    async with services.database.owner(owner_id) as connection:
        await connection.execute(_PEOPLE)
        await connection.execute(
            "INSERT INTO labels (owner_id, name, color) SELECT $1, name, '#336699' FROM unnest($2::text[]) AS name",
            owner_id,
            ["vip", "entrega", "financeiro", "raro"],
        )
