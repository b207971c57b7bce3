"""Processes tell each other what is new after it was committed, on one connection that nothing depends on."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import asyncpg
import pytest

from conftest import database_url
from factories import Tenant, make_inbound, some_number
from owner.db import notices as notices_module
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer
from owner.db.notices import LONGEST_PAYLOAD, Notices, payloads
from owner.models.event import SYSTEM, NewEvent
from owner.repositories.events import EventRepository
from owner.services.catalog import Services


class Ear:
    """Remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.calls = 0
        self._anything = asyncio.Event()

    def __call__(self, owner_ids: Collection[int]) -> None:
        self.calls += 1
        self.heard.extend(owner_ids)
        self._anything.set()

    async def hears(self, owner_id: int) -> None:
        async with asyncio.timeout(20):
            while owner_id not in self.heard:
                self._anything.clear()
                await self._anything.wait()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Notices]:
    """Another process's end."""
    notices = Notices()
    async with notices.connected(url):
        await until_connected(notices)
        yield notices


async def until_connected(notices: Notices) -> None:
    async with asyncio.timeout(20):
        while not notices.is_connected:  # noqa: ASYNC110 - it says so to nobody
            await asyncio.sleep(0.01)


@pytest.fixture
def url(server: EmbeddedServer, database_name: str) -> str:
    return database_url(server, database_name)


@pytest.fixture
async def own(database: Database, url: str) -> AsyncIterator[Notices]:
    """This process's end, as a process that lasts has it."""
    async with database.notices.connected(url):
        await until_connected(database.notices)
        yield database.notices


async def note(database: Database, owner_id: int) -> None:
    async with database.owner(owner_id) as connection:
        await EventRepository(connection).add_all(owner_id, [NewEvent("conversation.extended", SYSTEM)])


async def test_a_commit_with_events_is_heard_here_and_in_other_processes(
    services: Services, own: Notices, acme: Tenant, url: str
) -> None:
    here, there = Ear(), Ear()
    async with connected(url) as other:
        with own.heard_by(here), other.heard_by(there):
            await services.inbound.receive(
                make_inbound(acme, customer=some_number()),
                owner=acme.owner,
                twilio_account_id=acme.account.twilio_account_id,
            )

            assert acme.owner_id in here.heard
            await there.hears(acme.owner_id)


async def test_it_is_announced_after_the_commit_and_once_for_a_whole_request(
    database: Database, acme: Tenant
) -> None:
    ear = Ear()
    with database.notices.heard_by(ear):
        async with database.request(acme.owner_id):
            await note(database, acme.owner_id)
            await note(database, acme.owner_id)
            before_the_commit = list(ear.heard)

    assert before_the_commit == []
    assert ear.heard == [acme.owner_id]


async def test_what_is_rolled_back_or_changes_nothing_is_not_announced(
    database: Database, acme: Tenant
) -> None:
    ear = Ear()
    with database.notices.heard_by(ear):
        with pytest.raises(KeyError):  # noqa: PT012 - it rises at the block's end
            async with database.owner(acme.owner_id) as connection:
                await EventRepository(connection).add_all(acme.owner_id, [NewEvent("owner.created", SYSTEM)])
                raise KeyError
        async with database.owner(acme.owner_id):
            pass

    assert ear.heard == []


async def test_a_transaction_inside_of_another_owners_is_announced_for_itself(
    database: Database, acme: Tenant, globex: Tenant
) -> None:
    ear = Ear()
    with database.notices.heard_by(ear):
        async with database.owner(acme.owner_id) as connection:
            await note(database, globex.owner_id)
            await EventRepository(connection).add_all(acme.owner_id, [NewEvent("owner.created", SYSTEM)])

    assert ear.heard == [globex.owner_id, acme.owner_id]


async def test_many_commits_become_few_notifications(
    own: Notices, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices_module, "PAUSE", 0.5)
    ear = Ear()
    async with connected(url) as other:
        with other.heard_by(ear):
            for owner_id in range(1, 101):
                own.announce({owner_id})
                await asyncio.sleep(0)
            own.announce({1_000})
            await ear.hears(1_000)

    assert {*range(1, 101), 1_000} <= set(ear.heard)
    assert ear.calls <= 3


async def test_a_lost_connection_comes_back_by_itself(
    server: EmbeddedServer, database: Database, database_name: str, own: Notices, url: str
) -> None:
    ear = Ear()
    async with connected(url) as other:
        await terminate_listeners(server, database_name)
        await note_until_heard(own, other, ear)

    assert ear.heard


async def test_without_a_database_for_it_nothing_fails(database: Database, acme: Tenant) -> None:
    ear = Ear()
    async with database.notices.connected("postgresql://nobody@127.0.0.1:1/nothing"):
        with database.notices.heard_by(ear):
            await note(database, acme.owner_id)

    assert ear.heard == [acme.owner_id]


async def test_a_notification_that_is_not_ours_is_passed_over(database: Database, own: Notices) -> None:
    ear = Ear()
    with own.heard_by(ear):
        async with database.pool.acquire() as connection:
            await connection.execute("SELECT pg_notify('owner_events', 'x,-1,,7,²')")
        await ear.hears(7)

    assert set(ear.heard) == {7}


def test_ids_are_spread_over_payloads_that_postgres_takes() -> None:
    owner_ids = set(range(10**12, 10**12 + 2_000))

    made = list(payloads(owner_ids))

    assert len(made) == 4
    assert all(len(payload) <= LONGEST_PAYLOAD for payload in made)
    assert {int(word) for payload in made for word in payload.split(",")} == owner_ids
    assert list(payloads(set())) == []


async def terminate_listeners(server: EmbeddedServer, database_name: str) -> None:
    connection = await asyncpg.connect(
        database_url(server, database_name).replace("owner_service", "postgres")
    )
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'owner notices' AND datname = current_database()"
    )
    await connection.close()


async def note_until_heard(own: Notices, other: Notices, ear: Ear) -> None:
    """Announce again and again: while one of both has no connection, notices are lost."""
    async with asyncio.timeout(30):
        with other.heard_by(ear):
            while not ear.heard:
                own.announce({5})
                await asyncio.sleep(0.1)


async def test_who_relays_a_channel_hears_what_another_process_says_on_it(own: Notices, url: str) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with connected(url) as other:
        await other.relay("owner_test_words", heard.put_nowait)

        own.say("owner_test_words", "it's 1 'word'")

        async with asyncio.timeout(20):
            assert await heard.get() == "it's 1 'word'"


async def test_channels_that_are_taken_up_at_the_same_moment_are_all_heard(own: Notices, url: str) -> None:
    channels = {f"owner_test_{number}" for number in range(8)}
    heard: asyncio.Queue[str] = asyncio.Queue()
    other = Notices()
    async with other.connected(url), asyncio.TaskGroup() as group:
        await until_connected(other)  # it still says that it is there
        for channel in channels:
            group.create_task(other.relay(channel, heard.put_nowait))
        other.announce([1])
        await until_said(own, channels, heard)
        assert other.is_connected


async def until_said(own: Notices, channels: set[str], heard: "asyncio.Queue[str]") -> None:
    """Say it again and again, because nobody knows when a channel is taken up."""
    missing = set(channels)
    async with asyncio.timeout(20):
        while missing:
            for channel in missing:
                own.say(channel, channel)
            missing.discard(await heard.get())
