"""What the benchmark's generator loads is what the product would have made of the same messages."""

from collections.abc import Iterator

import psycopg
import pytest
from flat_data import Filling, OpenServices, Size, make_tenants

from databases import ask, new_database, url_of
from owner.db.embedded import EmbeddedServer
from owner.models.conversation_query import ConversationQuery, ConversationState
from owner.models.search import MessageSearch

SIZE = Size(messages=600, owners=3, days=40, event_days=400, thread=100, transactions=50)
DERIVED = {
    "facts": "owner_id, event_id, kind, created_at, conv_id, msg_id, channel, label, seconds, bucket",
    "fact_days": "owner_id, kind, day, channel, label, count, round(seconds::numeric, 3) AS seconds, histogram",
    "message_search": "owner_id, msg_id, conv_id, lexemes",
}
CATALOGUE = """
SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), convalidated::text FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conparentid = 0 AND contype IN ('f', 'p', 'u')
UNION ALL
SELECT indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid::text FROM pg_index
WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid) ORDER BY 1, 2, 3
"""


@pytest.fixture(scope="module")
def filled(server: EmbeddedServer, template: str, worker_id: str) -> Iterator[str]:
    name = f"flat_{worker_id}"
    with new_database(server, name, template=template):
        make_tenants(server, name, count=SIZE.owners)
        Filling(server, name, SIZE, hurries=False, tells=lambda _step: None).fill()
        yield name


def test_keys_indexes_and_references_are_as_they_were(
    server: EmbeddedServer, filled: str, template: str
) -> None:
    tables = "facts|events|webhook_deliveries|inbound_quarantine"
    there = [
        row for row in ask(url_of(server, filled, "postgres"), CATALOGUE) if not row[0].startswith("pg_")
    ]

    assert there == [
        row for row in ask(url_of(server, template, "postgres"), CATALOGUE) if not row[0].startswith("pg_")
    ]
    assert {row[3] for row in there} == {"true"}
    assert ask(
        url_of(server, filled, "postgres"),
        f"SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indrelid::regclass::text ~ '{tables}'",
    ) == [(0,)]


async def test_facts_sums_and_lexemes_are_those_that_the_readers_make_of_the_events(
    server: EmbeddedServer, filled: str
) -> None:
    with psycopg.connect(url_of(server, filled, "postgres")) as connection:
        for table, columns in DERIVED.items():
            connection.execute(f"CREATE TABLE kept_{table} AS SELECT {columns} FROM {table}".encode())
        connection.execute("TRUNCATE facts, fact_days, message_search")
        connection.execute("UPDATE event_cursors SET xid = '0', event_id = 0")

    async with OpenServices(server, filled) as services:
        while await services.event_feed.owners_behind():
            await services.event_feed.sweep()

    with psycopg.connect(url_of(server, filled, "postgres")) as connection:
        for table, columns in DERIVED.items():
            [(loaded,)] = connection.execute(f"SELECT count(*) FROM kept_{table}".encode())
            differing = connection.execute(
                f"""
                (SELECT * FROM kept_{table} EXCEPT SELECT {columns} FROM {table})
                UNION ALL (SELECT {columns} FROM {table} EXCEPT SELECT * FROM kept_{table})
                """.encode()
            ).fetchall()
            connection.execute(f"DROP TABLE kept_{table}".encode())
            assert differing == [], table
            assert loaded > 0, table


async def test_the_product_lists_shows_and_finds_it(server: EmbeddedServer, filled: str) -> None:
    [(owner_id,)] = ask(url_of(server, filled, "postgres"), "SELECT min(owner_id) FROM owners")

    async with OpenServices(server, filled) as services:
        open_ones = await services.conversations.list_page(
            owner_id, ConversationQuery(state=ConversationState.OPEN)
        )
        closed = await services.conversations.list_page(
            owner_id, ConversationQuery(state=ConversationState.CLOSED)
        )
        thread, _ = await services.messages.list_page(owner_id, SIZE.conversations + 1, limit=100)
        found, _ = await services.search.search(owner_id, MessageSearch(text="pedido"))
        due = await services.timeouts.sweep()

    assert open_ones.items
    assert closed.items
    assert [message.seq for message in thread.items] == [*range(1, SIZE.thread + 1)]
    assert found
    assert all("pedido" in match.message.content.lower() for match in found)
    assert due == 0
