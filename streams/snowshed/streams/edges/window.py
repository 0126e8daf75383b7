"""A closed window of one edge."""

from __future__ import annotations

from math import nan
from typing import NamedTuple

__all__ = ["EdgeWindow"]


class EdgeWindow(NamedTuple):
    """Counts over `span` seconds of one edge, in the names of `EdgeObservations`."""

    caller: str
    callee: str
    span: float
    reporters: float
    first: float
    attempts: float
    ok: float
    error_local: float
    error_downstream: float
    rejected: float
    timeout: float
    in_flight_max: float
    queue_delay_mean: float
    queue_delay_max: float
    p50: float
    p90: float
    p99: float
    completions: float = nan
    """Successes as the callee counts them, also those too late for their caller; NaN where only callers report."""
    cache_hits: float = nan
    """Requests that a cache in front of the callee answered; NaN where nobody counts them."""

    @property
    def amplification(self) -> float:
        """Attempts per first attempt, A/F; a window of retries alone counts one first attempt."""
        return self.attempts / max(self.first, 1.0)

    @property
    def ok_ratio(self) -> float:
        """Successes per attempt that was let through; NaN without one.

        Calls that a brake refused say nothing of the callee, and would keep the brake closed if they counted.
        """
        admitted = self.attempts - self.rejected
        return self.ok / admitted if admitted > 0.0 else nan
