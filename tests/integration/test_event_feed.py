"""The feed hands every event to every reader once, in order, whatever fails or runs at the same time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest

from conftest import TurnableClock
from databases import url_of
from factories import Tenant, make_tenant
from owner.db.database import Connection
from owner.db.embedded import EmbeddedServer
from owner.models.event import SYSTEM, Event, NewEvent
from owner.repositories.directory import Directory
from owner.repositories.events import EventRepository
from owner.services import event_feed, event_follower
from owner.services.catalog import Services
from owner.services.event_feed import EventFeedService, EventReader, Progress
from owner.services.event_follower import EventFollower
from reading import oldest_running, rows, settled


class KeepingReader:
    """Writes down what it reads, under keys that can be had once only; fails where it is told to."""

    def __init__(self, name: str = "keeper", *, starts_now: bool = False) -> None:
        self.name = name
        self.starts_now = starts_now
        self.fails_after: int | None = None
        self.batches: list[int] = []

    async def read(self, connection: Connection, owner_id: int, events: Sequence[Event]) -> None:
        for number, event in enumerate(events):
            if number == self.fails_after:
                raise RuntimeError("the reader's own mistake")
            await connection.execute(
                "INSERT INTO features (owner_id, name) VALUES ($1, $2)",
                owner_id,
                f"{self.name}:{event.event_id}",
            )
        self.batches.append(len(events))


@pytest.fixture
async def admin(server: EmbeddedServer, database_name: str) -> AsyncIterator[Connection]:
    """The superuser, who may write what the product would not."""
    connection = await asyncpg.connect(url_of(server, database_name, "postgres"))
    yield connection
    await connection.close()


def feed_of(services: Services, clock: TurnableClock, *readers: EventReader) -> EventFeedService:
    return EventFeedService(services.database, clock=clock, readers=readers)


async def note(services: Services, tenant: Tenant, count: int = 1) -> list[int]:
    """Let some events happen, each in a transaction of its own. Returns their ids, once they can be told."""
    for _ in range(count):
        async with services.database.owner(tenant.owner_id) as connection:
            await EventRepository(connection).add_all(
                tenant.owner_id, [NewEvent("conversation.extended", SYSTEM)]
            )
    await settled(services.database)
    return await ids(services, tenant)


async def ids(services: Services, tenant: Tenant) -> list[int]:
    found = await rows(services, tenant, "SELECT event_id FROM events ORDER BY xid, event_id")
    return [row["event_id"] for row in found]


async def kept(services: Services, tenant: Tenant, name: str = "keeper") -> list[int]:
    found = await rows(
        services, tenant, "SELECT name FROM features WHERE name LIKE $1 ORDER BY feature_id", f"{name}:%"
    )
    return [int(row["name"].split(":")[1]) for row in found]


async def test_every_event_is_read_once_and_in_order(
    services: Services, acme: Tenant, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feed, "BATCH", 3)
    reader = KeepingReader()
    feed = feed_of(services, clock, reader)
    happened = await note(services, acme, 7)

    assert await feed.advance(acme.owner_id) is Progress.DONE
    assert await feed.advance(acme.owner_id) is Progress.DONE

    assert await kept(services, acme) == happened
    assert sum(reader.batches) == len(happened)
    assert max(reader.batches) == 3


async def test_what_happens_while_an_owner_has_its_turn_is_left_for_the_next(
    services: Services, acme: Tenant, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feed, "BATCH", 1)
    monkeypatch.setattr(event_feed, "BATCHES_IN_TURN", 4)
    feed = feed_of(services, clock, KeepingReader())
    happened = await note(services, acme, 2)
    assert len(happened) == 4

    assert await feed.advance_all([acme.owner_id]) == {acme.owner_id: Progress.MORE}
    assert len(await kept(services, acme)) < len(happened)
    assert await feed.advance_all([acme.owner_id]) == {acme.owner_id: Progress.DONE}

    assert await kept(services, acme) == happened


async def test_nothing_is_kept_of_a_batch_that_failed_and_it_is_read_again_later(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    reader = KeepingReader()
    feed = feed_of(services, clock, reader)
    happened = await note(services, acme, 3)
    reader.fails_after = 2

    assert await feed.advance(acme.owner_id) is Progress.WAITS
    assert await kept(services, acme) == []

    reader.fails_after = None
    assert await feed.advance(acme.owner_id) is Progress.WAITS  # it rests
    assert await kept(services, acme) == []
    clock.turn(seconds=2)
    assert await feed.advance(acme.owner_id) is Progress.DONE
    assert await kept(services, acme) == happened


async def test_a_reader_that_fails_again_and_again_rests_ever_longer(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    reader = KeepingReader()
    reader.fails_after = 0
    feed = feed_of(services, clock, reader)
    await note(services, acme)
    clock.frozen_at = clock.now()

    failures = []
    for _ in range(12):
        await feed.advance(acme.owner_id)
        [cursor] = await rows(services, acme, "SELECT failures, next_attempt_at FROM event_cursors")
        failures.append(cursor["failures"])
        clock.turn(seconds=4)

    assert failures == [1, 2, 3, 4, 4, 5, 5, 5, 5, 6, 6, 6]


async def test_one_readers_failure_stops_neither_other_readers_nor_other_owners(
    services: Services, acme: Tenant, globex: Tenant, clock: TurnableClock
) -> None:
    broken = KeepingReader("broken")
    broken.fails_after = 0
    feed = feed_of(services, clock, broken, KeepingReader())
    ours, theirs = await note(services, acme, 2), await note(services, globex, 2)

    await feed.sweep()

    assert await kept(services, acme) == ours
    assert await kept(services, globex) == theirs
    assert await kept(services, acme, "broken") == []


async def test_a_reader_that_is_far_behind_keeps_no_other_waiting(
    services: Services, acme: Tenant, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick, late = KeepingReader("quick"), KeepingReader("late")
    await note(services, acme, 6)
    await feed_of(services, clock, quick).advance(acme.owner_id)
    happened = await note(services, acme)
    monkeypatch.setattr(event_feed, "BATCH", 2)
    monkeypatch.setattr(event_feed, "BATCHES_IN_TURN", 2)
    feed = feed_of(services, clock, late, quick)

    assert await feed.advance(acme.owner_id) is Progress.MORE  # the first turn of who is new is its beginning
    assert await kept(services, acme, "quick") == happened
    assert len(await kept(services, acme, "late")) < len(happened)
    while await feed.advance(acme.owner_id) is Progress.MORE:
        pass
    assert await kept(services, acme, "late") == happened


async def test_feeds_that_run_at_once_read_each_event_once(
    services: Services, acme: Tenant, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feed, "BATCH", 2)
    feeds = [feed_of(services, clock, KeepingReader()) for _ in range(4)]
    happened = await note(services, acme, 20)

    for _ in range(3):
        await asyncio.gather(*(feed.advance(acme.owner_id) for feed in feeds))

    assert await kept(services, acme) == happened


async def test_a_reader_that_is_killed_while_it_reads_leaves_the_batch_to_the_next(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    reading, happened = asyncio.Event(), await note(services, acme, 3)

    class Stuck(KeepingReader):
        async def read(self, connection: Connection, owner_id: int, events: Sequence[Event]) -> None:
            await super().read(connection, owner_id, events)
            reading.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(feed_of(services, clock, Stuck()).advance(acme.owner_id))
    await reading.wait()
    assert await feed_of(services, clock, KeepingReader()).advance(acme.owner_id) is Progress.WAITS
    task.cancel()
    await asyncio.wait([task])

    assert await feed_of(services, clock, KeepingReader()).advance(acme.owner_id) is Progress.DONE
    assert await kept(services, acme) == happened


async def test_an_event_that_is_committed_late_is_not_passed_over(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    feed = feed_of(services, clock, KeepingReader())
    before = await note(services, acme)
    await feed.advance(acme.owner_id)
    event = NewEvent("conversation.extended", SYSTEM)

    async with services.database.owner(acme.owner_id) as late:
        await EventRepository(late).add_all(acme.owner_id, [event])
        async with services.database.owner(acme.owner_id) as early:
            await EventRepository(early).add_all(acme.owner_id, [event])
        await feed.advance(acme.owner_id)
        assert await kept(services, acme) == before  # neither, because the other may still come before it

    await settled(services.database)
    await feed.advance(acme.owner_id)
    happened = await ids(services, acme)
    assert len(happened) == len(before) + 2
    assert await kept(services, acme) == happened


async def test_a_new_reader_begins_with_the_oldest_event_or_with_what_comes(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    happened = await note(services, acme, 2)
    feed = feed_of(services, clock, KeepingReader("old"), KeepingReader("new", starts_now=True))
    await feed.advance(acme.owner_id)

    later = (await note(services, acme, 2))[len(happened) :]
    await feed.advance(acme.owner_id)

    assert await kept(services, acme, "old") == happened + later
    assert await kept(services, acme, "new") == later


async def test_a_sweep_finds_the_owners_who_are_behind(
    services: Services, acme: Tenant, globex: Tenant, clock: TurnableClock
) -> None:
    feed = feed_of(services, clock, KeepingReader())
    await note(services, acme)
    await note(services, globex)
    await feed.sweep()
    await note(services, globex)

    async with services.database.system() as connection:
        behind = await Directory(connection).owners_behind(["keeper"])

    assert globex.owner_id in behind
    assert acme.owner_id not in behind


@pytest.mark.parametrize("moment", ["1970-01-15", "2020-01-15", "now", "2100-01-15"])
async def test_a_sweep_finds_who_is_behind_in_whichever_month_it_is(
    services: Services, acme: Tenant, clock: TurnableClock, admin: Connection, moment: str
) -> None:
    feed = feed_of(services, clock, KeepingReader())
    await note(services, acme)
    await feed.sweep()
    await admin.execute(
        "INSERT INTO events (owner_id, type, actor_kind, created_at) VALUES ($1, 'message.read', 'SYSTEM', $2::text::timestamptz)",
        acme.owner_id,
        moment,
    )
    await settled(services.database)

    async with services.database.system() as connection:
        behind = await Directory(connection).owners_behind(["keeper"])

    assert acme.owner_id in behind


async def test_who_has_read_something_of_this_month_is_not_looked_for_in_those_before(
    services: Services, clock: TurnableClock, admin: Connection
) -> None:
    for _ in range(10):
        await note(services, await make_tenant(services))
    await feed_of(services, clock, KeepingReader()).sweep()
    await admin.execute("DELETE FROM events_default")
    await admin.execute(
        """
        INSERT INTO events (owner_id, xid, type, actor_kind, created_at)
        SELECT owner_id, '3', 'message.read', 'SYSTEM', '2020-01-15' FROM owners
        """
    )

    async with services.database.system() as connection:
        before = await looks_at_default_partition(connection)
        await Directory(connection).owners_behind(["keeper"])
        looks = await looks_at_default_partition(connection) - before

    assert looks <= 5


async def looks_at_default_partition(connection: Connection) -> int:
    looks: int = await connection.fetchval(
        "SELECT idx_scan + seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'events_default'"
    )
    return looks


async def test_owners_with_new_events_are_found_without_asking_each(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    await settled(services.database)
    since = await oldest_running(services.database)
    await note(services, globex)

    async with services.database.system() as connection:
        until = await oldest_running(services.database)
        found = await Directory(connection).owners_with_events(since=since, until=until)

    assert globex.owner_id in found
    assert acme.owner_id not in found


async def test_a_feed_without_readers_asks_nothing(services: Services, clock: TurnableClock) -> None:
    feed = feed_of(services, clock)

    await feed.sweep()

    assert await feed.advance(1) is Progress.DONE


@pytest.mark.parametrize("owners", [1, 3])
async def test_a_sweep_over_owners_that_are_up_to_date_moves_nothing(
    services: Services, clock: TurnableClock, owners: int
) -> None:
    reader = KeepingReader()
    feed = feed_of(services, clock, reader)
    for _ in range(owners):
        await make_tenant(services)
    await settled(services.database)
    await feed.sweep()
    reader.batches.clear()

    await feed.sweep()

    assert reader.batches == []


@asynccontextmanager
async def followed(services: Services, clock: TurnableClock, reader: EventReader) -> AsyncIterator[None]:
    """A worker's loop beside the test."""
    stop = asyncio.Event()
    follower = EventFollower(services.database, feed_of(services, clock, reader))
    task = asyncio.create_task(follower.run(stop))
    await asyncio.sleep(0)
    yield
    stop.set()
    await task


