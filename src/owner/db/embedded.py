"""The embedded Postgres: starts with the first process that needs it and stops with the last that holds it.

Three files in the home carry what is known about it, and the kernel keeps two of them true through a `kill -9`:

- `postgres.holders`: a shared lock of everybody who uses the server; whoever gets it alone is the last one
- `postgres.start`: an exclusive lock, taken by whoever starts or stops the server, or joins or leaves the holders
- `postgres.keep`: exists while the server is to stay up without holders

A fourth, the lock of `embedded_place.running_lock`, belongs to the server's own processes: while any of them
lives (a backend that outlived its postmaster, too), no second server touches the data.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, Self

from owner.db import embedded_lock as lock
from owner.db.embedded_account import Account
from owner.db.embedded_cluster import Cluster, make
from owner.db.embedded_error import EmbeddedServerError, explained
from owner.db.embedded_place import bin_dir, remember_link, remove_abandoned, running_lock
from owner.db.embedded_revival import looked_after

__all__ = ["EmbeddedServer", "EmbeddedServerError", "Role", "bin_dir"]

# The application's, the migrations', the superuser.
Role = Literal["owner_service", "owner_admin", "postgres"]

START_WITHIN = 300  # seconds; a recovery after a crash replays up to max_wal_size
STOP_WITHIN = {"fast": 60, "immediate": 15}  # seconds; the second loses nothing either, but has to recover
POLL = 0.05  # seconds


class EmbeddedServer:
    """One per home; blocking, so use it outside the event loop."""

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().absolute()
        self.log = self.home / "postgres.log"
        self._link = self.home / "postgres"
        self._holders = self.home / "postgres.holders"
        self._start = self.home / "postgres.start"
        self._keep = self.home / "postgres.keep"

    @contextmanager
    def hold(self) -> Iterator[Self]:
        """For what runs long: the server is up inside, also after it went down, and stops with its last holder."""
        with self._membership(), looked_after(self._revive):
            yield self

    @contextmanager
    def visit(self) -> Iterator[Self]:
        """For one command: the server is up inside, and afterwards as it was found."""
        with self._membership(leaves_as_found=True):
            yield self

    def start_and_leave(self) -> None:
        """Up until `stop()`, whoever comes and goes; a crash or a reboot ends that too."""
        with self._changing():
            self._start_if_down()
            self._keep.touch()

    def stop(self) -> bool:
        """Ends `start_and_leave()`. False if somebody holds the server, which then stops with the last of them."""
        if not self._link.exists():
            return True
        with self._changing(), lock.opened(self._holders) as holders:
            self._keep.unlink(missing_ok=True)
            return self._stop_if_last(holders)

    def is_running(self) -> bool:
        with explained(self.log):
            return self._link.exists() and self._cluster().answers()

    def url(self, role: Role) -> str:
        """A libpq URI for psql, psycopg and asyncpg; known once the server has been started."""
        with explained(self.log):
            return self._cluster().url(role)

    @contextmanager
    def _membership(self, *, leaves_as_found: bool = False) -> Iterator[None]:
        with ExitStack() as until_left:
            with self._changing():
                holders = until_left.enter_context(lock.opened(self._holders))
                was_orphaned = self._join(holders)
            try:
                yield
            finally:
                if not (leaves_as_found and was_orphaned):
                    with self._changing():
                        self._stop_if_last(holders)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with explained(self.log):
            self._make_home()
            with lock.exclusive(self._start):
                yield

    def _make_home(self) -> None:
        if self.home.exists():
            return
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o711 if os.geteuid() == 0 else 0o700)

    def _join(self, holders: int) -> bool:
        """Whether the server was up already, though nobody held it or had asked for that."""
        was_orphaned = not self._start_if_down() and lock.seize(holders) and not self._keep.exists()
        lock.share(holders)
        return was_orphaned

    def _start_if_down(self) -> bool:
        cluster = self._find_or_make()
        give_up_at = time.monotonic() + START_WITHIN
        with lock.opened(running_lock(cluster.data)) as running:
            while time.monotonic() < give_up_at:
                if lock.seize(running):
                    self._start_now(cluster, running)
                    return True
                if cluster.answers():
                    cluster.prepare()
                    return False
                time.sleep(POLL)
        remedy = "end the postgres processes that its log tells of, then start again"
        raise EmbeddedServerError("runs but does not answer", remedy=remedy, log=self.log)

    def _revive(self) -> bool:
        """Start the server if none of its processes lives; says whether that was so."""
        with explained(self.log), lock.opened(running_lock(self._cluster().data)) as running:
            is_down = lock.seize(running)
        if not is_down:
            return False
        with self._changing():
            return self._start_if_down()

    def _find_or_make(self) -> Cluster:
        if not (self._link / "PG_VERSION").exists():
            if self._link.is_symlink():
                remedy = f"bring back {self._link.readlink()}, or remove {self._link} to begin without data"
                raise EmbeddedServerError("has lost its data", remedy=remedy, log=self.log)
            make(self._link, log=self.log, account=Account.for_data(None))
        return self._cluster()

    def _cluster(self) -> Cluster:
        if not (self._link / "PG_VERSION").exists():
            raise EmbeddedServerError("has no data yet", remedy="start it first", log=self.log)
        data = self._link.resolve()
        return Cluster(data, self.log, Account.for_data(data))

    def _start_now(self, cluster: Cluster, running: int) -> None:
        remember_link(cluster.data, self._link)
        remove_abandoned()
        self._keep.unlink(missing_ok=True)
        cluster.start(running)
        try:
            cluster.prepare()
        except BaseException:
            cluster.ask_to_stop(mode="fast")
            raise

    def _stop_if_last(self, holders: int) -> bool:
        if not lock.seize(holders) or self._keep.exists():
            return False
        self._stop_now(self._cluster())
        return True

    def _stop_now(self, cluster: Cluster) -> None:
        with lock.opened(running_lock(cluster.data)) as running:
            for mode, within in STOP_WITHIN.items():
                give_up_at = time.monotonic() + within
                if lock.seize(running):
                    return
                cluster.ask_to_stop(mode=mode)
                while time.monotonic() < give_up_at:
                    if lock.seize(running):
                        return
                    time.sleep(POLL)
        remedy = "end the postgres processes that its log tells of"
        raise EmbeddedServerError("did not stop", remedy=remedy, log=self.log)
