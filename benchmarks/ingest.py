"""Prints how many signed webhooks a second the whole product takes in, beside what Postgres takes by itself.

`python benchmarks/ingest.py [--seconds 8] [--rounds 3] [--clients 64]`. In each round `owner serve` (a worker for
each core) gets webhooks, and pgbench (`yardstick.py`) does one minimal transaction a message: as many clients, the
same server, the same settings, fsync included. The messages are for 50 owners, half from new and half from known
customers, one in ten a goodbye. Then both work for one client that waits for each answer. Only the ratios can be
compared between machines. Ends with 1 if the database doesn't hold exactly the messages that were acknowledged.
"""

import argparse
import multiprocessing
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import ingest_client as client
import psycopg
from product import CORES, Target, make_owners, own_environment, postmaster_pid, processor_time, serving
from rich.console import Console
from rich.table import Table
from yardstick import Transactions, Yardstick, make_yardstick

from owner.db.embedded import EmbeddedServer

OWNERS = 50
WARM_UP = 2.0  # seconds, twice, of which nothing is counted
IDLE = 3.0  # seconds of each side, one client that waits
MOST_PER_SECOND = 8_000  # webhooks that are signed in advance; a faster machine ends its round early
MICROSECONDS = 1e6
MILLISECONDS = 1e3
out = Console(highlight=False)


@dataclass(frozen=True)
class Round:
    """One measurement of both sides, one right after the other; processor time is in seconds."""

    webhooks: client.Load
    server: float
    postgres: float
    transactions: Transactions
    postgres_of_transactions: float

    @property
    def ratio(self) -> float:
        return self.webhooks.per_second / self.transactions.per_second

    @property
    def latency_ratio(self) -> float:
        return self.webhooks.percentile(0.5) / self.transactions.median


