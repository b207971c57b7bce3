"""Prints what lists, threads, search, reports, ingest and sweeps cost at 10,000 and at 10,000,000 messages.

`python benchmarks/flat.py [--messages 10000000] [--calls 20] [--home FOLDER] [--only WORD]`. Both databases are on one
embedded Postgres, filled by `flat_data.py`; `--home` keeps them for the next run, and needs some 25 GB at ten million.
Each call goes through the use case and the role that row level security binds, for the owner who has most and for the
one in the middle, now in the one database, now in the other. The ratio of the medians is what counts; beside it is the
ratio of the fastest tenths, on which other work on the machine weighs least. `flat_levels.py` gives the small database
what a page of each list takes; where they still differ the table says how many rows each had.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from flat_cases import CASES, Case, Place, find_places
from flat_data import Filling, OpenServices, Size, create_database, make_tenants, url_of
from flat_levels import level_days, level_pages
from product import own_environment
from rich.console import Console
from rich.table import Table

from owner.db import migrate
from owner.db.embedded import EmbeddedServer
from owner.logs import configure_logging

SMALL = 10_000
GOAL = 1.5
WARM_UP = 3  # calls of which nothing is counted
MILLISECONDS = 1e3
RANKS = {"most": 1, "middle": 50}
out = Console(highlight=False, width=120)


@dataclass(frozen=True)
class Row:
    """What a case took in both databases, in seconds, and how much it returned there."""

    case: Case
    owner: str
    small: list[float]
    large: list[float]
    returned: tuple[int, int]

    @property
    def ratio(self) -> float:
        return statistics.median(self.large) / statistics.median(self.small)

    @property
    def undisturbed(self) -> float:
        """The same of the fastest tenths."""
        return _fastest_tenth(self.large) / _fastest_tenth(self.small)


def _fastest_tenth(took: Sequence[float]) -> float:
    return statistics.median(sorted(took)[: max(1, len(took) // 10)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000_000, help="of the large database")
    parser.add_argument("--calls", type=int, default=20, help="of each case in each database")
    parser.add_argument("--home", type=Path, help="where the databases stay; by default they are thrown away")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    wanted = parser.parse_args()
    configure_logging(level="ERROR", log_format="console")
    with folder_of(wanted.home) as home, own_environment(home), EmbeddedServer(home).hold() as server:
        fill(server, wanted.messages)
        rows = asyncio.run(measure(server, wanted))
    show(rows, wanted)


@contextmanager
def folder_of(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="owner-bench-") as folder:
        yield Path(folder)


def fill(server: EmbeddedServer, messages: int) -> None:
    """What a run before has left is not filled again."""
    with psycopg.connect(server.url("postgres")) as connection:
        there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
    if "tenants" not in there:
        create_database(server, "tenants", template="template1")
    migrate.upgrade(url_of(server, "tenants", "owner_admin"), application_role="owner_service")
    if "tenants" not in there:
        make_tenants(server, "tenants", count=Size.owners)
    for name, size in (("small", SMALL), ("large", messages)):
        if name in there:
            migrate.upgrade(url_of(server, name, "owner_admin"), application_role="owner_service")
        else:
            begun = time.monotonic()
            create_database(server, name, template="tenants")
            Filling(server, name, Size(size), tells=out.print).fill()
            out.print(f"{name}: {size:,} messages in {time.monotonic() - begun:.0f} s")


async def measure(server: EmbeddedServer, wanted: argparse.Namespace) -> list[Row]:
    level_days(server, owner_ranks=RANKS.values())
    rows = []
    async with AsyncExitStack() as stack:
        databases = [
            (name, await stack.enter_async_context(OpenServices(server, name))) for name in ("small", "large")
        ]
        places = {
            owner: [find_places(server, name, services, rank=rank) for name, services in databases]
            for owner, rank in RANKS.items()
        }
        for small, _ in places.values():
            await level_pages(small)
        for case in CASES:
            for owner, pair in places.items():
                if wanted.only in case.name and (owner == "most" or not case.is_for_most_only):
                    rows.append(await _compare(case, owner, pair, calls=wanted.calls))
    return rows


async def _compare(case: Case, owner: str, pair: Sequence[Place], *, calls: int) -> Row:
    took: tuple[list[float], list[float]] = ([], [])
    returned = [0, 0]
    for call in range(WARM_UP + calls):
        # Who is first alternates, so that what one leaves behind burdens both.
        for which in (0, 1) if call % 2 else (1, 0):
            await case.prepare(pair[which])
            begun = time.perf_counter()
            returned[which] = await case.run(pair[which])
            if call >= WARM_UP:
                took[which].append(time.perf_counter() - begun)
    return Row(case, owner, *took, (returned[0], returned[1]))


def show(rows: Sequence[Row], wanted: argparse.Namespace) -> None:
    table = Table("", "owner", f"{SMALL:,}: p50 ms", f"{wanted.messages:,}: p50 ms", "ratio", "fastest", "")
    for row in rows:
        few, many = row.returned
        notes = [f"> {GOAL}"] if row.ratio > GOAL else []
        notes += [f"{few} and {many} rows"] if few != many else []
        table.add_row(
            row.case.name,
            row.owner,
            f"{statistics.median(row.small) * MILLISECONDS:.2f}",
            f"{statistics.median(row.large) * MILLISECONDS:.2f}",
            f"{row.ratio:.2f}",
            f"{row.undisturbed:.2f}",
            ", ".join(notes),
        )
    out.print(table)
    for ratios, which in (
        ([row.ratio for row in rows], ""),
        ([row.undisturbed for row in rows], ", by the fastest tenth of the calls"),
    ):
        out.print(
            f"{sum(ratio <= GOAL for ratio in ratios)} of {len(rows)} cost at most {GOAL} times as much at"
            f" {wanted.messages:,} messages{which}; the median ratio is {statistics.median(ratios):.2f}."
        )


if __name__ == "__main__":
    main()
