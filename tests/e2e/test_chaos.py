"""`make chaos` in small: whatever is killed, cut, paused or refused, the books balance in the end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.timeout(600)
def test_nothing_is_lost_or_doubled_in_twenty_seconds_of_kills_and_misfortunes() -> None:
    _runs("--seconds=20", "--seed=5", "--kill-every=3", "--webhooks=25", "--sends=5", "--servers=1")


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_nothing_is_lost_or_doubled_in_two_minutes() -> None:
    _runs("--seconds=120", "--kill-every=4", "--webhooks=60", "--sends=10")


def _runs(*options: str) -> None:
    """As somebody runs it; the last lines of what it printed are the books."""
    run = subprocess.run(
        [sys.executable, "-m", "chaos", *options],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert "BROKEN" not in run.stdout
