"""What a thread shows between its messages, however long it is."""

from datetime import UTC, datetime, timedelta

import asyncpg

from databases import url_of
from factories import Tenant
from owner.db.embedded import EmbeddedServer
from owner.repositories.conversation_threads import ConversationThreadRepository
from owner.services.catalog import Services
from reading import events_read
from working import a_customer_writes

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)


async def test_a_stretch_of_a_long_thread_reads_its_own_events_and_none_before(
    services: Services, acme: Tenant, server: EmbeddedServer, database_name: str
) -> None:
    conv_id = await a_customer_writes(services, acme)
    connection = await asyncpg.connect(url_of(server, database_name, "postgres"))
    await connection.execute(
        """
        INSERT INTO events (owner_id, type, actor_kind, conv_id, created_at)
        SELECT $1, (ARRAY['conversation.extended', 'message.read'])[1 + minute % 2], 'SYSTEM', $2,
               $3::timestamptz + make_interval(mins => minute)
        FROM generate_series(0, 4999) AS minute
        """,
        acme.owner_id,
        conv_id,
        BEGIN,
    )
    await connection.execute("ANALYZE events")
    await connection.close()
    since, until = BEGIN + timedelta(minutes=4900), BEGIN + timedelta(minutes=4990)

    async with services.database.owner(acme.owner_id) as asking:
        before = await events_read(asking)
        told = await ConversationThreadRepository(asking).list_events(
            conv_id, types=["conversation.extended"], since=since, until=until
        )
        read = await events_read(asking) - before

    assert [event.created_at for event in told] == [
        since + timedelta(minutes=2 * place) for place in range(45)
    ]
    assert read <= 200
