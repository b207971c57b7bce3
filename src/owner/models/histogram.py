"""Durations in buckets that each are 5 % wider than the one before: a median and a p90 from a few hundred counts."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, zip_longest
from typing import Final

GROWTH: Final = 1.05
RELATIVE_ERROR: Final = 0.025  # half a bucket, rounded up; below one second it is half a second instead
LAST_BUCKET: Final = 400  # 9 years; whatever took longer counts as that
_BELOW_ONE_SECOND: Final = 0.5


def bucket_of(seconds: float) -> int:
    """Bucket 0 holds what took less than a second, bucket n what took from 1.05^(n-1) to 1.05^n seconds."""
    if seconds < 1:
        return 0
    return min(1 + math.floor(math.log(seconds, GROWTH)), LAST_BUCKET)


def seconds_of(bucket: int) -> float:
    """The duration that stands for a bucket: the middle, in which neither end is further away than the other."""
    return _BELOW_ONE_SECOND if bucket == 0 else GROWTH ** (bucket - 0.5)


def histogram_of(buckets: Sequence[int]) -> list[int]:
    """How many there are in each bucket, up to the last that has any."""
    counts = [0] * (max(buckets, default=-1) + 1)
    for bucket in buckets:
        counts[bucket] += 1
    return counts


def total_of(histograms: Sequence[Sequence[int]]) -> list[int]:
    """All of them added up, bucket by bucket."""
    if len(histograms) == 1:
        return [*histograms[0]]
    return [*map(sum, zip_longest(*histograms, fillvalue=0))]


def percentiles(counts: Sequence[int], *shares: float) -> list[float | None]:
    """For each share the duration below which so many lie, read between neighbours as spreadsheets do."""
    reached = list(accumulate(counts))
    total = reached[-1] if reached else 0
    return [_percentile(reached, (total - 1) * share) if total else None for share in shares]


def _percentile(reached: Sequence[int], position: float) -> float:
    below = math.floor(position)
    low = seconds_of(bisect_right(reached, below))
    high = seconds_of(bisect_right(reached, min(below + 1, reached[-1] - 1)))
    return low + (high - low) * (position - below)
