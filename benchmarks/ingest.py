"""Prints how many signed webhooks a second the whole product takes in, beside what Postgres takes by itself.

`python benchmarks/ingest.py [--seconds 10] [--rounds 3] [--clients 32]`. In each round `owner serve` gets webhooks of
distinct customers, and pgbench (`ingest.pgbench` on the tables of `ingest.sql`) does one minimal transaction a
message: as many clients, the same server, the same settings, fsync included. Only the ratio can be compared
between machines. Ends with 1 if the database doesn't hold exactly the messages that were acknowledged.
"""

import argparse
import json
import multiprocessing
import os
import re
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import ingest_client as client
import psycopg
from rich.console import Console
from rich.table import Table

from owner.db.embedded import EmbeddedServer, bin_dir

HERE = Path(__file__).parent
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
WARM_UP = 2.0  # seconds, twice, of which nothing is counted
MOST_PER_SECOND = 5_000  # webhooks that are signed in advance; a faster machine ends its round early
ACCOUNT_SID = "AC0123456789abcdef0123456789abcdef"
out = Console(highlight=False)


@dataclass(frozen=True)
class Round:
    """One measurement of both sides, one right after the other."""

    webhooks: client.Load
    transactions_per_second: float

    @property
    def ratio(self) -> float:
        return self.webhooks.per_second / self.transactions_per_second


class Bench:
    """Both sides of the comparison."""

    def __init__(
        self,
        database: str,
        target: client.Target,
        pgbench_script: Path,
        process: ProcessPoolExecutor,
        clients: int,
    ) -> None:
        self.database = database
        self.target = target
        self.pgbench_script = pgbench_script
        self.clients = clients
        self.customers = 0
        self.acknowledged = 0
        self.process = process

    def warm_up(self) -> None:
        """Connections, prepared statements, and the planner's statistics, which autovacuum brings soon."""
        self.measure(WARM_UP, webhooks_first=True)
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute("ANALYZE")
        self.measure(WARM_UP, webhooks_first=True)

    def measure(self, seconds: float, *, webhooks_first: bool) -> Round:
        """Who is first alternates, so that what a side leaves behind burdens both."""
        if webhooks_first:
            webhooks = self.post_webhooks(seconds)
            return Round(webhooks, self.run_pgbench(seconds))
        transactions = self.run_pgbench(seconds)
        return Round(self.post_webhooks(seconds), transactions)

    def post_webhooks(self, seconds: float) -> client.Load:
        most = int(seconds * MOST_PER_SECOND)
        load = self.process.submit(
            client.post,
            self.target,
            clients=self.clients,
            seconds=seconds,
            first_customer=self.customers,
            most=most,
        ).result()
        self.customers += most
        self.acknowledged += load.acknowledged
        if load.refused:
            raise SystemExit(f"{load.refused} webhooks were refused; the log of the server says why.")
        return load

    def run_pgbench(self, seconds: float) -> float:
        command = [
            str(bin_dir() / "pgbench"),
            "--no-vacuum",
            "--protocol=prepared",
            f"--client={self.clients}",
            f"--jobs={CORES}",
            f"--time={max(1, round(seconds))}",
            f"--file={self.pgbench_script}",
            self.database,
        ]
        report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = re.search(r"^tps = ([\d.]+)", report, re.MULTILINE)
        if found is None:
            raise SystemExit(f"pgbench reported no figure:\n{report}")
        return float(found[1])

    def stored(self) -> int:
        with psycopg.connect(self.database) as connection:
            row = connection.execute("SELECT count(*) FROM public.messages").fetchone()
        assert row is not None
        return int(row[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each side in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=32, help="connections, the same on both sides")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="owner-bench-") as folder:
        rounds, stored, acknowledged = run(Path(folder), wanted)
    show(rounds, clients=wanted.clients)
    if stored != acknowledged:
        raise SystemExit(f"{acknowledged} webhooks were acknowledged, but {stored} messages are stored.")
    out.print(f"All {stored} acknowledged messages are stored, each once.")


def run(home: Path, wanted: argparse.Namespace) -> tuple[list[Round], int, int]:
    """The rounds, and how many messages are stored of how many that were acknowledged."""
    with (
        own_environment(home),
        EmbeddedServer(home).hold() as server,
        serving(home) as url,
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process,
    ):
        bench = prepare(server, home, url, process, wanted.clients)
        bench.warm_up()
        rounds = [
            bench.measure(wanted.seconds, webhooks_first=number % 2 == 0) for number in range(wanted.rounds)
        ]
        return rounds, bench.stored(), bench.acknowledged


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
def serving(home: Path) -> Iterator[str]:
    """`owner serve` as in production; its log goes to a file."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (home / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "owner", "serve", f"--port={port}", f"--workers={CORES}"],
            stdout=log,
            stderr=log,
        )
        try:
            await_health(f"http://127.0.0.1:{port}/health", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=60)


def await_health(url: str, process: "subprocess.Popen[bytes]") -> None:
    give_up_at = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("`owner serve` did not come up.")


def prepare(
    server: EmbeddedServer, home: Path, url: str, process: ProcessPoolExecutor, clients: int
) -> Bench:
    """A tenant with an account, and the yardstick's tables."""
    owner_id = owner("tenant", "create", "Acme", "--email=ana@example.com", "--password=correct-horse")[
        "owner_id"
    ]
    token = secrets.token_hex(16)
    account = owner(
        "twilio",
        "connect",
        f"--owner={owner_id}",
        f"--account-sid={ACCOUNT_SID}",
        f"--auth-token={token}",
        f"--number={client.NUMBER}",
    )
    database = server.url("owner_admin")
    with psycopg.connect(database) as connection:
        connection.execute((HERE / "ingest.sql").read_bytes())
    path = str(account["inbound_url"]).partition("/webhooks/")[2]
    target = client.Target(f"{url}/webhooks/{path}", ACCOUNT_SID, token)
    return Bench(database, target, write_pgbench_script(home), process, clients)


def write_pgbench_script(home: Path) -> Path:
    """The yardstick's message is as long as the product's."""
    form = client.fields(ACCOUNT_SID, "SM0123456789abcdef0123456789abcdef", "5511900000000")
    form.pop("Body")
    script = (HERE / "ingest.pgbench").read_text()
    script = script.replace("CONTENT", client.TEXT).replace("METADATA", json.dumps({"twilio": form}))
    path = home / "ingest.pgbench"
    path.write_text(script)
    return path


def owner(*arguments: str) -> dict[str, object]:
    """What a command of the product answers."""
    command = [sys.executable, "-m", "owner", *arguments, "--json"]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    found: dict[str, object] = json.loads(answer)
    return found


def show(rounds: list[Round], *, clients: int) -> None:
    table = Table(title=f"Ingest: {clients} clients, {CORES} workers, {CORES} cores, fsync on")
    for name in ("round", "webhooks/s", "p50 ms", "p99 ms", "pgbench tps", "ratio"):
        table.add_column(name, justify="right")
    for number, measured in enumerate(rounds, 1):
        latencies = measured.webhooks.latencies
        table.add_row(
            str(number),
            f"{measured.webhooks.per_second:,.0f}",
            f"{statistics.median(latencies) * 1_000:.1f}",
            f"{latencies[int(len(latencies) * 0.99)] * 1_000:.1f}",
            f"{measured.transactions_per_second:,.0f}",
            f"{measured.ratio:.2f}",
        )
    out.print(table)
    out.print(f"median ratio {statistics.median(measured.ratio for measured in rounds):.2f}")


if __name__ == "__main__":
    main()
