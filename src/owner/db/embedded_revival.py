"""Looks after the embedded server while it is held: one that went down is started again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from owner.db.embedded_error import EmbeddedServerError
from owner.logs import get_logger

log = get_logger(__name__)

LOOK_EVERY: Final = 1.0  # seconds
TRY_AGAIN_AFTER: Final = 5.0  # seconds; a disk that is full seldom has room at once


@contextmanager
def looked_after(revive: Callable[[], bool]) -> Iterator[None]:
    """Call `revive`, which says whether it had to start the server, again and again while inside.

    Postgres gets up by itself after most crashes, but not where the disk is too full to recover, nor after its first
    process was killed: all who hold the server would wait for somebody to start one of them anew.
    """
    is_over = threading.Event()
    keeper = threading.Thread(
        target=_look, args=(revive, is_over), name="embedded-server-keeper", daemon=True
    )
    keeper.start()
    try:
        yield
    finally:
        is_over.set()
        keeper.join()


def _look(revive: Callable[[], bool], is_over: threading.Event) -> None:
    pause = LOOK_EVERY
    while not is_over.wait(pause):
        pause = LOOK_EVERY
        try:
            if revive():
                log.warning("embedded_server_started_again")
        except EmbeddedServerError as problem:
            log.error("embedded_server_down", problem=problem.code, log=problem.log.as_posix())  # noqa: TRY400 - the log says more
            pause = TRY_AGAIN_AFTER
