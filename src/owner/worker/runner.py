"""Runs jobs and schedules until it is told to stop, whatever the database does meanwhile."""

import asyncio
from datetime import timedelta
from functools import cache, partial
from typing import Final

from pgqueuer import PgQueuer
from pgqueuer.adapters.persistence import qb
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.executors import DatabaseRetryEntrypointExecutor
from pgqueuer.domain.models import Job, Schedule
from pgqueuer.domain.settings import DBSettings
from pgqueuer.ports.driver import Driver
from pydantic_core import from_json

from owner.logs import get_logger
from owner.models.errors import Unavailable
from owner.services.catalog import Services
from owner.waiting import is_set_within
from owner.worker import jobs
from owner.worker.in_hand import JobsInHand
from owner.worker.jobs import JOBS, SCHEDULES
from owner.worker.queue_driver import QueueDriver

log = get_logger(__name__)

POLL: Final = timedelta(seconds=1)  # for what a lost notification would have told
HEARTBEAT: Final = timedelta(seconds=10)  # a job whose worker is silent for so long goes to another
BATCH: Final = 20
AT_ONCE: Final = 100
RESTART_AFTER: Final = 1.0
SCHEMA: Final = "jobs"
GRACE: Final = 15.0  # seconds in which what is in hand may be finished; then it is given back
_LEAVE: Final = 5.0  # seconds more for what does not end even then


async def run_worker(services: Services, *, stop: asyncio.Event) -> None:
    """Work until `stop` is set; finish or give back what is in hand then. A lost database is waited for."""
    async with asyncio.TaskGroup() as group:
        working = [
            group.create_task(_run_jobs(services, stop)),
            group.create_task(services.event_follower.run(stop)),
            # Not as jobs: a job holds one of the queue's places, and whoever doesn't answer would take them all.
            group.create_task(services.message_courier.run(stop)),
            group.create_task(services.media_courier.run(stop)),
            group.create_task(services.webhook_courier.run(stop)),
        ]
        end = asyncio.create_task(_break_off(stop, working))
        await asyncio.wait(working)
        end.cancel()


async def _break_off(stop: asyncio.Event, working: list[asyncio.Task[None]]) -> None:
    await stop.wait()
    await asyncio.sleep(GRACE + _LEAVE)
    log.warning("worker_broken_off")
    for task in working:
        task.cancel()


async def _run_jobs(services: Services, stop: asyncio.Event) -> None:
    while not stop.is_set():
        in_hand = JobsInHand(services.database, stop=stop)
        queuer = _queuer(services, in_hand, stop)
        watcher = asyncio.create_task(_wind_up(stop, queuer.shutdown, in_hand))
        try:
            await queuer.run(
                dequeue_timeout=POLL,
                batch_size=BATCH,
                max_concurrent_tasks=AT_ONCE,
                heartbeat_timeout=HEARTBEAT,
            )
        except Exception as problem:  # noqa: BLE001 - whatever it is, the outbox must not stand still for good
            log.warning("worker_restarts", problem=type(problem).__name__)
            await is_set_within(stop, RESTART_AFTER)
        finally:
            watcher.cancel()


def _queuer(services: Services, in_hand: JobsInHand, stop: asyncio.Event) -> PgQueuer:
    driver = QueueDriver(services.database, stop=stop)
    queuer = PgQueuer(driver, queries=queue_over(driver))
    for name, job in JOBS.items():
        executor = partial(DatabaseRetryEntrypointExecutor, max_attempts=5)
        queuer.entrypoint(name, executor_factory=executor, concurrency_limit=jobs.AT_ONCE.get(name, 0))(
            partial(_run_job, services, in_hand, job)
        )
    for name, (expression, task) in SCHEDULES.items():
        queuer.schedule(name, expression, clean_old=True)(partial(_run_schedule, services, task))
    return queuer


async def _run_job(services: Services, in_hand: JobsInHand, work: object, job: Job) -> None:
    async with in_hand.one_more():
        await work(services, **from_json(job.payload or b"{}"))  # type: ignore[operator]


async def _run_schedule(services: Services, work: object, schedule: Schedule) -> None:
    try:
        await work(services)  # type: ignore[operator]
    except Unavailable as problem:  # its next time comes
        log.info("schedule_skipped", schedule=schedule.entrypoint, problem=type(problem).__name__)


async def _wind_up(stop: asyncio.Event, shutdown: asyncio.Event, in_hand: JobsInHand) -> None:
    await stop.wait()
    shutdown.set()
    await asyncio.sleep(GRACE)
    in_hand.give_back()


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
