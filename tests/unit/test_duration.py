"""Durations as people and programs write them."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from owner.models.duration import LONGEST, GraceDuration, LimitDuration, iso_duration

LIMIT: TypeAdapter[timedelta] = TypeAdapter(LimitDuration)
GRACE: TypeAdapter[timedelta] = TypeAdapter(GraceDuration)


def pattern_of(kind: TypeAdapter[timedelta]) -> str:
    pattern: str = kind.json_schema()["anyOf"][0]["pattern"]
    return pattern


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("PT24H", timedelta(days=1)),
        ("P1D", timedelta(days=1)),
        ("P1DT12H", timedelta(hours=36)),
        ("PT90M", timedelta(minutes=90)),
        ("PT1H30M5S", timedelta(hours=1, minutes=30, seconds=5)),
        ("PT60S", timedelta(minutes=1)),
        (1440, timedelta(days=1)),
        (90.0, timedelta(minutes=90)),
    ],
)
def test_iso_8601_and_whole_minutes_are_read(written: Any, meant: timedelta) -> None:
    assert LIMIT.validate_python(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "", "P", "PT", "24:00:00", "1 day", "P1M", "P1Y", "P1W", "-PT1H", "PT1.5H", "PT59S", "PT0H", "P0D", "P1DT",
        "PT٣H", "PT1H\n", 0, 60.5, -60, 10**12, float("nan"), float("inf"), True, None, [], {},
    ],
)  # fmt: skip
def test_what_is_no_duration_from_a_minute_up_is_refused(written: Any) -> None:
    with pytest.raises(ValidationError):
        LIMIT.validate_python(written)


@pytest.mark.parametrize(
    ("written", "seconds"), [("PT0S", 0), (0, 0), ("PT10M", 600), (10, 600), ("P7D", 604_800)]
)
def test_a_grace_period_may_be_nought_and_last_a_week(written: Any, seconds: int) -> None:
    assert GRACE.validate_python(written) == timedelta(seconds=seconds)


@given(st.from_regex(pattern_of(LIMIT), fullmatch=True))
def test_whatever_the_described_pattern_allows_is_taken(written: str) -> None:
    assert timedelta(minutes=1) <= LIMIT.validate_python(written.rstrip("\n")) <= LONGEST


@given(st.from_regex(pattern_of(GRACE), fullmatch=True))
def test_whatever_the_pattern_of_a_grace_period_allows_is_taken(written: str) -> None:
    assert timedelta(0) <= GRACE.validate_python(written.rstrip("\n")) <= timedelta(days=9)


@given(st.integers(min_value=60, max_value=int(LONGEST.total_seconds())))
def test_what_is_shown_is_read_as_the_same(seconds: int) -> None:
    shown = iso_duration(timedelta(seconds=seconds))

    assert LIMIT.validate_python(shown) == timedelta(seconds=seconds)


@given(st.integers(min_value=0, max_value=604_800))
def test_a_grace_period_that_is_shown_is_read_as_the_same(seconds: int) -> None:
    assert GRACE.validate_python(iso_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)
