"""Change points: the CUSUM of Page (1954), and the trend of Theil (1950) and Sen (1968).

The CUSUM adds up by how much each standardised value exceeds a drift, and alarms at a threshold: S ← max(0, S + z − k).
In control, with k = 0.5 and h = 8, it alarms once in about 19 000 windows where z is normal;
`tests/benchmarks/stability.py` simulates it, also for baselines that had to be learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan, nan
from statistics import median

from snowshed.streams.policy import ChangePolicy

__all__ = ["Cusum", "summed", "trend"]


@dataclass(frozen=True, slots=True)
class Cusum:
    """Where the sum of one series stands."""

    total: float = 0.0
    since: float = 0.0
    """When the sum was last zero, which estimates when the change began; 0 while it is zero."""

    def alarms(self, policy: ChangePolicy) -> bool:
        """Whether the series has changed."""
        return self.total >= policy.threshold


_RESTING = Cusum()


def summed(held: Cusum, z: float, at: float, policy: ChangePolicy) -> Cusum:
    """The sum after one more standardised value; NaN leaves it as it is.

    It stops at twice the threshold, so that a long change is forgotten as fast as a short one.
    """
    if isnan(z):
        return held
    total = min(held.total + z - policy.drift, 2.0 * policy.threshold)
    return Cusum(total, held.since or at) if total > 0.0 else _RESTING


def trend(times: Sequence[float], values: Sequence[float]) -> float:
    """The median of the slopes of all pairs, per unit of time; NaN for fewer than two different times."""
    points = zip(times, values, strict=True)
    slopes = [(one[1] - other[1]) / (one[0] - other[0]) for other, one in combinations(points, 2) if one[0] != other[0]]
    return median(slopes) if slopes else nan
