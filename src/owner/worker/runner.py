"""Runs jobs and schedules until it is told to stop, whatever the database does meanwhile."""

import asyncio
from datetime import timedelta
from functools import cache, partial
from typing import Final

from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.adapters.persistence import qb
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.executors import DatabaseRetryEntrypointExecutor
from pgqueuer.domain.models import Job, Schedule
from pgqueuer.domain.settings import DBSettings
from pgqueuer.ports.driver import Driver
from pydantic_core import from_json

from owner.logs import get_logger
from owner.services.catalog import Services
from owner.worker import jobs
from owner.worker.jobs import JOBS, SCHEDULES

log = get_logger(__name__)

POLL: Final = timedelta(seconds=1)  # for what a lost notification would have told
HEARTBEAT: Final = timedelta(seconds=10)  # a job whose worker is silent for so long goes to another
BATCH: Final = 20
AT_ONCE: Final = 100
RESTART_AFTER: Final = 1.0
SCHEMA: Final = "jobs"


async def run_worker(services: Services, *, stop: asyncio.Event) -> None:
    """Work until `stop` is set; finish what is in hand then. A lost database is waited for."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_run_jobs(services, stop))
        group.create_task(services.event_follower.run(stop))
        # Not as jobs: a job holds one of the queue's places, and whoever doesn't answer would take them all.
        group.create_task(services.message_courier.run(stop))
        group.create_task(services.media_courier.run(stop))
        group.create_task(services.webhook_courier.run(stop))


async def _run_jobs(services: Services, stop: asyncio.Event) -> None:
    while not stop.is_set():
        queuer = _queuer(services)
        watcher = asyncio.create_task(_pass_on(stop, queuer.shutdown))
        try:
            await queuer.run(
                dequeue_timeout=POLL,
                batch_size=BATCH,
                max_concurrent_tasks=AT_ONCE,
                heartbeat_timeout=HEARTBEAT,
                shutdown_on_listener_failure=True,
            )
        except Exception as problem:  # noqa: BLE001 - whatever it is, the outbox must not stand still for good
            log.warning("worker_restarts", problem=type(problem).__name__)
            await _sleep(stop, RESTART_AFTER)
        finally:
            watcher.cancel()


def _queuer(services: Services) -> PgQueuer:
    driver = AsyncpgPoolDriver(services.database.pool)
    queuer = PgQueuer(driver, queries=queue_over(driver))
    for name, job in JOBS.items():
        executor = partial(DatabaseRetryEntrypointExecutor, max_attempts=5)
        queuer.entrypoint(name, executor_factory=executor, concurrency_limit=jobs.AT_ONCE.get(name, 0))(
            partial(_run_job, services, job)
        )
    for name, (expression, task) in SCHEDULES.items():
        queuer.schedule(name, expression, clean_old=True)(partial(_run_schedule, services, task))
    return queuer


async def _run_job(services: Services, work: object, job: Job) -> None:
    await work(services, **from_json(job.payload or b"{}"))  # type: ignore[operator]


async def _run_schedule(services: Services, work: object, _schedule: Schedule) -> None:
    await work(services)  # type: ignore[operator]


async def _pass_on(stop: asyncio.Event, shutdown: asyncio.Event) -> None:
    await stop.wait()
    shutdown.set()


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def queue_over(driver: Driver) -> Queries:
    """PgQueuer's statements for our schema, whatever its environment variables say."""
    settings = _settings()
    return Queries(
        driver,
        qbe=qb.QueryBuilderEnvironment(settings),
        qbq=qb.QueryQueueBuilder(settings),
        qbs=qb.QuerySchedulerBuilder(settings),
    )


@cache
def _settings() -> DBSettings:
    return DBSettings(db_schema=SCHEMA)
