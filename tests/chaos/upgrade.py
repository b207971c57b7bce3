"""A rolling upgrade under load, to two later versions made of this one: one expands the schema, one contracts it."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import owner
from chaos.books import Line
from chaos.processes import Supervised
from chaos.world import World
from owner.db.revisions import head_revision

EXPAND, CONTRACT = "9001", "9002"
TRY_AGAIN_AFTER: Final = 1.0  # seconds
TRIES: Final = 60
REVISION = '''"""What a later version of the product does to the schema."""

from owner.db.revision import run_sql

revision = "{revision}"
down_revision = "{former}"
serves = "{serves}"


def upgrade() -> None:
    run_sql(__file__, "up")


def downgrade() -> None:
    run_sql(__file__, "down")
'''
# Columns on the busiest tables, with a default and without one, an index and a table: what a version adds.
EXPANSION = """
SET LOCAL lock_timeout = '5s';
ALTER TABLE conversations ADD COLUMN mood text;
ALTER TABLE messages ADD COLUMN is_starred boolean NOT NULL DEFAULT false;
ALTER TABLE contacts ADD COLUMN mood text;
ALTER TABLE events ADD COLUMN weight integer;
ALTER TABLE webhook_deliveries ADD COLUMN mood text;
CREATE TABLE moods (owner_id bigint NOT NULL REFERENCES owners, mood text NOT NULL, PRIMARY KEY (owner_id, mood));
CALL make_tenant_table('moods');
"""
CONTRACTION = """
SET LOCAL lock_timeout = '5s';
ALTER TABLE contacts DROP COLUMN mood;
ALTER TABLE webhook_deliveries DROP COLUMN mood;
DROP TABLE moods;
"""


@dataclass
class Upgrade:
    """What an operator does who installs two later versions, one process after the other, while everything goes on."""

    world: World
    steps: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    async def run(self, seconds: float) -> None:
        """Expand early, restart everything in the middle, contract late, restart a half."""
        expanding, contracting = await asyncio.to_thread(_versions, self.world.folder)
        await asyncio.sleep(seconds * 0.25)
        await self._migrate(expanding, "expanded while all processes are of the version before")
        await asyncio.sleep(seconds * 0.15)
        await self._roll(expanding, self.world.processes)
        await asyncio.sleep(seconds * 0.15)
        await self._migrate(contracting, "contracted while all processes are of the version before")
        if await _run("doctor", env=self.world.env, log=self._log) == 0:
            self.problems.append("the first version does not refuse a schema that serves it no more")
        await self._roll(contracting, self.world.processes[::2])

    @property
    def line(self) -> Line:
        return Line("versions run side by side during migrations", "; ".join(self.steps), self.problems)

    @property
    def _log(self) -> Path:
        return self.world.folder / "logs" / "migrate.log"

    async def _migrate(self, version: Path, step: str) -> None:
        """`owner migrate`, as often as it takes while the database comes and goes."""
        self.steps.append(step)
        env = {**self.world.env, **_of(version), "OWNER_ADMIN_DATABASE_URL": self.world.admin_url}
        for _ in range(TRIES):
            if await _run("migrate", env=env, log=self._log) == 0:
                return
            await asyncio.sleep(TRY_AGAIN_AFTER)
        self.problems.append(f"not {step}")

    async def _roll(self, version: Path, processes: Sequence[Supervised]) -> None:
        self.steps.append(f"{len(processes)} processes restarted in turn")
        for process in processes:
            await process.restart(_of(version))


async def _run(*arguments: str, env: Mapping[str, str], log: Path) -> int:
    """Its exit code."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("OWNER_")}
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "owner", *arguments),
            env={**outside, **env},
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return await process.wait()


def _of(version: Path) -> dict[str, str]:
    """What makes a process be of a version."""
    return {"PYTHONPATH": str(version)}


def _versions(folder: Path) -> tuple[Path, Path]:
    """The version that expands, whose revision serves the present one; and the one that takes away what no longer serves."""
    nearer, farther = _copy(folder / "expanding"), _copy(folder / "contracting")
    for version in (nearer, farther):
        _add(version, EXPAND, EXPANSION, former=head_revision(), serves=head_revision())
    _add(farther, CONTRACT, CONTRACTION, former=EXPAND, serves=EXPAND)
    return nearer, farther


def _copy(folder: Path) -> Path:
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(owner.__file__).parent, folder / "owner", ignore=without)
    return folder


def _add(version: Path, revision: str, script: str, *, former: str, serves: str) -> None:
    versions = version / "owner" / "db" / "migrations" / "versions"
    described = REVISION.format(revision=revision, former=former, serves=serves)
    (versions / f"{revision}_chaos.py").write_text(described)
    (versions / f"{revision}_chaos.up.sql").write_text(script)
    (versions / f"{revision}_chaos.down.sql").write_text("")
