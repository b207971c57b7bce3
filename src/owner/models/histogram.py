"""Durations in buckets that each are 5 % wider than the one before: a median and a p90 from a few hundred counts."""

import math
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


def add(one: Sequence[int], other: Sequence[int]) -> list[int]:
    return [mine + theirs for mine, theirs in zip_longest(one, other, fillvalue=0)]


def percentile(counts: Sequence[int], share: float) -> float | None:
    """The duration below which `share` of them lie, read between neighbours as spreadsheets do; None without any."""
    total = sum(counts)
    if total == 0:
        return None
    position = (total - 1) * share
    below = math.floor(position)
    reached = list(accumulate(counts))
    low = seconds_of(_bucket_at(reached, below))
    high = seconds_of(_bucket_at(reached, min(below + 1, total - 1)))
    return low + (high - low) * (position - below)


def _bucket_at(reached: Sequence[int], place: int) -> int:
    return next(bucket for bucket, up_to in enumerate(reached) if place < up_to)
