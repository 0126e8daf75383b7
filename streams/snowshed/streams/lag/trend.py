"""Whether a series grows: the slope by Theil and Sen, its significance by Mann and Kendall."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan, sqrt
from typing import NamedTuple

import numpy as np

__all__ = ["Trend", "trend"]


class Trend(NamedTuple):
    """How a series moves."""

    slope: float
    """Median of the slopes of all pairs of samples; NaN for fewer than two."""
    z: float
    """Mann and Kendall's statistic, standard normal without a trend; positive for growth."""


def trend(samples: Sequence[tuple[float, float]]) -> Trend:
    """The trend of (time, value) samples; one outlier, or a quarter of them, does not move it."""
    if len(samples) < 2:
        return Trend(nan, 0.0)
    times, values = np.array(samples, np.float64).T
    left, right = np.triu_indices(len(samples), 1)
    rises, spans = values[right] - values[left], times[right] - times[left]
    slope = float(np.median(rises[spans > 0] / spans[spans > 0])) if np.any(spans > 0) else nan
    n = len(samples)
    return Trend(slope, float(np.sign(rises).sum()) / sqrt(n * (n - 1) * (2 * n + 5) / 18))
