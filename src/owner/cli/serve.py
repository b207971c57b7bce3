"""`owner serve`: REST and webhooks."""

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from owner import bootstrap, deployment, processes
from owner.cli.context import database, out
from owner.models.errors import Misconfigured
from owner.settings import Settings, get_settings

FIRST_INHERITED: Final = 3  # the file descriptor, by convention
KEEPS_ALIVE: Final = (
    75  # seconds; longer than proxies and clients do, who would else send into a connection that ends
)
ENDS_WITHIN: Final = (
    20  # seconds for the requests that are under way; compose and Kubernetes have to wait for longer
)
STANDS_STILL_AFTER: Final = (
    30  # seconds; a process that says nothing for so long, or does not get up, is replaced
)
EVERYWHERE: Final = "0.0.0.0"  # nosec B104 # what a person typed, to be shown as an address that can be opened


def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Processes that share the port.", min=1)] = 1,
    with_worker: Annotated[bool, typer.Option("--with-worker", help="Run the jobs as well.")] = False,
) -> None:
    """Serve the REST API and the webhooks.

    Where systemd or another supervisor hands a listening socket down (LISTEN_FDS), that one is served, whatever
    --host and --port say: it outlives the process, so nobody is refused while one takes another's place.
    """
    listening = inherited_socket() or bound_socket(host, port)
    signal.signal(signal.SIGTERM, _leave)
    with database(stay="hold") as settings:
        host, port = listening.getsockname()[:2]
        url = f"http://{'127.0.0.1' if host == EVERYWHERE else host}:{port}"
        hand_down(settings, public_url=url)
        asyncio.run(_check())
        out.print(f"Owner listens on {url} (/docs shows the API, /health how it is). Ctrl-C ends it.")
        with _worker() if with_worker else nullcontext():
            _run_server(listening, workers)


def inherited_socket() -> socket.socket | None:
    """The listening socket that a supervisor has handed down to this process, as `sd_listen_fds(3)` describes it."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    inherited = socket.socket(fileno=FIRST_INHERITED)
    inherited.set_inheritable(True)
    return inherited


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket at the port, which the processes that serve share; raises `Misconfigured` unless it is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as problem:
        bound.close()
        raise Misconfigured(
            f"Can't listen on {host}:{port} ({problem.strerror}): end what uses it, or choose another with --port."
        ) from problem
    bound.set_inheritable(True)
    return bound


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Unwinds, so that worker and database end too: uvicorn, once done, sends itself the signal that ended it."""
    sys.exit(0)


def hand_down(settings: Settings, *, public_url: str) -> None:
    """Tell the processes that this one starts what it found out, in the words of the environment."""
    os.environ["OWNER_SECRET_KEY"] = ",".join(deployment.secret_keys(settings))
    os.environ["OWNER_DATABASE_URL"] = deployment.application_url(settings)
    os.environ["OWNER_PUBLIC_URL"] = settings.public_url or public_url
    os.environ["OWNER_HOME"] = str(settings.home)
    get_settings.cache_clear()


async def _check() -> None:
    """Fail here, in one sentence, rather than in every process with a traceback."""
    async with bootstrap.open_services(get_settings()):
        pass


def _run_server(listening: socket.socket, workers: int) -> None:
    config = uvicorn.Config(
        "owner.processes:create_app",
        factory=True,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        http="owner.api.http_protocol:BoundedProtocol",
        ws="none",
        proxy_headers=False,  # the public URL is configured, never guessed from headers
        timeout_keep_alive=KEEPS_ALIVE,
        timeout_graceful_shutdown=ENDS_WITHIN,
        timeout_worker_healthcheck=STANDS_STILL_AFTER,
    )
    if workers > 1:
        Multiprocess(config, sockets=[listening]).run()
        return
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):  # which uvicorn raises again once it is done
        server.run(sockets=[listening])
    if not server.started:
        sys.exit(STARTUP_FAILURE)


@contextmanager
def _worker() -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=processes.work_beside_server)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()
