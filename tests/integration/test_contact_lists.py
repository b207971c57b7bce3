"""Lists of contacts reach an index under row level security, whatever they are narrowed by."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from databases import url_of
from factories import Tenant
from owner.db.database import Connection
from owner.db.embedded import EmbeddedServer
from owner.models.addresses import Address
from owner.models.contact import ContactFilter
from owner.models.enums import Channel
from owner.repositories.contacts import ContactRepository
from owner.services.catalog import Services

MANY = """
INSERT INTO contacts (owner_id, contact_id, name, name_key, blocked_at)
    SELECT $1::bigint, $1::bigint * 100000 + c, 'Ana ' || c, 'ana ' || c, CASE WHEN c % 500 = 0 THEN now() END
    FROM generate_series(1, 3000) AS c
"""
ADDRESSES = """
INSERT INTO contact_addresses (owner_id, address, channel, reply_address, contact_id, opted_out_at)
    SELECT owner_id, '+55119' || contact_id, 'SMS', '', contact_id, CASE WHEN contact_id % 500 = 0 THEN now() END
    FROM contacts WHERE owner_id = $1
"""
WORDS = """
INSERT INTO contact_words (owner_id, word, contact_id)
    SELECT owner_id, word, contact_id FROM contacts, unnest(ARRAY['ana', contact_id::text]) AS word WHERE owner_id = $1
"""

# What is asked for, by which index it is found, and whether the index gives the order too.
CASES: list[tuple[dict[str, Any], str | None, str, bool]] = [
    ({}, None, "contacts_pkey", True),
    ({"blocked": True}, None, "idx_contacts_blocked", True),
    ({"blocked": False}, None, "contacts_pkey", True),
    ({"opted_out": True}, None, "idx_contact_addresses_opted_out", False),
    ({"opted_out": False}, None, "contacts_pkey", False),
    ({"name": "Ána 4"}, None, "idx_contacts_name", True),
    ({"text": "4711"}, None, "contact_words_pkey", False),
    ({"text": "ana"}, None, "contact_words_pkey", True),
    ({}, "+551191", "contact_addresses_pkey", False),
]


class Explaining:
    """A connection that tells how Postgres would find the rows, as the application's role."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.plan = ""

    async def fetch(self, sql: str, *values: object) -> list[Any]:
        self.plan += "\n".join(row[0] for row in await self.connection.fetch(f"EXPLAIN {sql}", *values))
        return await self.connection.fetch(sql, *values)


@pytest.fixture
async def crowd(
    services: Services, server: EmbeddedServer, database_name: str, acme: Tenant, globex: Tenant
) -> AsyncIterator[Tenant]:
    superuser = await asyncpg.connect(url_of(server, database_name, "postgres"))
    try:
        for tenant in (acme, globex):
            for statement in (MANY, ADDRESSES, WORDS):
                await superuser.execute(statement, tenant.owner_id)
        for table in ("contacts", "contact_addresses", "contact_words"):
            await superuser.execute(f"ANALYZE {table}")
        yield acme
    finally:
        await superuser.close()


async def test_each_filter_and_order_reaches_an_index(services: Services, crowd: Tenant) -> None:
    for wanted, address, index, is_sorted_by_index in CASES:
        async with services.database.owner(crowd.owner_id) as connection:
            explaining = Explaining(connection)
            repository = ContactRepository(explaining)  # type: ignore[arg-type]
            known = Address(Channel.SMS, address) if address else None
            await repository.list_matching(ContactFilter(**wanted), address=known, limit=50, cursor=None)

        assert "Seq Scan" not in explaining.plan, explaining.plan
        assert index in explaining.plan, explaining.plan
        assert not (is_sorted_by_index and "Sort" in explaining.plan), explaining.plan


async def test_the_number_of_queries_does_not_grow_with_the_page(
    services: Services, crowd: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    asked = asyncpg.pool.PoolConnectionProxy.fetch
    for limit in (1, 100):
        seen: list[str] = []

        async def counting(
            self: Any, query: str, *values: Any, seen: list[str] = seen, **options: Any
        ) -> Any:
            seen.append(query)
            return await asked(self, query, *values, **options)

        monkeypatch.setattr(asyncpg.pool.PoolConnectionProxy, "fetch", counting)
        page = await services.contacts.list_page(crowd.owner_id, ContactFilter(), limit=limit)
        assert len(page.items) == limit
        counts.append(len(seen))

    assert counts == [2, 2]


ALIKE = """
INSERT INTO contact_words (owner_id, word, contact_id)
    SELECT owner_id, word, contact_id FROM contacts, unnest(ARRAY['anabela', 'lima']) AS word
    WHERE owner_id = $1 AND contact_id % 3 = 0
"""


@pytest.mark.parametrize(
    "begins", [["an"], ["an", "lim"], ["ana", ""], ["lim", "000"], ["", "an"], ["zz", "an"]]
)
async def test_contacts_of_common_words_are_each_listed_once_newest_first(
    services: Services, crowd: Tenant, begins: list[str]
) -> None:
    # A beginning that is left out stands for digits with which more words begin than are read one by one.
    asked = [beginning or str(crowd.owner_id) for beginning in begins]
    found: list[int] = []
    async with services.database.owner(crowd.owner_id) as connection:
        await connection.execute(ALIKE, crowd.owner_id)
        repository, cursor = ContactRepository(connection), None
        while cursor is not None or not found:
            page = await repository.list_matching(
                ContactFilter(text=" ".join(asked)), address=None, limit=100, cursor=cursor
            )
            found += [contact.contact_id for contact in page.items]
            cursor = page.next_cursor
            if not page.items:
                break
        words = await connection.fetch("SELECT contact_id, word FROM contact_words")

    holders = [{row["contact_id"] for row in words if row["word"].startswith(one)} for one in asked]
    assert found == sorted(set.intersection(*holders), reverse=True)
