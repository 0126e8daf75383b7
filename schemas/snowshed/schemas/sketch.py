"""A mergeable latency sketch with a bounded relative error.

Durations fall into buckets whose bounds grow by the factor γ = (1 + α) / (1 − α): bucket i holds
(`MIN_SECONDS`·γ^(i−1), `MIN_SECONDS`·γ^i] and answers with the point whose relative distance to both bounds is α,
2·γ^i / (γ + 1). Two sketches merge by adding counts, so the merged sketch is exactly the sketch of all the values.

C. Masson, J. E. Rim, H. K. Lee: DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees.
PVLDB 12(12), 2019.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, floor, log, nan

__all__ = [
    "BUCKETS",
    "GAMMA",
    "LOG_GAMMA",
    "MAX_SECONDS",
    "MIN_SECONDS",
    "RELATIVE_ERROR",
    "LatencySketch",
    "bounds",
    "bucket_of",
    "value_of",
]

RELATIVE_ERROR = 0.02
"""α: a quantile between `MIN_SECONDS` and `MAX_SECONDS` is at most this far from the true value, relative to it."""

MIN_SECONDS = 50e-6
"""Shorter durations count as this one: bucket 0."""

MAX_SECONDS = 120.0
"""Longer durations count as this one: the last bucket."""

GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
"""Ratio of a bucket's upper bound to its lower one."""

LOG_GAMMA = log(GAMMA)
"""A duration's bucket is ceil(log(seconds / `MIN_SECONDS`) / `LOG_GAMMA`), clamped to 0 … `BUCKETS` − 1."""

BUCKETS = ceil(log(MAX_SECONDS / MIN_SECONDS) / LOG_GAMMA) + 1
"""Number of buckets; they are numbered from 0."""

_PER_MIN = 1 / MIN_SECONDS
_PER_LOG_GAMMA = 1 / LOG_GAMMA
_LAST = BUCKETS - 1


def bucket_of(seconds: float) -> int:
    """The bucket a duration falls into; raises ValueError for NaN."""
    if seconds <= MIN_SECONDS:
        return 0
    if seconds >= MAX_SECONDS:
        return _LAST
    return ceil(log(seconds * _PER_MIN) * _PER_LOG_GAMMA)


def value_of(bucket: int) -> float:
    """The duration, in seconds, that stands for all of a bucket."""
    return MIN_SECONDS * 2 * GAMMA**bucket / (GAMMA + 1)


def bounds(bucket: int) -> tuple[float, float]:
    """The lower (exclusive) and upper (inclusive) bound of a bucket, in seconds."""
    upper = MIN_SECONDS * GAMMA**bucket
    return (0.0 if bucket == 0 else upper / GAMMA, upper)


class LatencySketch:
    """Counts durations by bucket; not safe to change from several threads at once."""

    __slots__ = ("_counts", "count", "total")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        """Durations added."""
        self.total = 0.0
        """Their sum, in seconds."""

    def add(self, seconds: float, count: int = 1) -> None:
        """Count a duration, `count` times; raises ValueError for NaN."""
        # bucket_of is repeated here because this is called for every request a process makes.
        if seconds <= MIN_SECONDS:
            bucket = 0
        elif seconds >= MAX_SECONDS:
            bucket = _LAST
        else:
            bucket = ceil(log(seconds * _PER_MIN) * _PER_LOG_GAMMA)
        self._counts[bucket] = self._counts.get(bucket, 0) + count
        self.count += count
        self.total += seconds * count

    def merge(self, other: LatencySketch) -> None:
        """Add everything another sketch has counted."""
        counts = self._counts
        for bucket, count in other._counts.items():
            counts[bucket] = counts.get(bucket, 0) + count
        self.count += other.count
        self.total += other.total

    def quantile(self, q: float) -> float:
        """The duration, in seconds, that the fraction `q` (0 to 1) of all lies at or below; NaN if there are none."""
        rank = floor(q * (self.count - 1))
        for bucket, count in self.items():
            rank -= count
            if rank < 0:
                return value_of(bucket)
        return nan

    def items(self) -> Iterable[tuple[int, int]]:
        """The buckets in use with their counts, in ascending order."""
        return sorted(self._counts.items())
