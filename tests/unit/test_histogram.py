"""Median and p90 from counts of buckets."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owner.models.histogram import (
    LAST_BUCKET,
    RELATIVE_ERROR,
    bucket_of,
    histogram_of,
    percentiles,
    seconds_of,
    total_of,
)

durations = st.floats(min_value=0, max_value=366 * 86_400)
many = st.lists(durations, min_size=1, max_size=50)


@given(durations)
def test_a_bucket_stands_for_what_is_in_it(seconds: float) -> None:
    shown = seconds_of(bucket_of(seconds))

    assert shown == pytest.approx(seconds, rel=RELATIVE_ERROR, abs=0.5)


@given(durations, durations)
def test_what_takes_longer_is_in_no_earlier_bucket(one: float, other: float) -> None:
    assert bucket_of(min(one, other)) <= bucket_of(max(one, other))


@given(many)
def test_the_median_is_near_the_true_one(seconds: list[float]) -> None:
    counts = histogram_of([bucket_of(one) for one in seconds])

    [median] = percentiles(counts, 0.5)
    assert median == pytest.approx(statistics.median(seconds), rel=RELATIVE_ERROR, abs=0.5)


@given(st.lists(many, max_size=4))
def test_histograms_together_are_that_of_all(parts: list[list[float]]) -> None:
    apart = [histogram_of([bucket_of(seconds) for seconds in part]) for part in parts]

    assert total_of(apart) == histogram_of([bucket_of(seconds) for part in parts for seconds in part])


def test_of_nothing_there_is_no_median() -> None:
    assert percentiles([], 0.5, 0.9) == [None, None]
    assert percentiles([0, 0], 0.9) == [None]


def test_whatever_took_years_has_the_last_bucket() -> None:
    assert bucket_of(1e18) == LAST_BUCKET
