"""The stream of events over real HTTP: no gap, no double, however often a client is cut off or others are slow."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress

import pytest

from calling import Api, calling
from conftest import database_url
from factories import Tenant, make_inbound, some_number
from owner.api import sse
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer
from owner.models.event import SYSTEM, FeedPosition, NewEvent
from owner.models.outage_errors import TooManyStreams
from owner.repositories.event_pages import write_feed_cursor
from owner.repositories.events import EventRepository
from owner.services import event_streams
from owner.services.catalog import Services
from owner.services.event_streams import EventStreamService, Listener, StreamedEvent, StreamLimits
from reading import rows, settled
from streaming import PATIENCE, StreamClient

BEGINNING = write_feed_cursor(FeedPosition(0, 0))


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    await settled(services.database)
    async with calling(services, acme.api_key) as api:
        yield api


async def note(database: Database, tenant: Tenant, count: int = 1, *, kind: str = "owner.updated") -> None:
    for _ in range(count):
        async with database.owner(tenant.owner_id) as connection:
            await EventRepository(connection).add_all(tenant.owner_id, [NewEvent(kind, SYSTEM)])


async def event_ids(services: Services, tenant: Tenant) -> list[int]:
    """All of an owner's events, in the order of the feed."""
    found = await rows(services, tenant, "SELECT event_id FROM events ORDER BY xid, event_id")
    return [row["event_id"] for row in found]


async def receive(services: Services, tenant: Tenant, customer: str) -> None:
    await services.inbound.receive(
        make_inbound(tenant, customer=customer),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )


async def test_two_clients_that_drop_and_resume_hear_each_of_a_thousand_messages_once_and_in_order(
    services: Services, api: Api, acme: Tenant
) -> None:
    customers = [some_number() for _ in range(25)]
    is_over = asyncio.Event()

    async def customer_writes(customer: str) -> None:
        for _ in range(40):
            await receive(services, acme, customer)

    async def listen(client: StreamClient, *, drops_after: int) -> None:
        while not is_over.is_set() or len(client.told) < len(await event_ids(services, acme)):
            async with client.connected() as events:
                for _ in range(drops_after):
                    try:
                        await asyncio.wait_for(anext(events), 1.0)
                    except TimeoutError:
                        break

    clients = [StreamClient(api, last_event_id=BEGINNING) for _ in range(2)]
    async with asyncio.timeout(PATIENCE * 2), asyncio.TaskGroup() as group:
        for client, drops_after in zip(clients, (70, 131), strict=True):
            group.create_task(listen(client, drops_after=drops_after))
        await asyncio.gather(*(customer_writes(customer) for customer in customers))
        is_over.set()

    happened = await event_ids(services, acme)
    for client in clients:
        assert client.event_ids == happened
        assert [told.type for told in client.told].count("message.received") == 1_000


async def test_an_event_is_told_as_the_list_shows_it(services: Services, api: Api, acme: Tenant) -> None:
    client = StreamClient(api, last_event_id=BEGINNING)
    await receive(services, acme, some_number())
    happened = await event_ids(services, acme)

    await client.hear(len(happened))

    listed = (await api.call("GET", "/v1/events")).body["items"]
    assert [told.data for told in client.told] == listed
    assert [told.id for told in client.told] == [event["cursor"] for event in listed]
    assert [told.type for told in client.told] == [event["type"] for event in listed]
    assert client.retry == sse.RETRY


@pytest.mark.parametrize(
    "limits", [StreamLimits(per_caller=2, per_owner=0), StreamLimits(per_caller=0, per_owner=2)]
)
async def test_one_stream_too_many_is_refused_until_another_ends(
    services: Services, api: Api, acme: Tenant, globex: Tenant, limits: StreamLimits
) -> None:
    services.event_streams.limits = limits
    async with asyncio.timeout(PATIENCE), AsyncExitStack() as first, AsyncExitStack() as second:
        await first.enter_async_context(StreamClient(api).connected())
        await second.enter_async_context(StreamClient(api).connected())

        refusal = await api.call("GET", "/v1/events/stream")
        async with StreamClient(api, key=globex.api_key).connected():
            pass  # other owners are not in its way
        await first.aclose()
        heard_again = await _opened(StreamClient(api))

    assert (refusal.status, refusal.body["code"], refusal.body["limit"]) == (429, "too_many_streams", 2)
    assert refusal.headers["Retry-After"] == "10"
    assert heard_again


