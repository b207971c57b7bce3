"""The processes of the product: what a server's worker and a job worker run, and when they end."""

import asyncio
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Final

import uvloop
from starlette.types import ASGIApp

from owner.bootstrap import open_services
from owner.logs import configure_logging
from owner.services.catalog import Services
from owner.settings import Settings, get_settings

if TYPE_CHECKING:
    from owner.api.shutdown import Draining

OBJECTS_BETWEEN_COLLECTIONS: Final = (
    10_000  # a webhook leaves a few dozen; Python's own 700 look every few requests
)


def create_app() -> ASGIApp:
    """The application as uvicorn's workers make it, from the environment."""
    from owner.api.shutdown import Draining
    from owner.inbox.app import create_site

    end_with_parent()
    settings = get_settings()
    configure_logging(level=settings.log_level, log_format=settings.log_format)
    draining = Draining(seconds=settings.drain_seconds)
    return create_site(lambda: _serving(settings, draining), draining=draining)


@asynccontextmanager
async def _serving(settings: Settings, draining: "Draining") -> AsyncIterator[Services]:
    """A process that takes the place of one that was killed must not end them all because the database is away."""
    async with open_services(settings, is_lasting=True, may_be_away=True) as services:
        leave_start_up_alone()
        with draining.on_signal(services.event_streams.end):
            yield services


def leave_start_up_alone() -> None:
    """Spare garbage collections what is there to stay: a full one stops everything for a tenth of a second to see that."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)


def end_with_parent() -> None:
    """Let a process that `serve` spawned end when `serve` is killed, so that it doesn't keep the port for good."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def work_beside_server() -> None:
    """The jobs in a process of their own, for `serve --with-worker`."""
    end_with_parent()
    settings = get_settings()
    configure_logging(level=settings.log_level, log_format=settings.log_format)
    run_work(settings)


def run_work(settings: Settings, *, say: Callable[[], None] | None = None) -> None:
    """Run jobs on the event loop that the server's processes have; `say` is called once nothing is in the way."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(settings, say=say))


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


async def work(
    settings: Settings, *, stop: asyncio.Event | None = None, say: Callable[[], None] | None = None
) -> None:
    """Run jobs until SIGINT, SIGTERM or `stop`."""
    from owner.worker.runner import run_worker

    stop = stop or stop_on_signal()
    async with open_services(settings, is_lasting=True) as services:
        leave_start_up_alone()
        if say is not None:
            say()
        await run_worker(services, stop=stop)


def stop_on_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
