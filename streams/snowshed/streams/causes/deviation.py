"""How far out of its usual life a component is, and how far is too far.

A series is compared with its median and median absolute deviation. A component is as far out as the mean of its most
deviating series, so that one noisy gauge among two hundred does not ring. The threshold follows from how far out it has
been while nothing was wrong: the tail beyond the 90 % quantile is taken to be exponential, and the threshold is where
chance alone leads about once a day over all components (peaks over threshold: Siffer et al., KDD 2017). An interval in
which nothing completes has no latency; there it is the missing completions that are judged, never a latency of zero.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import isfinite, log, nan, sqrt

import numpy as np

from snowshed.streams.causes.history import Floats
from snowshed.streams.causes.intervals import Sample

__all__ = ["AlarmPolicy", "Component", "Reading", "Whole", "values_of"]

_TAIL = 0.9
_GONE = 0.2
"""Share of the usual requests below which completions are missing (design value; DBSherlock's stalls fall below)."""
_FEW = 20.0
"""Requests an interval below which none at all may be chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmPolicy:
    """When to ring; proposals without published authority, chosen before any labelled stream was looked at."""

    window: int = 300
    """Intervals remembered."""
    learning: int = 20
    """Intervals before the first alarm."""
    least: float = 4.0
    """Deviation below which two intervals running do not ring."""
    at_once: float = 8.0
    """Deviation below which one interval does not ring."""
    false_alarms: float = 1.0
    """A day, by chance, over all components."""
    time_share: float = 0.05
    """Of all time spent at the busiest component: less than that much more is nobody's trouble."""
    failure_share: float = 0.005
    """Of all requests of the busiest component: fewer failures more are nobody's trouble."""
    calm: int = 5
    """Quiet intervals that end an incident."""
    relearn: int = 120
    """Intervals after which what is new has become usual."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How far out a component is now."""

    deviation: float
    metric: str
    twice: float
    """Threshold that two intervals running must pass."""
    once: float
    """Threshold for one interval alone."""
    matters: bool = False
    """Whether it is enough time or enough failures to trouble anybody."""

    @property
    def over(self) -> bool:
        """Whether it is too far, if it stays so."""
        return self.matters and self.deviation > self.twice


@dataclass(frozen=True, slots=True)
class Whole:
    """The busiest component's usual interval."""

    time: float
    requests: float


@dataclass(slots=True)
class Component:
    """One component's series and how far out it has been."""

    policy: AlarmPolicy
    series: dict[str, deque[float]] = field(default_factory=dict[str, "deque[float]"])
    usual: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    """Median and scale by series."""
    heights: deque[float] = field(default_factory=deque[float])
    seen: int = 0
    over_since: float = nan

    def read(self, values: dict[str, float], chances: float, whole: Whole) -> Reading:
        """Compare with the usual, of which `chances` intervals happen between two false alarms."""
        away = sorted(((self._away(name, value), name) for name, value in values.items()), reverse=True)
        if self.seen < self.policy.learning or not away:
            return Reading(0.0, "", self.policy.least, self.policy.at_once)
        # Two of few series, one in twenty of many.
        count = min(len(away), max(1 + (len(away) > 3), len(away) // 20))
        twice, once = self._thresholds(chances)
        matters = any(self._matters(name, values, whole) for _, name in away[:count])
        return Reading(sum(height for height, _ in away[:count]) / count, away[0][1], twice, once, matters)

    def _thresholds(self, chances: float) -> tuple[float, float]:
        if len(self.heights) < self.policy.learning:
            return 2.0 * self.policy.least, 2.0 * self.policy.at_once
        heights = np.array(self.heights)
        start = float(np.quantile(heights, _TAIL))
        mean = float((heights[heights >= start] - start).mean())
        # Twice running is as rare as the square of once.
        once = start + mean * log((1.0 - _TAIL) * chances)
        twice = start + mean * log((1.0 - _TAIL) * sqrt(chances))
        return max(twice, self.policy.least), max(once, self.policy.at_once)

    @property
    def volume(self) -> Whole:
        """Time spent and requests in a usual interval."""
        requests, latency = self.usual.get("requests", (0.0, 0.0))[0], self.usual.get("latency", (0.0, 0.0))[0]
        return Whole(requests * latency, requests)

    def _matters(self, name: str, values: dict[str, float], whole: Whole) -> bool:
        requests = values.get("requests", nan)
        if name not in self.usual or not isfinite(requests):
            return True
        more = (values[name] - self.usual[name][0]) * requests
        if name == "latency":
            return more >= self.policy.time_share * whole.time
        return name != "failures" or more >= self.policy.failure_share * whole.requests

    def _away(self, name: str, value: float) -> float:
        if name not in self.usual or not isfinite(value):
            return 0.0
        middle, scale = self.usual[name]
        away = (value - middle) / scale
        if name == "requests":
            # Less than usual is missing completions; more is demand, which is nobody's fault yet.
            return -away if value < _GONE * middle and middle >= _FEW else 0.0
        return abs(away) if name.startswith("res.") else away

    def learn(self, values: dict[str, float], reading: Reading) -> None:
        """Remember one interval in which nothing rang."""
        for name, value in values.items():
            if isfinite(value):
                self.series.setdefault(name, deque(maxlen=self.policy.window)).append(value)
        if self.seen >= self.policy.learning:
            self.heights.append(reading.deviation)
            while len(self.heights) > self.policy.window:
                self.heights.popleft()
        self.seen += 1
        if self.seen <= self.policy.learning or self.seen % max(self.policy.window // 50, 1) == 0:
            self.usual = {name: _usual(name, np.array(past)) for name, past in self.series.items() if len(past) >= 5}

    def forget(self) -> None:
        """Begin anew: what was unusual has become usual."""
        self.series.clear()
        self.usual.clear()
        self.heights.clear()
        self.seen = 0
        self.over_since = nan


def values_of(sample: Sample) -> dict[str, float]:
    """The series of one component in one interval; failures as a share of the requests."""
    values = {f"res.{name}": value for name, value in sample.resources.items()}
    if isfinite(sample.requests):
        values["requests"] = sample.requests
    if isfinite(sample.errors) and sample.requests > 0.0:
        # Plus two over plus four (Agresti & Coull 1998): one failure of three requests is no catastrophe.
        values["failures"] = (sample.errors + 2.0) / (sample.requests + 4.0)
    latency = next(
        (sample.latency[name] for name in ("avg", "p50", "p90", "p95", "p99") if name in sample.latency), nan
    )
    if isfinite(latency) and sample.requests != 0.0:
        values["latency"] = latency
    return values


def _usual(name: str, past: Floats) -> tuple[float, float]:
    """Median, and a scale that is never so small that a ripple would ring."""
    middle = float(np.median(past))
    scale = 1.4826 * float(np.median(np.abs(past - middle)))
    floor = 0.05 * abs(middle)
    if name == "requests":
        floor = max(floor, sqrt(abs(middle)))
    return middle, max(scale, floor, float(np.std(past)) / 3.0, 1e-9)
