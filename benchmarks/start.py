"""How long `owner serve` takes to its first answered request, and how much memory it and a worker hold, beside a bare FastAPI application.

The bare one has one route and the same server with the same settings. The two alternate; the database is up and
migrated, so that neither waits for Postgres to start. Both are timed from the start of their process; processor
time is what says something on a machine that does other things as well.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple
from urllib.request import urlopen

import psutil
from product import free_port, own_environment, processor_time

from owner import deployment
from owner.cli.context import database

BARE: Final = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.get("/health")
async def health(): return {"status": "ok"}
uvicorn.run(app, port=int(sys.argv[1]), log_config=None, access_log=False, ws="none")
"""
GIVE_UP_AFTER: Final = 120.0  # seconds
SETTLES_IN: Final = 3.0  # seconds: a worker's queue, its schedules and the feed begin after its first line


class Start(NamedTuple):
    """What is 0 was not measured."""

    seconds: float  # to the first answer
    processor: float  # seconds, of the process and what it started
    megabytes: float  # resident


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with (
        tempfile.TemporaryDirectory() as folder,
        own_environment(Path(folder)),
        database(stay="hold") as settings,
    ):
        os.environ["OWNER_DATABASE_URL"] = deployment.application_url(settings)
        os.environ["OWNER_SECRET_KEY"] = ",".join(deployment.secret_keys(settings))
        _bare(), _api(), _worker(), _help()  # the first start compiles
        measured = [(_bare(), _api(), _worker(), _help()) for _ in range(rounds)]
    bare, api, worker, told = zip(*measured, strict=True)
    _show("bare FastAPI, to its first answer", bare, bare)
    _show("owner serve, to its first answer", api, bare)
    _show("owner work, once it works", worker, bare)
    _show("owner --help", told, bare)


def _bare() -> Start:
    port = free_port()
    return _until_it_answers([sys.executable, "-c", BARE, str(port)], port)


def _api() -> Start:
    port = free_port()
    return _until_it_answers([sys.executable, "-m", "owner", "serve", f"--port={port}"], port)


def _until_it_answers(command: list[str], port: int) -> Start:
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while time.monotonic() < started + GIVE_UP_AFTER:
            with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return _seen(process.pid, time.monotonic() - started)
            time.sleep(0.005)
        raise SystemExit(f"{command} did not answer.")
    finally:
        process.terminate()
        process.wait()


def _worker() -> Start:
    """Once it has opened all that it needs. It answers nobody, so there is no time to its first answer."""
    command = [sys.executable, "-m", "owner", "work"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(SETTLES_IN)
        return _seen(process.pid, 0.0)
    finally:
        process.terminate()
        process.wait()


def _help() -> Start:
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "owner", "--help"], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Start(time.monotonic() - started, used, 0.0)


def _seen(pid: int, seconds: float) -> Start:
    return Start(seconds, processor_time(pid), psutil.Process(pid).memory_info().rss / 1024**2)


def _show(what: str, measured: tuple[Start, ...], bare: tuple[Start, ...]) -> None:
    middle, least = (Start(*map(statistics.median, zip(*starts, strict=True))) for starts in (measured, bare))
    figures = zip(("s", "s of processor", "MB"), middle, least, strict=True)
    told = [f"{value:6.2f} {unit}, ratio {value / of:4.2f}" for unit, value, of in figures if value]
    print(f"{what:34}", "; ".join(told))


if __name__ == "__main__":
    main()
