"""What is usual of a series: its median and 1.4826·MAD, learned in constant memory and frozen on demand.

The first values are kept and give both exactly. Later ones move them by a small step up or down, whatever their size:
the place where as many go up as down is the median, and an outlier counts for no more than any other value.
A baseline that goes on learning through an outage ends by taking it for normal, so the caller freezes it meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan
from statistics import median

from snowshed.streams.policy import ChangePolicy

__all__ = ["Robust", "learned"]

_CONSISTENT = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""


@dataclass(frozen=True, slots=True)
class Robust:
    """Location and scale of one series; NaN until enough has been seen."""

    location: float = nan
    deviation: float = nan
    """Median absolute deviation."""
    first: tuple[float, ...] = ()
    """The first values, while there are too few of them."""

    @property
    def known(self) -> bool:
        """Whether enough has been seen."""
        return not isnan(self.location)

    def scale(self, policy: ChangePolicy) -> float:
        """1.4826·MAD, at least a share of the location."""
        return max(_CONSISTENT * self.deviation, policy.least_scale * abs(self.location), 1e-9)

    def z(self, value: float, policy: ChangePolicy) -> float:
        """By how many standard deviations a value lies above the usual; NaN while nothing is known."""
        return (value - self.location) / self.scale(policy)


def learned(held: Robust, value: float, policy: ChangePolicy) -> Robust:
    """The baseline after one more value from a time when nothing was wrong; NaN teaches nothing."""
    if isnan(value):
        return held
    if not held.known:
        return _begun((*held.first, value), policy)
    step = policy.learning_rate * held.scale(policy)
    distance = abs(value - held.location)
    return Robust(
        held.location + (step if value > held.location else -step if value < held.location else 0.0),
        max(held.deviation + (step if distance > held.deviation else -step), 0.0),
    )


def _begun(values: tuple[float, ...], policy: ChangePolicy) -> Robust:
    if len(values) < policy.learning_windows:
        return Robust(first=values)
    middle = median(values)
    return Robust(middle, median([abs(value - middle) for value in values]))
