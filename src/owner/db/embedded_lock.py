"""File locks that the kernel releases when their holders die, however they die."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A lock file, not locked yet; closing it lets go of whatever was taken."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        yield lock
    finally:
        os.close(lock)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """One process at a time is in the block; the others wait."""
    with opened(path) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def share(lock: int) -> None:
    fcntl.flock(lock, fcntl.LOCK_SH)


def seize(lock: int) -> bool:
    """Whether nobody else had it, in which case it is now ours alone; if not, our share is gone too."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