async def until_kept(services: Services, tenant: Tenant, happened: list[int]) -> None:
    async with asyncio.timeout(30):
        while await kept(services, tenant) != happened:  # noqa: ASYNC110 - only the database knows
            await asyncio.sleep(0.05)


async def test_a_worker_reads_what_it_heard_of(
    services: Services, acme: Tenant, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_follower, "POLL", 3_600.0)
    async with followed(services, clock, KeepingReader()):
        happened = await note(services, acme, 3)
        services.database.notices.announce({acme.owner_id})  # in case that other tests held the last one back

        await until_kept(services, acme, happened)


async def test_a_worker_finds_by_itself_what_no_notice_told(
    services: Services, acme: Tenant, clock: TurnableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.database.notices, "announce", lambda _owner_ids: None)
    async with followed(services, clock, KeepingReader()):
        happened = await note(services, acme, 3)

        await until_kept(services, acme, happened)


async def test_a_worker_comes_back_to_a_reader_that_has_rested(
    services: Services, acme: Tenant, clock: TurnableClock
) -> None:
    reader = KeepingReader()
    reader.fails_after = 0
    async with followed(services, clock, reader):
        happened = await note(services, acme)
        async with asyncio.timeout(30):
            while not await rows(services, acme, "SELECT FROM event_cursors WHERE failures > 0"):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        reader.fails_after = None
        clock.turn(minutes=10)

        await until_kept(services, acme, happened)
