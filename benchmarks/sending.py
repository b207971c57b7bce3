"""Prints how many messages a second a worker hands to Twilio, beside a bare client that makes the same calls.

`python benchmarks/sending.py [--messages 2000] [--at-once 50] [--latency 0.1] [--rounds 3]`. A simulated Twilio in a
process of its own takes `--latency` seconds for each call. In each round a bare aiohttp client makes as many calls as
there are messages, `--at-once` at a time, and `owner work` sends as many queued messages with as many lanes, the
database included: claimed, sent, noted, told. The processor time of the worker and of Postgres is that of one message. Who is first
alternates. 50 owners, each with a WhatsApp sender of its own, so that no sender's rate bounds it; one message for each
conversation; status callbacks come after the run.
Ends with 1 unless every message was sent once.
"""

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import aiohttp
import product
from rich.console import Console
from rich.table import Table

from owner import bootstrap
from owner.cli.context import database
from owner.integrations.simulator import SimulatorClient
from owner.integrations.twilio.transport import authorization
from owner.services.catalog import Services
from owner.services.ports import Credentials
from owner.settings import Settings

OWNERS = 50
WARM_UP = 300  # messages of each side, of which nothing is counted
PATIENCE = 300.0  # seconds
TEXT = "Olá, Ana! Seu pedido sai hoje às 15h."
NO_URL = "http://127.0.0.1:9/"
out = Console(highlight=False)

QUEUE = """
WITH customer AS (
    INSERT INTO contacts (owner_id, name, created_at, updated_at)
    SELECT $1, 'Ana', now(), now() FROM generate_series(1, $2) RETURNING contact_id
), address AS (
    INSERT INTO contact_addresses (owner_id, address, channel, reply_address, contact_id)
    SELECT $1, '+55119' || lpad(contact_id::text, 8, '0'), 'WHATSAPP', '+55119' || lpad(contact_id::text, 8, '0'),
        contact_id FROM customer
), conversation AS (
    INSERT INTO conversations (owner_id, status, channel, contact_id, customer_address, our_address, twilio_account_id,
        last_seq, started_at, last_activity_at, last_inbound_at, expires_at, idle_after, reopen_grace)
    SELECT $1, 'PROGRESS', 'WHATSAPP', contact_id, '+55119' || lpad(contact_id::text, 8, '0'), $3,
        (SELECT twilio_account_id FROM twilio_accounts), 1, now(), now(), now(), now() + interval '1 day',
        interval '1 hour', interval '10 minutes'
    FROM customer RETURNING conv_id
)
INSERT INTO messages (owner_id, conv_id, seq, direction, message_owner, message_type, content, delivery_status)
SELECT $1, conv_id, 1, 'OUTBOUND', 'AGENT', 'TEXT', $4, 'QUEUED' FROM conversation
"""
SENT = """
SELECT count(*), min(created_at), max(created_at) FROM events
WHERE type = 'message.accepted' AND event_id > $1
"""


@dataclass(frozen=True)
class Round:
    """Messages a second of both sides, one right after the other."""

    bare: float
    worker: float
    worker_ms: float  # of processor time, for a message
    postgres_ms: float

    @property
    def ratio(self) -> float:
        return self.worker / self.bare


