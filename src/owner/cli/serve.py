"""`owner serve`: REST and webhooks."""

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Annotated, NoReturn

import typer
import uvicorn

from owner import bootstrap, processes
from owner.cli.context import database, out
from owner.models.errors import Misconfigured
from owner.settings import Settings, get_settings

EVERYWHERE = "0.0.0.0"  # nosec B104 # what a person typed, to be shown as an address that can be opened


def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Processes that share the port.", min=1)] = 1,
    with_worker: Annotated[bool, typer.Option("--with-worker", help="Run the jobs as well.")] = False,
) -> None:
    """Serve the REST API and the webhooks."""
    refuse_taken_port(host, port)
    signal.signal(signal.SIGTERM, _leave)
    with database(stay="hold") as settings:
        url = f"http://{'127.0.0.1' if host == EVERYWHERE else host}:{port}"
        hand_down(settings, public_url=url)
        asyncio.run(_check())
        out.print(f"Owner listens on {url} (/docs shows the API, /health how it is). Ctrl-C ends it.")
        with _worker() if with_worker else nullcontext():
            _run_server(host, port, workers)


def refuse_taken_port(host: str, port: int) -> None:
    """Raise `Misconfigured` unless the port is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            raise Misconfigured(
                f"Can't listen on {host}:{port} ({problem.strerror}): end what uses it, or choose another with --port."
            ) from problem


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Unwinds, so that worker and database end too: uvicorn, once done, sends itself the signal that ended it."""
    sys.exit(0)


def hand_down(settings: Settings, *, public_url: str) -> None:
    """Tell the processes that this one starts what it found out, in the words of the environment."""
    os.environ["OWNER_SECRET_KEY"] = ",".join(bootstrap.secret_keys(settings))
    os.environ["OWNER_DATABASE_URL"] = bootstrap.application_url(settings)
    os.environ["OWNER_PUBLIC_URL"] = settings.public_url or public_url
    os.environ["OWNER_HOME"] = str(settings.home)
    get_settings.cache_clear()


async def _check() -> None:
    """Fail here, in one sentence, rather than in every process with a traceback."""
    async with bootstrap.open_services(get_settings()):
        pass


def _run_server(host: str, port: int, workers: int) -> None:
    uvicorn.run(
        "owner.processes:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        http="owner.api.http_protocol:BoundedProtocol",
        ws="none",
        proxy_headers=False,  # the public URL is configured, never guessed from headers
        timeout_graceful_shutdown=20,
    )


@contextmanager
def _worker() -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=processes.work_beside_server)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()
