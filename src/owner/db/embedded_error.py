"""What the embedded server says when it can't do its work: one sentence, and Postgres' own words in a file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import SubprocessError

import psycopg

from owner.models.errors import DatabaseUnavailable


class EmbeddedServerError(DatabaseUnavailable):
    """The embedded Postgres can't run here."""

    code = "embedded_server"

    def __init__(self, problem: str, *, remedy: str, log: Path) -> None:
        super().__init__(f"The embedded Postgres {problem}: {remedy} (log: {log}).", log=str(log))
        self.log = log


@contextmanager
def explained(log: Path) -> Iterator[None]:
    """Turns what the system and the driver raise into our one sentence."""
    try:
        yield
    except (OSError, SubprocessError, psycopg.Error) as error:
        reason = " ".join(str(error).split())
        remedy = f"check who owns {log.parent}, whether its disk is full, and what the log ends with"
        raise EmbeddedServerError(f"failed with “{reason}”", remedy=remedy, log=log) from error


@contextmanager
def log_file(log: Path) -> Iterator[int]:
    """Opened to append, for our own eyes."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        yield file
    finally:
        os.close(file)