@dataclass
class Bench:
    """Both sides of the comparison."""

    services: Services
    simulator_url: str
    targets: list[product.Target]
    owner_ids: list[int]
    worker_pid: int
    postgres_pid: int
    at_once: int

    async def measure(self, messages: int, *, bare_first: bool) -> Round:
        if bare_first:
            bare = await self.call_barely(messages)
            worker, *used = await self.send(messages)
        else:
            worker, *used = await self.send(messages)
            bare = await self.call_barely(messages)
        return Round(bare, worker, *used)

    async def call_barely(self, messages: int) -> float:
        """The same requests, and nothing else; in a process of its own, as the worker is."""
        command = [sys.executable, __file__, "--bare", self.simulator_url, str(messages), str(self.at_once)]
        accounts = [f"{one.account_sid}:{one.auth_token}:{one.number}" for one in self.targets]
        process = await asyncio.create_subprocess_exec(*command, *accounts, stdout=asyncio.subprocess.PIPE)
        answer, _ = await process.communicate()
        return float(answer)

    async def send(self, messages: int) -> tuple[float, float, float]:
        """Messages a second, and the processor time that one takes of the worker and of Postgres."""
        newest = await self._newest_event()
        for owner_id, target in zip(self.owner_ids, self.targets, strict=True):
            async with self.services.database.owner(owner_id) as connection:
                number = target.number.removeprefix("whatsapp:")
                await connection.execute(QUEUE, owner_id, messages // OWNERS, number, TEXT)
        before = self._used()
        self.services.database.notices.announce(self.owner_ids)
        began_at, ended_at = await self._all_sent(newest, messages)
        worker_ms, postgres_ms = (
            (after - former) / messages * 1_000 for after, former in zip(self._used(), before, strict=True)
        )
        return (messages - 1) / (ended_at - began_at), worker_ms, postgres_ms

    def _used(self) -> tuple[float, ...]:
        return tuple(product.processor_time(pid) for pid in (self.worker_pid, self.postgres_pid))

    async def _all_sent(self, newest: int, messages: int) -> tuple[float, float]:
        give_up_at = time.monotonic() + PATIENCE
        while time.monotonic() < give_up_at:
            await asyncio.sleep(0.5)
            rows = [await self._sent_by(owner_id, newest) for owner_id in self.owner_ids]
            if sum(row[0] for row in rows) == messages:
                return min(row[1].timestamp() for row in rows), max(row[2].timestamp() for row in rows)
        raise SystemExit("The worker did not send all messages; its log says why.")

    async def _sent_by(self, owner_id: int, newest: int) -> tuple[int, Any, Any]:
        async with self.services.database.owner(owner_id) as connection:
            row = await connection.fetchrow(SENT, newest)
        assert row is not None
        return row[0], row[1], row[2]

    async def _newest_event(self) -> int:
        async with self.services.database.system() as connection:
            newest: int = await connection.fetchval(
                "SELECT COALESCE(pg_sequence_last_value('events_event_id_seq'), 0)"
            )
        return newest


def main() -> None:
    if sys.argv[1:2] == ["--bare"]:
        url, messages, at_once, *accounts = sys.argv[2:]
        seconds = asyncio.run(call_barely(url, int(messages), int(at_once), accounts))
        print(int(messages) / seconds)
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=2_000, help="of each side in each round")
    parser.add_argument("--at-once", type=int, default=50, help="calls under way, the same on both sides")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that Twilio takes for a call")
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="owner-bench-") as folder, product.own_environment(Path(folder)):
        simulator_port = free_port()
        os.environ["OWNER_TWILIO_API_URL"] = f"http://127.0.0.1:{simulator_port}"
        os.environ["OWNER_SENDS_AT_ONCE"] = str(wanted.at_once)
        with (
            running("simulator", f"--port={simulator_port}", "--callback-delay=3600"),
            database(stay="hold", settings=Settings()) as settings,
        ):
            rounds = asyncio.run(run(settings, wanted))
    show(rounds, wanted)


async def run(settings: Settings, wanted: argparse.Namespace) -> list[Round]:
    messages = wanted.messages // OWNERS * OWNERS
    postgres_pid = product.postmaster_pid(settings.home)
    targets = await product._make_owners(OWNERS, NO_URL)  # noqa: SLF001 - within a loop already
    async with (
        bootstrap.open_services(settings, is_lasting=True) as services,
        aiohttp.ClientSession() as session,
    ):
        simulator = SimulatorClient(settings.twilio_api_url, session)
        owner_ids = await register(services, simulator, targets)
        await simulator.fault("latency", count=None, delay=wanted.latency)
        with running("work") as worker:
            bench = Bench(
                services,
                settings.twilio_api_url,
                targets,
                owner_ids,
                worker.pid,
                postgres_pid,
                wanted.at_once,
            )
            await bench.measure(WARM_UP, bare_first=True)
            rounds = [
                await bench.measure(messages, bare_first=number % 2 == 0) for number in range(wanted.rounds)
            ]
        await check(simulator, rounds=wanted.rounds, messages=messages)
    return rounds


