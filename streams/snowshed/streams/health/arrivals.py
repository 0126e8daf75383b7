"""How late is too late: the φ-accrual failure detector (Hayashibara et al., SRDS 2004) over normal intervals.

φ(Δ) = −log10(1 − F(Δ)), where Δ is the time since the last beat and F the normal distribution of the intervals learned.
φ = 5 says that a live node stays silent this long once in 10⁵ intervals; it is reached at Δ = μ + 4.265 σ.

Mean and variance are exponentially weighted (West 1979) instead of taken over a list of samples: the same memory of
about 200 intervals in three numbers a node.
"""

from __future__ import annotations

from math import erfc, log10, sqrt
from statistics import NormalDist

from snowshed.streams.policy import HealthPolicy

__all__ = ["LARGEST_PHI", "deviation", "learn", "quantile", "suspicion"]

LARGEST_PHI = 300.0
"""Cap of φ, just inside the smallest double."""


def learn(mean: float, variance: float, count: float, sample: float, window: float) -> tuple[float, float, float]:
    """Mean, variance and count after one more interval; the first samples weigh alike, later ones 2/(window + 1)."""
    count = min(count + 1.0, window)
    weight = max(1.0 / (count + 1.0), 2.0 / (window + 1.0))
    difference = sample - mean
    step = weight * difference
    return mean + step, (1.0 - weight) * (variance + difference * step), count


def deviation(mean: float, variance: float, policy: HealthPolicy) -> float:
    """Deviation with its floors: σ = max(σ̂, 0.1·μ, 50 ms) by default."""
    return max(sqrt(variance), policy.relative_deviation * mean, policy.minimum_deviation)


def suspicion(elapsed: float, mean: float, sigma: float) -> float:
    """φ of a silence of `elapsed` seconds."""
    tail = 0.5 * erfc((elapsed - mean) / (sigma * sqrt(2.0)))
    return min(abs(log10(tail)), LARGEST_PHI) if tail > 0.0 else LARGEST_PHI


def quantile(phi: float) -> float:
    """Standard deviations past the mean at which φ is reached: 4.265 for φ = 5."""
    return NormalDist().inv_cdf(1.0 - 10.0**-phi)
