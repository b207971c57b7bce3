"""What a worker does with the jobs it has in hand when it ends, and when the database is away."""

import asyncio
from pathlib import Path

import pytest
from pgqueuer.domain.errors import RetryRequested

from conftest import TurnableClock
from databases import ask, new_database, url_of
from fakes import FakeGateway
from owner import bootstrap
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer
from owner.models.errors import DatabaseUnavailable
from owner.models.outage_errors import PASSING, MediaStoreUnavailable
from owner.repositories.jobs import JobRepository
from owner.services.catalog import Services
from owner.services.secrets_box import FernetBox, new_secret_key
from owner.settings import Settings
from owner.worker import runner
from owner.worker.in_hand import JobsInHand
from owner.worker.queue_driver import QueueDriver
from proxying import through_a_proxy

JOBS = "SELECT status::text, execute_after <= now() FROM jobs.pgqueuer WHERE entrypoint = 'endless'"


@pytest.fixture
def stop() -> asyncio.Event:
    return asyncio.Event()


async def test_a_job_that_does_not_end_in_time_goes_back_into_the_queue_where_another_finds_it_at_once(
    server: EmbeddedServer,
    template: str,
    tmp_path: Path,
    stop: asyncio.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    has_begun = asyncio.Event()

    async def endless(_services: Services) -> None:
        has_begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(runner, "GRACE", 0.1)
    monkeypatch.setattr(runner, "JOBS", {"endless": endless})
    with new_database(server, "given_back", template=template) as name:
        database = await Database.connect(url_of(server, name))
        services = bootstrap.wire(
            Settings(home=tmp_path), database, FakeGateway(), FernetBox([new_secret_key()]), TurnableClock()
        )
        async with database.system() as connection:
            await JobRepository(connection).enqueue("endless")

        worker = asyncio.create_task(runner.run_worker(services, stop=stop))
        async with asyncio.timeout(30):
            await has_begun.wait()
        in_hand = ask(url_of(server, name), JOBS)
        stop.set()
        await worker
        left = ask(url_of(server, name), JOBS)
        await database.close()

    assert in_hand == [("picked", True)]
    assert left == [("queued", True)]


@pytest.mark.parametrize("kind", PASSING)
async def test_a_job_that_met_an_outage_is_tried_again_however_often(
    database: Database, stop: asyncio.Event, kind: type[Exception]
) -> None:
    in_hand = JobsInHand(database, stop=stop)

    with pytest.raises(RetryRequested):
        async with in_hand.one_more():
            raise kind


async def test_a_job_that_fails_by_itself_fails(database: Database, stop: asyncio.Event) -> None:
    in_hand = JobsInHand(database, stop=stop)

    with pytest.raises(MediaStoreUnavailable):
        async with in_hand.one_more():
            raise MediaStoreUnavailable


async def test_the_queue_waits_for_a_database_that_is_away_unless_it_is_to_stop(
    server: EmbeddedServer, database_name: str, stop: asyncio.Event
) -> None:
    async with through_a_proxy(server, database_name) as (proxy, database):
        driver = QueueDriver(database, stop=stop)
        proxy.mood.refuses = True
        proxy.cut()
        waiting = asyncio.create_task(driver.fetch("SELECT 1 AS one"))
        async with asyncio.timeout(20):
            while not database.is_away:  # noqa: ASYNC110 - it says so to nobody
                await asyncio.sleep(0.05)

        proxy.mood.refuses = False
        async with asyncio.timeout(20):
            assert await waiting == [{"one": 1}]

        proxy.mood.refuses = True
        proxy.cut()
        stop.set()
        with pytest.raises(DatabaseUnavailable):
            await driver.fetch("SELECT 1 AS one")
