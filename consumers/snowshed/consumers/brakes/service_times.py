"""How long calls have taken lately; pure."""

from __future__ import annotations

from snowshed.consumers.brakes.sampling import SampledSketch
from snowshed.schemas.sketch import LatencySketch

__all__ = ["ENOUGH", "ServiceTimes"]

ENOUGH = 50
"""Calls after which quantiles are known; with fewer they say nothing."""
_REFRESH = 1.0


class ServiceTimes:
    """The mean, the median and the 99th percentile of the last one to two windows, brought up to date each second.

    What is not renewed is forgotten after two windows, so a brake that refuses everything by it asks again.

    Args:
        window: seconds.
        now: the present, in seconds of the same clock as every later `now`.
    """

    __slots__ = ("_latest", "_newer", "_older", "_refresh_at", "_turn_at", "_window", "add", "mean", "median", "p99")

    def __init__(self, window: float, now: float) -> None:
        self._window = window
        self._older = LatencySketch()
        self._newer = LatencySketch()
        self._latest = SampledSketch()
        self.add = self._latest.add
        """Counts the seconds that a call has taken."""
        self._turn_at = now + window
        self._refresh_at = now + _REFRESH
        self.mean: float | None = None
        """Seconds; None while too few calls are known."""
        self.median: float | None = None
        """Seconds; None while too few calls are known."""
        self.p99: float | None = None
        """Seconds; None while too few calls are known."""

    def roll(self, now: float) -> bool:
        """Brings the quantiles up to date; says whether they were due. To be called several times a second."""
        if now < self._refresh_at:
            return False
        self._refresh_at = now + _REFRESH
        self._newer.merge(self._latest.renew())
        if now >= self._turn_at:
            self._turn(now)
        both = LatencySketch()
        both.merge(self._older)
        both.merge(self._newer)
        known = both.count >= ENOUGH
        self.mean = both.total / both.count if known else None
        self.median = both.quantile(0.5) if known else None
        self.p99 = both.quantile(0.99) if known else None
        return True

    def _turn(self, now: float) -> None:
        missed = now - self._turn_at >= self._window
        self._older = LatencySketch() if missed else self._newer
        self._newer = LatencySketch()
        self._turn_at = now + self._window
