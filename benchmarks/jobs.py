"""Prints how many jobs a second a worker carries out, beside Celery on Redis with a job that does as little.

`make bench-jobs ARGS="--jobs 10000 --rounds 3"` installs Celery into an environment of its own and needs `redis-server`
on the path (Debian: `apt install redis-server`). In each round both sides get their jobs while nobody works, then a
worker is started (`owner work`, with its schedules and couriers; `celery worker`, prefork, a process for each core)
and timed from the first job that is gone to the last. Who is first alternates. The product's jobs are rows that are
deleted and logged, fsync on; Celery's are entries of a Redis that keeps nothing on disk.
"""

import argparse
import asyncio
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import product
import psycopg
from rich.console import Console
from rich.table import Table

from owner import bootstrap, deployment
from owner.cli.context import database
from owner.repositories.jobs import JobRepository
from owner.settings import Settings

HERE = Path(__file__).parent
LOOK_EVERY = 0.02  # seconds
PATIENCE = 300.0
out = Console(highlight=False)


@dataclass(frozen=True)
class Round:
    """Jobs a second of both sides, one right after the other."""

    worker: float
    celery: float

    @property
    def ratio(self) -> float:
        return self.worker / self.celery


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="of each side in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--celery", default="celery", help="the python that has Celery")
    wanted = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="owner-bench-") as folder,
        product.own_environment(Path(folder)),
        redis() as port,
        database(stay="hold", settings=Settings()) as settings,
    ):
        os.environ["JOBS_REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
        os.environ["PYTHONPATH"] = str(HERE)
        rounds = [measure(settings, wanted, port, number) for number in range(wanted.rounds)]
    show(rounds, wanted)


def measure(settings: Settings, wanted: argparse.Namespace, port: int, number: int) -> Round:
    if number % 2 == 0:
        worker = run_worker(settings, wanted.jobs)
        return Round(worker, run_celery(wanted.celery, port, wanted.jobs))
    celery = run_celery(wanted.celery, port, wanted.jobs)
    return Round(run_worker(settings, wanted.jobs), celery)


def run_worker(settings: Settings, jobs: int) -> float:
    asyncio.run(queue(settings, jobs))
    with psycopg.connect(deployment.migration_url(settings), autocommit=True) as connection:

        def left() -> int:
            row = connection.execute(
                "SELECT count(*) FROM jobs.pgqueuer WHERE entrypoint = 'message_queued'"
            ).fetchone()
            assert row is not None
            return int(row[0])

        with running(sys.executable, "-m", "owner", "work"):
            return rate(jobs, left)


async def queue(settings: Settings, jobs: int) -> None:
    async with (
        bootstrap.open_services(settings) as services,
        services.database.system() as connection,
    ):
        wanted = [("message_queued", {"owner_id": 1, "conv_id": number}) for number in range(jobs)]
        await JobRepository(connection).enqueue_all(wanted)


def run_celery(python: str, port: int, jobs: int) -> float:
    subprocess.run([python, str(HERE / "jobs_celery.py"), str(jobs)], check=True)
    options = ["worker", f"--concurrency={product.CORES}", "--loglevel=WARNING", "--without-gossip"]
    with (
        socket.create_connection(("127.0.0.1", port)) as connection,
        running(python, "-m", "celery", "-A", "jobs_celery", *options),
    ):
        return rate(jobs, lambda: ask(connection, "LLEN celery") + ask(connection, "HLEN unacked"))


def rate(jobs: int, left: Callable[[], int]) -> float:
    """Jobs a second from the first look that finds some gone to the one that finds none left."""
    began_at, at_first = 0.0, jobs
    give_up_at = time.monotonic() + PATIENCE
    while time.monotonic() < give_up_at:
        now, remaining = time.monotonic(), left()
        if remaining < jobs and not began_at:
            began_at, at_first = now, remaining
        if remaining == 0:
            return at_first / (now - began_at)
        time.sleep(LOOK_EVERY)
    raise SystemExit("The jobs did not come to an end; the worker's log says why.")


@contextmanager
def running(*command: str) -> Iterator[None]:
    with Path("worker.log").open("a") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


@contextmanager
def redis() -> Iterator[int]:
    """A Redis that keeps nothing, on a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    try:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        raise SystemExit("There is no redis-server: install it (Debian: apt install redis-server).") from None
    try:
        while not is_open(port):
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=60)


def is_open(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def ask(connection: socket.socket, command: str) -> int:
    """Redis's answer to a question whose answer is a number."""
    connection.sendall(f"{command}\r\n".encode())
    return int(connection.recv(64).decode().removeprefix(":"))


def show(rounds: list[Round], wanted: argparse.Namespace) -> None:
    table = Table(title=f"Jobs: {wanted.jobs} of each side, one worker each, {product.CORES} cores")
    for name in ("round", "owner work/s", "celery/s", "ratio"):
        table.add_column(name, justify="right")
    for number, one in enumerate(rounds, 1):
        table.add_row(str(number), f"{one.worker:,.0f}", f"{one.celery:,.0f}", f"{one.ratio:.2f}")
    out.print(table)
    out.print(f"median ratio {statistics.median(one.ratio for one in rounds):.2f}")


if __name__ == "__main__":
    main()
