"""Streams of a real server: what another process commits arrives, and a server that is told to end does."""

import asyncio

import pytest

from calling import Api
from e2e.stage import PATIENCE, Stage
from factories import Tenant, some_number
from owner.models.event import FeedPosition
from owner.repositories.event_pages import write_feed_cursor
from streaming import StreamClient


@pytest.fixture
async def acme(stage: Stage) -> Tenant:
    return await stage.tenant("acme")


async def test_a_stream_survives_its_server_and_tells_everything_once(stage: Stage, acme: Tenant) -> None:
    server = await stage.serve()
    api = Api(stage.url, stage.session, acme.api_key)
    client = StreamClient(api, last_event_id=write_feed_cursor(FeedPosition(0, 0)))
    ana = some_number()

    async with asyncio.timeout(PATIENCE), client.connected() as events:
        await stage.write(acme, ana, "Oi")
        while "message.received" not in {told.type for told in client.told}:
            await anext(events)
        server.kill()
    server = await stage.serve()
    await stage.write(acme, ana, "De novo")
    happened = await stage.rows(acme, "SELECT event_id FROM events ORDER BY xid, event_id")
    await client.hear(len(happened))

    assert client.event_ids == [event["event_id"] for event in happened]
    assert await server.end() == 0


@pytest.mark.parametrize("options", [(), ("--workers", "2", "--with-worker")], ids=["one", "several"])
async def test_a_server_with_open_streams_ends_at_once_when_it_is_told_to(
    stage: Stage, acme: Tenant, options: tuple[str, ...]
) -> None:
    server = await stage.serve(*options)
    clients = [StreamClient(Api(stage.url, stage.session, acme.api_key)) for _ in range(4)]

    async def listen(client: StreamClient) -> None:
        async with client.connected() as events:
            connected.release()
            async for _ in events:
                pass

    connected = asyncio.Semaphore(0)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(listen(client))
        for _ in clients:
            await connected.acquire()
        exit_code = await server.end()

    # Each client has read its answer to the end; one that uvicorn had to break off would have failed.
    assert exit_code == 0
