"""Prints how long it takes from a customer's message to those who watch: `python benchmarks/live.py [--listeners 200]`.

`owner serve` (a worker for each core) has 200 listeners on one owner's event stream. A signed webhook comes, and each
listener's time runs from the moment it was sent; the next comes when all have heard of it. The yardstick is one
minimal transaction of pgbench on the same server, with nothing else going on.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

import ingest_client as client
import uvloop
from product import CORES, Target, make_owners, own_environment, serving
from rich.console import Console
from yardstick import make_yardstick

from owner.db.embedded import EmbeddedServer

MESSAGES = 150
WARM_UP = 20  # messages of which nothing is counted
IDLE = 3.0  # seconds of pgbench, before and after
LONGEST_REST = 0.1  # seconds between two messages, so that they fall into no step with anybody's clock
PATIENCE = 30.0  # seconds until everybody must have heard
HEARD = b"\nevent: message.received\n"
MILLISECONDS = 1e3
out = Console(highlight=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="owner-bench-") as folder:
        run(Path(folder), listeners=wanted.listeners, messages=wanted.messages)


def run(home: Path, *, listeners: int, messages: int) -> None:
    with own_environment(home), EmbeddedServer(home).hold() as server, serving(home) as product:
        [target] = make_owners(1, url=product.url)
        yardstick = make_yardstick(server.url("owner_admin"), home, target, owners=1)
        before = yardstick.run(IDLE, clients=1, times_each=True).median
        times = uvloop.run(listen(target, listeners=listeners, messages=messages))
        after = yardstick.run(IDLE, clients=1, times_each=True).median
    show(sorted(times), statistics.mean([before, after]), listeners=listeners)


async def listen(target: Target, *, listeners: int, messages: int) -> list[float]:
    """Seconds from each message to each listener."""
    crowd = Crowd(listeners)
    host, _, port = urlsplit(target.url).netloc.partition(":")
    connect = partial(asyncio.get_running_loop().create_connection, host=host, port=int(port))
    opened = [await connect(lambda: _Listener(target, crowd)) for _ in range(listeners)]
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(listener.is_open for _, listener in opened))
    transport, sender = await connect(_Sender)
    times: list[float] = []
    for number in range(WARM_UP + messages):
        form = client.fields(target, client.NEW_FROM + number, client.TEXTS[0])
        crowd.gather()
        async with asyncio.timeout(PATIENCE):
            sent_at = perf_counter()
            await sender.post(client.signed_request(target, form))
            await crowd.all_heard.wait()
        if number >= WARM_UP:
            times += [heard_at - sent_at for heard_at in crowd.heard_at]
        await asyncio.sleep(random.uniform(0, LONGEST_REST))
    for ended in (transport, *(transport for transport, _ in opened)):
        ended.abort()
    return times


class Crowd:
    """Notes when each of the listeners has heard of a message."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.heard_at: list[float] = []
        self.all_heard = asyncio.Event()

    def gather(self) -> None:
        self.heard_at.clear()
        self.all_heard.clear()

    def hear(self) -> None:
        self.heard_at.append(perf_counter())
        if len(self.heard_at) == self.size:
            self.all_heard.set()


class _Listener(asyncio.Protocol):
    """One open event stream."""

    def __init__(self, target: Target, crowd: Crowd) -> None:
        self.target = target
        self.crowd = crowd
        self.is_open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        host = urlsplit(self.target.url).netloc
        request = (
            "GET /v1/events/stream?type=message.received HTTP/1.1\r\n"
            f"Host: {host}\r\nAuthorization: Bearer {self.target.api_key}\r\n\r\n"
        )
        cast("asyncio.Transport", transport).write(request.encode())

    def data_received(self, data: bytes) -> None:
        self.received += data
        if (
            not self.is_open.done() and b"\nid: " in self.received
        ):  # its place: from here on nothing is missed
            self.is_open.set_result(None)
        while HEARD in self.received:
            self.received = self.received.partition(HEARD)[2]
            self.crowd.hear()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.is_open.done():
            self.is_open.set_exception(exc or ConnectionError(self.received.decode()))


class _Sender(asyncio.Protocol):
    """A connection of Twilio's."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if client.is_complete(self.received):
            self.answered.set_result(self.received)

    async def post(self, request: bytes) -> None:
        self.received = b""
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        answer = await self.answered
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"A webhook was refused:\n{answer.decode()}")


def show(times: list[float], transaction: float, *, listeners: int) -> None:
    def at(share: float) -> str:
        return f"{times[int(len(times) * share)] * MILLISECONDS:.1f} ms"

    out.print(
        f"live: {listeners} listeners, {CORES} workers, {CORES} cores: p50 {at(0.5)}, p95 {at(0.95)}, p99 {at(0.99)}; "
        f"a transaction {transaction * MILLISECONDS:.2f} ms"
    )
    out.print(f"ratio of p95 to a transaction {times[int(len(times) * 0.95)] / transaction:.1f}")


if __name__ == "__main__":
    main()
