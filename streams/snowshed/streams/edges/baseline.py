"""What an edge is like when nothing is wrong, learned only then.

First rate, success ratio and p90 are exponentially weighted. A window with few calls teaches in proportion to them, one
far off the known value teaches no more than half or double of it, and an anomalous one teaches nothing: a baseline that
goes on learning through an outage ends by taking it for normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan

from snowshed.streams.policy import EdgePolicy

__all__ = ["Baseline", "learned", "usual"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Learned normal values of one edge."""

    first_rate: float = nan
    ok_ratio: float = nan
    p90: float = nan
    weight: float = 0.0
    """Windows' worth of traffic learned, at most `learning_windows`."""


def usual(baseline: Baseline, policy: EdgePolicy) -> Baseline:
    """The baseline, or one without values while too little has been seen."""
    return baseline if baseline.weight >= policy.learning_windows else Baseline()


def learned(
    baseline: Baseline, *, first_rate: float, ok_ratio: float, p90: float, attempts: float, policy: EdgePolicy
) -> Baseline:
    """The baseline after one more window of sound traffic."""
    share = min(attempts / policy.minimum_attempts, 1.0)
    if share <= 0.0:
        return baseline
    total = baseline.weight + share
    believed = baseline.weight >= policy.learning_windows
    rate = share * policy.learning_rate if believed else share / total
    return Baseline(
        _moved(baseline.first_rate, first_rate, rate, believed),
        _moved(baseline.ok_ratio, ok_ratio, rate, believed),
        _moved(baseline.p90, p90, rate, believed),
        min(total, float(policy.learning_windows)),
    )


def _moved(old: float, new: float, rate: float, believed: bool) -> float:
    if isnan(new):
        return old
    if isnan(old):
        return new
    bounded = min(max(new, old / 2), old * 2) if believed else new
    return old + rate * (bounded - old)
