"""The time by which claims, expiry and retries are written and compared."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from structlog.testing import capture_logs

from owner.db.database import Database
from owner.services.clock import SteadyClock

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Stopwatch:
    """A clock of the machine that nobody can set."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class DatabaseClock:
    """A database's clock, and how long its answer takes there and back."""

    def __init__(self, watch: Stopwatch) -> None:
        self.watch, self.time, self.way = watch, NOON, 0.2

    async def moment(self) -> datetime:
        self.watch.seconds += self.way
        return self.time


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def source(watch: Stopwatch) -> DatabaseClock:
    return DatabaseClock(watch)


@pytest.fixture
def clock(watch: Stopwatch) -> SteadyClock:
    return SteadyClock(seconds=watch)


async def ask(clock: SteadyClock, source: DatabaseClock) -> None:
    await clock.ask(cast("Database", source))


async def test_it_is_the_databases_time_whatever_the_machines_clock_says(
    clock: SteadyClock, source: DatabaseClock, watch: Stopwatch
) -> None:
    await ask(clock, source)
    watch.seconds += 30

    assert clock.now() == NOON + timedelta(seconds=30.1)


async def test_two_processes_whose_machines_differ_by_an_hour_have_one_time(source: DatabaseClock) -> None:
    watches = Stopwatch(), Stopwatch()
    watches[1].seconds += 3600
    clocks = [SteadyClock(seconds=watch) for watch in watches]
    source.way = 0.0

    for clock in clocks:
        await ask(clock, source)

    assert clocks[0].now() == clocks[1].now() == NOON


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_database_whose_clock_is_set_is_followed_and_told_of(
    clock: SteadyClock, source: DatabaseClock, hours: int
) -> None:
    source.way = 0.0
    await ask(clock, source)
    source.time += timedelta(hours=hours)

    with capture_logs() as logs:
        await ask(clock, source)

    assert clock.now() == NOON + timedelta(hours=hours)
    assert [(log["event"], log["seconds"]) for log in logs] == [("clock_jumped", hours * 3600.0)]


async def test_an_answer_that_was_long_on_its_way_tells_nothing(
    clock: SteadyClock, source: DatabaseClock, watch: Stopwatch
) -> None:
    source.way = 0.0
    await ask(clock, source)
    source.way, source.time = 5.0, NOON + timedelta(hours=1)

    await ask(clock, source)

    assert clock.now() == NOON + timedelta(seconds=5)