async def _opened(client: StreamClient) -> bool:
    """Whether a stream opens, once the server has noticed that another one ended."""
    while True:
        with suppress(AssertionError):
            async with client.connected():
                return True
        await asyncio.sleep(0.05)


async def test_streams_that_were_let_in_at_once_stay_within_the_limit(
    database: Database, acme: Tenant
) -> None:
    streams = EventStreamService(database, limits=StreamLimits(per_caller=2))
    streams.refuse_too_many(acme.owner_id, SYSTEM)

    async with streams.listening(acme.owner_id), streams.listening(acme.owner_id):
        with pytest.raises(TooManyStreams):
            async with streams.listening(acme.owner_id):
                pass


async def test_without_an_id_a_stream_begins_now(services: Services, api: Api, acme: Tenant) -> None:
    client = StreamClient(api)
    before = await event_ids(services, acme)

    async with asyncio.timeout(PATIENCE), client.connected() as events:
        await note(services.database, acme)
        await anext(events)

    assert client.event_ids == (await event_ids(services, acme))[len(before) :]


async def test_a_client_that_is_cut_off_before_its_first_event_misses_none(
    services: Services, api: Api, acme: Tenant
) -> None:
    client = StreamClient(api)
    async with client.connected():
        pass
    before = await event_ids(services, acme)
    await note(services.database, acme, 3)

    await client.hear(3)

    assert client.event_ids == (await event_ids(services, acme))[len(before) :]


async def test_the_id_can_be_given_as_a_parameter(services: Services, api: Api, acme: Tenant) -> None:
    client = StreamClient(api, query=[("last_event_id", BEGINNING)])

    await client.hear(2)

    assert client.event_ids == (await event_ids(services, acme))[:2]


@pytest.mark.parametrize("given", ["nonsense", "é", BEGINNING[:-2] + "AA", "A" * 400])
async def test_an_id_that_no_stream_gave_out_is_refused(api: Api, given: str) -> None:
    by_parameter = await api.call("GET", "/v1/events/stream", last_event_id=given)
    by_header = await api.call("GET", "/v1/events/stream", headers={"Last-Event-ID": given})

    assert (by_parameter.status, by_parameter.code, by_parameter.body["field"]) == (
        400,
        "invalid_cursor",
        "last_event_id",
    )
    assert (by_header.status, by_header.code, by_header.body["field"]) == (
        400,
        "invalid_cursor",
        "Last-Event-ID",
    )


async def test_what_no_notice_tells_is_found_by_looking(
    services: Services, api: Api, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.database.notices, "announce", lambda _owner_ids: None)
    client = StreamClient(api)

    async with asyncio.timeout(PATIENCE), client.connected() as events:
        await note(services.database, acme, 2)
        await anext(events)
        await note(services.database, acme)
        await anext(events)
        await anext(events)

    assert client.event_ids == (await event_ids(services, acme))[-3:]


async def test_a_notice_is_enough_without_looking(
    services: Services, api: Api, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "POLL", 3_600.0)
    client = StreamClient(api)

    async with asyncio.timeout(PATIENCE), client.connected() as events:
        await note(services.database, acme)
        await settled(services.database)
        services.database.notices.announce({acme.owner_id})  # in case that other tests held the last one back
        await anext(events)

    assert len(client.told) == 1


async def test_an_event_that_is_committed_late_is_not_passed_over(
    services: Services, api: Api, acme: Tenant
) -> None:
    client = StreamClient(api)

    async with asyncio.timeout(PATIENCE), client.connected() as events:
        async with services.database.owner(acme.owner_id) as late:
            await EventRepository(late).add_all(acme.owner_id, [NewEvent("owner.updated", SYSTEM)])
            await note(services.database, acme, kind="owner.created")
        await anext(events)
        await anext(events)

    assert [told.type for told in client.told] == ["owner.updated", "owner.created"]
    assert client.event_ids == (await event_ids(services, acme))[-2:]