class Bench:
    """Both sides of the comparison."""

    def __init__(
        self,
        targets: list[Target],
        yardstick: Yardstick,
        process: ProcessPoolExecutor,
        *,
        server_pid: int,
        postgres_pid: int,
    ) -> None:
        self.targets = targets
        self.yardstick = yardstick
        self.process = process
        self.server_pid = server_pid
        self.postgres_pid = postgres_pid
        self.new_customers = 0
        self.acknowledged = 0

    def warm_up(self, *, clients: int) -> None:
        """Known customers, connections, prepared statements, and the planner's statistics, which come soon anyway."""
        self._count(self.process.submit(client.greet, self.targets, clients=clients).result())
        self.measure(WARM_UP, clients=clients, webhooks_first=True)
        with psycopg.connect(self.yardstick.database, autocommit=True) as connection:
            connection.execute("ANALYZE")
        self.measure(WARM_UP, clients=clients, webhooks_first=True)

    def measure(self, seconds: float, *, clients: int, webhooks_first: bool) -> Round:
        """Who is first alternates, so that what a side leaves behind burdens both."""
        is_idle = clients == 1
        if not webhooks_first:
            transactions, postgres_of_transactions = self._transact(seconds, clients, is_idle=is_idle)
        webhooks, server, postgres = self._post(seconds, clients)
        if webhooks_first:
            transactions, postgres_of_transactions = self._transact(seconds, clients, is_idle=is_idle)
        return Round(webhooks, server, postgres, transactions, postgres_of_transactions)

    def _post(self, seconds: float, clients: int) -> tuple[client.Load, float, float]:
        most = int(seconds * MOST_PER_SECOND)
        server, postgres = processor_time(self.server_pid), processor_time(self.postgres_pid)
        load = self.process.submit(
            client.post,
            self.targets,
            clients=clients,
            seconds=seconds,
            first_new=self.new_customers,
            most=most,
        ).result()
        self.new_customers += most
        self._count(load)
        return (
            load,
            processor_time(self.server_pid) - server,
            processor_time(self.postgres_pid) - postgres,
        )

    def _transact(self, seconds: float, clients: int, *, is_idle: bool) -> tuple[Transactions, float]:
        postgres = processor_time(self.postgres_pid)
        transactions = self.yardstick.run(seconds, clients=clients, times_each=is_idle)
        return transactions, processor_time(self.postgres_pid) - postgres

    def _count(self, load: client.Load) -> None:
        self.acknowledged += load.acknowledged
        if load.refused:
            raise SystemExit(f"{load.refused} webhooks were refused; the log of the server says why.")

    def stored(self) -> int:
        with psycopg.connect(self.yardstick.database) as connection:
            row = connection.execute(
                "SELECT count(*) FROM public.messages WHERE direction = 'INBOUND'"
            ).fetchone()
        assert row is not None
        return int(row[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="of each side in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=64, help="connections, the same on both sides")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="owner-bench-") as folder:
        run(Path(folder), wanted)


def run(home: Path, wanted: argparse.Namespace) -> None:
    with (
        own_environment(home),
        EmbeddedServer(home).hold() as server,
        serving(home) as product,
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process,
    ):
        targets = make_owners(OWNERS, url=product.url)
        bench = Bench(
            targets,
            make_yardstick(server.url("owner_admin"), home, targets[0], owners=OWNERS),
            process,
            server_pid=product.pid,
            postgres_pid=postmaster_pid(home),
        )
        bench.warm_up(clients=wanted.clients)
        idle = [bench.measure(IDLE, clients=1, webhooks_first=number % 2 == 0) for number in range(2)]
        rounds = [
            bench.measure(wanted.seconds, clients=wanted.clients, webhooks_first=number % 2 == 0)
            for number in range(wanted.rounds)
        ]
        stored = bench.stored()
    show(rounds, clients=wanted.clients)
    show_idle(idle)
    if stored != bench.acknowledged:
        raise SystemExit(
            f"{bench.acknowledged} webhooks were acknowledged, but {stored} messages are stored."
        )
    out.print(f"All {stored:,} acknowledged messages are stored, each once.")


def show(rounds: list[Round], *, clients: int) -> None:
    table = Table(title=f"Ingest: {clients} connections, {CORES} workers, {CORES} cores, fsync on")
    for name in ("round", "webhooks/s", "p50 ms", "p99 ms", "pgbench tps", "ratio"):
        table.add_column(name, justify="right")
    for number, measured in enumerate(rounds, 1):
        webhooks = measured.webhooks
        table.add_row(
            str(number),
            f"{webhooks.per_second:,.0f}",
            f"{webhooks.percentile(0.5) * MILLISECONDS:.1f}",
            f"{webhooks.percentile(0.99) * MILLISECONDS:.1f}",
            f"{measured.transactions.per_second:,.0f}",
            f"{measured.ratio:.2f}",
        )
    out.print(table)
    out.print(f"median ratio {statistics.median(measured.ratio for measured in rounds):.2f}")
    messages = sum(measured.webhooks.acknowledged for measured in rounds)
    transactions = sum(measured.transactions.count for measured in rounds)
    out.print(
        f"processor time a message, µs: server {_each([m.server for m in rounds], messages)}, "
        f"Postgres {_each([m.postgres for m in rounds], messages)}, "
        f"load client {_each([m.webhooks.processor_seconds for m in rounds], messages)}; "
        f"a transaction: Postgres {_each([m.postgres_of_transactions for m in rounds], transactions)}, "
        f"pgbench {_each([m.transactions.client_seconds for m in rounds], transactions)}"
    )


def _each(seconds: list[float], count: int) -> str:
    return f"{sum(seconds) / count * MICROSECONDS:,.0f}"


def show_idle(rounds: list[Round]) -> None:
    webhook = statistics.median(measured.webhooks.percentile(0.5) for measured in rounds)
    transaction = statistics.median(measured.transactions.median for measured in rounds)
    ratio = statistics.median(measured.latency_ratio for measured in rounds)
    out.print(
        f"idle, one connection: a webhook {webhook * MILLISECONDS:.2f} ms, "
        f"a transaction {transaction * MILLISECONDS:.2f} ms, ratio {ratio:.2f}"
    )


if __name__ == "__main__":
    main()