async def register(
    services: Services, simulator: SimulatorClient, targets: list[product.Target]
) -> list[int]:
    """Let the simulator know the accounts; the owners' ids, in the same order."""
    owner_ids = []
    for target in targets:
        [access] = await services.twilio.find_by_sid(target.account_sid)
        owner_ids.append(access.owner.owner_id)
        await simulator.register_account(target.account_sid, target.auth_token, numbers=[target.number])
    return owner_ids


async def check(simulator: SimulatorClient, *, rounds: int, messages: int) -> None:
    taken = [one for one in await simulator.messages() if "msg_id=" in (one["status_callback"] or "")]
    expected = WARM_UP + rounds * messages
    if len(taken) != expected or len({one["status_callback"] for one in taken}) != expected:
        raise SystemExit(f"{expected} messages were queued, but the simulator has taken {len(taken)}.")
    out.print(f"All {expected} messages were sent, each once.")


async def call_barely(url: str, messages: int, at_once: int, accounts: list[str]) -> float:
    """Seconds for so many creates, `at_once` of them under way."""
    waiting = iter(range(messages))
    calls = []
    for account in accounts:
        sid, token, number = account.split(":", 2)
        headers = {
            "Authorization": authorization(Credentials(sid, token)),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        calls.append((f"{url}/2010-04-01/Accounts/{sid}/Messages.json", headers, number))
    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def call_on() -> None:
            for number in waiting:
                target, headers, sender = calls[number % len(calls)]
                form = {
                    "To": f"whatsapp:+55119{number:08d}",
                    "From": sender,
                    "StatusCallback": NO_URL,
                    "Body": TEXT,
                }
                async with session.post(target, data=urlencode(form), headers=headers) as answer:
                    await answer.json()
                    assert answer.status == 201, answer.status

        began_at = time.perf_counter()
        await asyncio.gather(*(call_on() for _ in range(at_once)))
        return time.perf_counter() - began_at


@contextmanager
def running(*command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`owner …`, once it works; its log goes to a file."""
    log_path = Path(f"{command[0]}.log")
    with log_path.open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "owner", *command], stdout=log, stderr=log)
    try:
        give_up_at = time.monotonic() + product.START_WITHIN
        while not log_path.read_text() and process.poll() is None and time.monotonic() < give_up_at:
            time.sleep(0.1)
        if command[0] == "simulator":
            await_simulator(command[1].partition("=")[2])
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


def await_simulator(port: str) -> None:
    give_up_at = time.monotonic() + product.START_WITHIN
    while time.monotonic() < give_up_at:
        try:
            with urlopen(f"http://127.0.0.1:{port}/simulator/faults", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("`owner simulator` did not come up.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def show(rounds: list[Round], wanted: argparse.Namespace) -> None:
    title = f"Sending: {wanted.at_once} at once, {wanted.latency * 1_000:.0f} ms a call, {OWNERS} owners, one worker"
    table = Table(title=f"{title}, {product.CORES} cores, fsync on")
    for name in ("round", "bare client/s", "worker/s", "worker ms", "Postgres ms", "ratio"):
        table.add_column(name, justify="right")
    for number, one in enumerate(rounds, 1):
        table.add_row(
            str(number),
            f"{one.bare:,.0f}",
            f"{one.worker:,.0f}",
            f"{one.worker_ms:.2f}",
            f"{one.postgres_ms:.2f}",
            f"{one.ratio:.2f}",
        )
    out.print(table)
    out.print(f"median ratio {statistics.median(one.ratio for one in rounds):.2f}")


if __name__ == "__main__":
    main()