async def test_only_the_wanted_types_and_conversations_are_told(
    services: Services, api: Api, acme: Tenant
) -> None:
    ana, bruno = some_number(), some_number()
    await receive(services, acme, ana)
    await receive(services, acme, bruno)
    found = await rows(
        services, acme, "SELECT DISTINCT conv_id FROM events WHERE conv_id IS NOT NULL ORDER BY 1"
    )
    conv_id = found[0]["conv_id"]
    types = [("type", "message.received"), ("type", "conversation.opened"), ("last_event_id", BEGINNING)]
    both, one = StreamClient(api, query=types), StreamClient(api, query=[*types, ("conv_id", str(conv_id))])

    await both.hear(4)
    await one.hear(2)

    assert sorted(told.type for told in both.told) == ["conversation.opened"] * 2 + ["message.received"] * 2
    assert {told.data["conv_id"] for told in one.told} == {conv_id}
    assert sorted(told.type for told in one.told) == ["conversation.opened", "message.received"]


@pytest.mark.parametrize("query", ["type=nothing.known", "conv_id=0", "conv_id=x", "follow=yes", "type="])
async def test_a_filter_that_means_nothing_is_refused(api: Api, query: str) -> None:
    answer = await api.call("GET", f"/v1/events/stream?{query}")

    assert answer.status == 422


async def test_silence_is_filled_with_comments_that_say_where_to_resume(
    services: Services, api: Api, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT", 0.2)
    client = StreamClient(api, query=[("type", "message.read")])

    async with asyncio.timeout(PATIENCE), client.connected() as events:
        begun_at = client.last_event_id
        await note(services.database, acme)
        next_event = asyncio.ensure_future(anext(events))
        while client.last_event_id == begun_at:  # noqa: ASYNC110 - the client tells nobody
            await asyncio.sleep(0.05)
        await note(services.database, acme, kind="message.read")
        await next_event

    assert client.comments >= 1
    assert [told.type for told in client.told] == ["message.read"]


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE api_keys SET revoked_at = now() RETURNING 1",
        "UPDATE owners SET suspended_at = now() RETURNING 1",
    ],
)
async def test_the_stream_of_a_revoked_key_or_a_suspended_owner_ends(
    services: Services, api: Api, acme: Tenant, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(sse, "RECHECK", 0.2)
    monkeypatch.setattr(sse, "HEARTBEAT", 0.1)
    client = StreamClient(api)

    async with asyncio.timeout(PATIENCE), client.connected() as events:
        await rows(services, acme, end)
        with pytest.raises(StopAsyncIteration):
            await anext(events)


async def test_nobody_hears_another_owners_events(
    services: Services, api: Api, acme: Tenant, globex: Tenant
) -> None:
    client = StreamClient(api)

    async with asyncio.timeout(PATIENCE), client.connected() as events:
        await note(services.database, globex, 3)
        await note(services.database, acme)
        await anext(events)

    assert client.event_ids == (await event_ids(services, acme))[-1:]
    foreign = StreamClient(api, key=globex.api_key, last_event_id=client.last_event_id)
    async with asyncio.timeout(PATIENCE), foreign.connected() as events:
        await note(services.database, globex)
        await anext(events)
    assert foreign.event_ids == (await event_ids(services, globex))[-1:]


async def test_open_streams_end_when_the_process_does(services: Services, api: Api) -> None:
    client = StreamClient(api)

    async with asyncio.timeout(PATIENCE), client.connected() as events:
        services.event_streams.end()
        with pytest.raises(StopAsyncIteration):
            await anext(events)


async def test_a_stream_outlives_its_connections_to_the_database(
    services: Services, server: EmbeddedServer, database_name: str, acme: Tenant
) -> None:
    database = await Database.connect(database_url(server, database_name), pool_size=3)
    streams = EventStreamService(database)
    async with asyncio.timeout(PATIENCE), streams.listening(acme.owner_id) as listener:
        await note(services.database, acme)
        first = await hear(listener, 1)
        async with services.database.system() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user"
                " AND backend_start >= (SELECT backend_start FROM pg_stat_activity WHERE pid = $1)",
                await pid_of(database),
            )
        await note(services.database, acme)
        second = await hear(listener, 1)
    await database.close()

    assert first + second == (await event_ids(services, acme))[-2:]


