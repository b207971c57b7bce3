"""The whole product as a person starts it, on a database of its own, with owners to measure it with."""

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psutil

from owner import bootstrap
from owner.models.owner import OwnerCreate
from owner.models.twilio_account import TwilioAccountCreate
from owner.settings import Settings

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
START_WITHIN = 120.0  # seconds


@dataclass(frozen=True)
class Target:
    """A connected account: where its webhooks go, what signs them, and a key for its owner's REST API."""

    url: str
    account_sid: str
    auth_token: str
    number: str
    api_key: str


@dataclass(frozen=True)
class Product:
    """A running `owner serve`."""

    url: str
    pid: int


@contextmanager
def own_environment(home: Path) -> Iterator[None]:
    """Nobody's settings but our own: a home that is empty, no `.env`, the log as in production."""
    before, folder = dict(os.environ), Path.cwd()
    for name in [name for name in os.environ if name.startswith("OWNER_")]:
        del os.environ[name]
    os.environ["OWNER_HOME"] = str(home)
    # The embedded server's account enters the folder when this is run by root.
    home.chmod(0o711)
    os.chdir(home)
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def serving(home: Path, *, workers: int = CORES) -> Iterator[Product]:
    """`owner serve` as in production; its log goes to a file."""
    port = free_port()
    with (home / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "owner", "serve", f"--port={port}", f"--workers={workers}"],
            stdout=log,
            stderr=log,
        )
        try:
            if not is_up(f"http://127.0.0.1:{port}/health", process):
                raise SystemExit(f"`owner serve` did not come up:\n{(home / 'serve.log').read_text()}")
            yield Product(f"http://127.0.0.1:{port}", process.pid)
        finally:
            process.terminate()
            process.wait(timeout=60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_up(url: str, process: "subprocess.Popen[bytes]") -> bool:
    give_up_at = time.monotonic() + START_WITHIN
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            with urlopen(url, timeout=5):
                return True
        except OSError:
            time.sleep(0.1)
    return False


def make_owners(count: int, *, url: str) -> list[Target]:
    """Owners, each with an account and a number at it."""
    return asyncio.run(_make_owners(count, url))


async def _make_owners(count: int, url: str) -> list[Target]:
    async with bootstrap.open_services(Settings(public_url=url)) as services:
        targets = []
        for number in range(count):
            tenant = await services.tenants.create(
                OwnerCreate(
                    name=f"Company {number}",
                    email=f"ana{number}@example.com",
                    password="correct-horse-battery",
                )
            )
            create = TwilioAccountCreate(
                account_sid=f"AC{secrets.token_hex(16)}",
                auth_token=secrets.token_hex(16),
                phone_numbers=[f"whatsapp:+5511300{number:05d}"],
            )
            account = await services.twilio.connect(tenant.owner_id, create)
            inbound_url = services.twilio.inbound_url(account)
            targets.append(
                Target(
                    inbound_url,
                    create.account_sid,
                    create.auth_token,
                    create.phone_numbers[0],
                    tenant.api_key,
                )
            )
        return targets


def processor_time(pid: int) -> float:
    """Seconds that a process, its children, and those of its children that have ended have used."""
    root = psutil.Process(pid)
    used = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used += times.user + times.system + times.children_user + times.children_system
    return used


def postmaster_pid(home: Path) -> int:
    """The embedded server's first process."""
    return int((home / "postgres" / "postmaster.pid").read_text().split()[0])
