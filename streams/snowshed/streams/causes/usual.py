"""What is usual of many series at once, and how far out of it each of them usually wanders.

A series' distance from its median, in robust deviations, says little where it wanders: a random walk, a sawtooth or a
heavy tail is far out every few minutes. So each series is held against the distances that it had itself while nothing
was wrong, a median of a few intervals against such medians. What is never negative is taken by its logarithm, counters
that only grow by what they grow, and what follows the requests by what they leave of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nan

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from snowshed.streams.causes.history import Flags, Floats

__all__ = ["Usual", "columns_quantile", "learned", "reach", "running_medians", "together"]

_RELATIVE = 0.05
"""Least deviation, as a share of the median: a ripple never rings."""
_TAIL = 0.9
_RARE = 4.0
"""Mean exceedances beyond the 90 % quantile that a series alone reaches about once in five hundred intervals."""
_LEAST = 3.0
"""Deviations within which nothing counts, however calm the series has been."""
_FOLLOWS = 0.6
"""Correlation with the requests from which a series is judged by what they leave of it."""
_MANY = 12
"""Gauges of which one or two alone may tell something; of more it must be more than one in so many."""
_BASE = 0.2
"""Of the median: what is much smaller is as good as nothing, so that its logarithm stays in bounds."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual of each column; NaN where nothing is known."""

    grows: Flags
    """Counters, of which the steps tell something."""
    base: Floats
    """What is added before the logarithm is taken; NaN where it is not taken."""
    requests_base: float
    slope: Floats
    """By how much it goes with the logarithm of the requests."""
    middle: Floats
    scale: Floats

    def values(self, rows: Floats, before: Floats, requests: Floats) -> Floats:
        """What is judged of rows, each with the one before it and its requests."""
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where(self.grows, _grown(rows - before), rows)
            values = np.where(np.isnan(self.base), values, np.log1p(np.maximum(values, 0.0) / self.base))
            if self.requests_base > 0.0:
                beyond = np.log1p(np.maximum(requests, 0.0) / self.requests_base) - np.log1p(1.0 / _BASE)
                values = values - np.nan_to_num(beyond)[:, None] * self.slope
        return values

    def away(self, values: Floats) -> Floats:
        """How many deviations above or below the usual."""
        with np.errstate(invalid="ignore"):
            return np.asarray((values - self.middle) / self.scale)


def learned(rows: Floats, requests: Floats, fewest: int) -> Usual:
    """What is usual of rows in which nothing was wrong.

    Args:
        rows: one an interval, one column a series.
        requests: by interval.
        fewest: measured intervals before anything is known of a column.
    """
    count = rows.shape[1]
    nothing = np.zeros((5, count), dtype=np.float64)
    raw = Usual(_grows(rows), nothing[0] + nan, 0.0, nothing[1], nothing[2], nothing[3])
    before = np.vstack([np.full((1, count), nan), rows[:-1]])
    base = _logarithm_base(raw.values(rows, before, requests))
    there = np.isfinite(requests)
    middle = float(np.median(requests[there])) if np.count_nonzero(there) >= fewest else 0.0
    usual = replace(raw, base=base, requests_base=_BASE * middle)
    if middle > 0.0:
        load = np.log1p(np.maximum(requests, 0.0) / usual.requests_base) - np.log1p(1.0 / _BASE)
        slope = _slopes(np.nan_to_num(load), usual.values(rows, before, requests))
        usual = replace(usual, slope=slope)
    values = usual.values(rows, before, requests)
    centre = columns_quantile(values, 0.5)
    with np.errstate(invalid="ignore"):
        spread = 1.4826 * columns_quantile(np.abs(values - centre), 0.5)
    least = _RELATIVE * np.where(np.isnan(base), np.abs(centre), 1.0)
    scale: Floats = np.maximum(np.maximum(spread, least), 1e-9)
    scale[np.isfinite(values).sum(axis=0) < fewest] = nan
    return replace(usual, middle=centre, scale=scale)


def reach(away: Floats) -> Floats:
    """How far out each column gets by itself: its tail is taken to be exponential."""
    away = np.abs(away)
    start = columns_quantile(away, _TAIL)
    with np.errstate(invalid="ignore"):
        beyond = np.where(away >= start, away - start, 0.0).sum(axis=0)
        mean = beyond / np.maximum((away >= start).sum(axis=0), 1)
    return np.asarray(np.maximum(start + _RARE * mean, _LEAST))


def together(ratios: Floats) -> float:
    """How far out many gauges are, from the farthest down: the fewer agree, the farther out they must be."""
    if ratios.size <= _MANY:
        return float(max(ratios[0] / 2.0, ratios[min(1, ratios.size - 1)] / 1.3 if ratios.size > 1 else 0.0))
    share = ratios.size // _MANY
    return float(max(ratios[share], ratios[share // 2 + 1] / 1.5))


def running_medians(values: Floats, over: int) -> Floats:
    """By row, the median of the last so many rows; the first rows of fewer."""
    padded = np.vstack([np.full((over - 1, values.shape[1]), nan), values])
    return _quantile(sliding_window_view(padded, over, axis=0), 0.5)


def columns_quantile(values: Floats, share: float) -> Floats:
    """A quantile of each column's measured values, a value that stands there; NaN where none does."""
    return _quantile(values.T, share)


def _grows(rows: Floats) -> Flags:
    """Which columns only grow, again and again."""
    steps = np.diff(rows, axis=0)
    up, down = (steps > 0.0).sum(axis=0), (steps < 0.0).sum(axis=0)
    return np.asarray((down <= up // 100) & (up >= np.maximum(steps.shape[0] // 5, 5)))


def _grown(steps: Floats) -> Floats:
    return np.where(steps < 0.0, nan, steps)


def _logarithm_base(values: Floats) -> Floats:
    lowest, middle = columns_quantile(values, 0.0), columns_quantile(values, 0.5)
    return np.where((lowest >= 0.0) & (middle > 0.0), _BASE * middle, nan)


def _slopes(load: Floats, values: Floats) -> Floats:
    found = np.nan_to_num(values - columns_quantile(values, 0.5))
    square = max(float((load**2).sum()), 1e-12)
    together = load @ found
    follows = np.abs(together) > _FOLLOWS * np.sqrt(square * (found**2).sum(axis=0) + 1e-12)
    return np.where(follows, together / square, 0.0)


def _quantile(values: Floats, share: float) -> Floats:
    """Along the last axis."""
    ordered = np.sort(values, axis=-1)
    count = np.isfinite(ordered).sum(axis=-1)
    at = np.clip((share * (count - 1)).astype(np.int64), 0, max(ordered.shape[-1] - 1, 0))
    return np.where(count > 0, np.take_along_axis(ordered, at[..., None], axis=-1)[..., 0], nan)
