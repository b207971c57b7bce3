"""What Postgres takes by itself: pgbench with one minimal transaction a message, on the product's own server."""

import json
import re
import resource
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

import ingest_client as client
import psycopg
from product import CORES, Target

from owner.db.embedded import bin_dir

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Transactions:
    """What a run of pgbench came to."""

    per_second: float
    count: int
    client_seconds: float  # of processor time, pgbench's own
    median: float  # seconds; 0 where it was not asked for


class Yardstick:
    """One transaction: upsert a conversation, insert a message, insert an event; the tables are its own."""

    def __init__(
        self, database: str, home: Path, *, owners: int, known: int, content: str, metadata: str
    ) -> None:
        self.database = database
        self.home = home
        self.script = home / "yardstick.pgbench"
        text = (HERE / "yardstick.pgbench").read_text()
        for name, value in {
            "OWNERS": str(owners),
            "KNOWN": str(known),
            "CONTENT": content,
            "METADATA": metadata,
        }.items():
            text = text.replace(name, value)
        self.script.write_text(text)
        with psycopg.connect(database) as connection:
            connection.execute((HERE / "yardstick.sql").read_bytes())

    def run(self, seconds: float, *, clients: int, times_each: bool = False) -> Transactions:
        """`times_each` writes down how long every transaction took, which costs pgbench a little."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [
            str(bin_dir() / "pgbench"),
            "--no-vacuum",
            "--protocol=prepared",
            f"--client={clients}",
            f"--jobs={min(clients, CORES)}",
            f"--time={max(1, round(seconds))}",
            f"--file={self.script}",
            *(["--log", f"--log-prefix={self.home / 'pgbench'}"] if times_each else []),
            self.database,
        ]
        report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return Transactions(
            per_second=float(_figure(r"^tps = ([\d.]+)", report)),
            count=int(_figure(r"transactions actually processed: (\d+)", report)),
            client_seconds=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            median=statistics.median(self._times()) if times_each else 0.0,
        )

    def _times(self) -> list[float]:
        """Seconds of each transaction; the third word of a line is microseconds."""
        times = []
        for log in self.home.glob("pgbench.*"):
            times += [int(line.split()[2]) / 1e6 for line in log.read_text().splitlines()]
            log.unlink()
        return times


def make_yardstick(database: str, home: Path, target: Target, *, owners: int) -> Yardstick:
    """Its message is as long as the product's, and its known customers are as many."""
    form = client.fields(target, client.NEW_FROM, client.TEXTS[0])
    text = form.pop("Body")
    metadata = json.dumps({"twilio": form})
    return Yardstick(database, home, owners=owners, known=client.KNOWN, content=text, metadata=metadata)


def _figure(pattern: str, report: str) -> str:
    found = re.search(pattern, report, re.MULTILINE)
    if found is None:
        raise SystemExit(f"pgbench reported no figure:\n{report}")
    return found[1]
