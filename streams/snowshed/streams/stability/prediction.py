"""Who fails next: callers of a failing service whose calls in flight are about to reach their limit.

A caller that waits for a slow callee holds one of its own slots meanwhile. The time left is what remains to the limit
divided by the trend of the calls in flight; a caller that already is at the limit has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan

from snowshed.streams.policy import CascadePolicy
from snowshed.streams.stability.change import trend

__all__ = ["Prediction", "predicted"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A service that will fail if nothing is done."""

    service: str
    share: float
    """Calls in flight as a share of the limit."""
    left: float
    """Seconds until the limit; infinite while they do not grow."""


def predicted(
    service: str, samples: Sequence[tuple[float, float]], limit: float, policy: CascadePolicy
) -> Prediction | None:
    """The prediction for one caller, or None while it is out of danger.

    Args:
        service: its name.
        samples: time and calls in flight, oldest first.
        limit: calls that it can hold at once; NaN where nobody knows, and then nothing is predicted.
        policy: the share of the limit that is dangerous, and how far ahead is worth telling.
    """
    if not samples or isnan(limit) or limit <= 0.0:
        return None
    share = samples[-1][1] / limit
    slope = trend([at for at, _ in samples], [value for _, value in samples])
    left = 0.0 if share >= 1.0 else (limit - samples[-1][1]) / slope if slope > 0.0 else inf
    if share > policy.in_flight_share or left <= policy.horizon:
        return Prediction(service, share, left)
    return None