async def test_two_hundred_listeners_share_two_connections_and_one_read(
    services: Services, server: EmbeddedServer, database_name: str, acme: Tenant, globex: Tenant
) -> None:
    database = await Database.connect(database_url(server, database_name), pool_size=2)
    streams = ReadCounter(database)
    is_listening = asyncio.Semaphore(0)

    async def listen(tenant: Tenant) -> list[int]:
        async with streams.listening(tenant.owner_id) as listener:
            is_listening.release()
            return await hear(listener, 5)

    async with asyncio.timeout(PATIENCE):
        tasks = [asyncio.create_task(listen(tenant)) for tenant in (acme, globex) for _ in range(100)]
        for _ in tasks:
            await is_listening.acquire()
        streams.reads = 0
        for _ in range(5):
            await note(services.database, acme)
            await note(services.database, globex)
        heard = await asyncio.gather(*tasks)
    connections, reads = database.pool.get_size(), streams.reads
    await database.close()

    expected = [(await event_ids(services, tenant))[-5:] for tenant in (acme, globex)]
    assert heard == [expected[0]] * 100 + [expected[1]] * 100
    assert connections <= 2
    assert reads < 100  # each owner's events once, not once for each who listens


async def test_a_slow_listener_catches_up_by_itself(
    services: Services, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "LONGEST_QUEUE", 2)
    monkeypatch.setattr(event_streams, "BATCH", 3)
    streams = services.event_streams
    async with (
        asyncio.timeout(PATIENCE),
        streams.listening(acme.owner_id) as slow,
        streams.listening(acme.owner_id) as fast,
    ):
        before = await event_ids(services, acme)
        for _ in range(10):
            await note(services.database, acme, 3)
            await hear(fast, 3)
        caught_up = await hear(slow, 30)
        await note(services.database, acme, 2)
        live = await hear(slow, 2)

    assert caught_up + live == (await event_ids(services, acme))[len(before) :]


async def test_listeners_that_come_and_go_meanwhile_miss_nothing_after_they_came(
    services: Services, acme: Tenant
) -> None:
    streams, is_over = services.event_streams, asyncio.Event()

    async def write() -> None:
        for _ in range(60):
            await note(services.database, acme)
        is_over.set()

    async def come_and_go() -> list[list[int]]:
        stretches = []
        position: FeedPosition | None = None
        while not is_over.is_set():
            async with streams.listening(acme.owner_id, after=position) as listener:
                stretches.append(await hear(listener, 3, patience=0.5))
                position = listener.position
        async with streams.listening(acme.owner_id, after=position) as listener:
            await settled(services.database)
            stretches.append(await hear(listener, 1_000, patience=0.5))
        return stretches

    async with asyncio.timeout(PATIENCE):
        walkers, _ = await asyncio.gather(asyncio.gather(*(come_and_go() for _ in range(5))), write())

    happened = await event_ids(services, acme)
    for walker in walkers:
        heard = list(itertools.chain.from_iterable(walker))
        assert heard == happened[-len(heard) :]


async def test_the_stream_is_described_as_one(api: Api) -> None:
    description = (await api.call("GET", "/openapi.json")).body

    stream = description["paths"]["/v1/events/stream"]["get"]
    assert list(stream["responses"]["200"]["content"]) == ["text/event-stream"]
    assert stream["x-permission"] == "events:read"
    assert {"Last-Event-ID", "last_event_id", "type", "conv_id"} == {
        parameter["name"] for parameter in stream["parameters"]
    }


class ReadCounter(EventStreamService):
    """Counts how often events are asked for."""

    reads = 0

    async def read_after(self, owner_id: int, position: FeedPosition) -> Sequence[StreamedEvent]:
        self.reads += 1
        return await super().read_after(owner_id, position)


async def hear(listener: Listener, count: int, *, patience: float = PATIENCE) -> list[int]:
    """The ids of so many events; fewer where nothing came for that long."""
    heard: list[int] = []
    while len(heard) < count:
        events = await listener.next(patience)
        if not events and patience < PATIENCE:
            break
        heard += [event.position.event_id for event in events]
    return heard


async def pid_of(database: Database) -> int:
    async with database.system() as connection:
        pid: int = await connection.fetchval("SELECT pg_backend_pid()")
    return pid
