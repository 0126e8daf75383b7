"""How far out of their usual life the calls of a component are: latency, failures and missing completions.

Each is compared with its median and median absolute deviation. An interval in which nothing completes has no latency;
there it is the missing completions that are judged, never a latency of zero.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan, sqrt

import numpy as np

from snowshed.streams.causes.alarm_policy import AlarmPolicy
from snowshed.streams.causes.history import Floats
from snowshed.streams.causes.intervals import LATENCIES, Sample
from snowshed.streams.causes.lasting import Lasting

__all__ = ["Calls", "Reading", "Whole"]

_GONE = 0.2
"""Share of the usual requests below which completions are missing (design value; DBSherlock's stalls fall below)."""
_FEW = 20.0
"""Requests an interval below which none at all may be chance."""
_SMALL = 20
"""Values of fewer of which their deviation tells more than the median of the deviations."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How far out a component is now."""

    deviation: float
    metric: str
    threshold: float
    since: float
    """Start of the first interval that is out; NaN while none is."""
    over: bool
    """Whether it is too far, for long enough, and enough to trouble anybody."""
    busier: bool = False
    """Whether that is nothing but gauges most of which have risen."""

    @property
    def ratio(self) -> float:
        """Deviation in thresholds."""
        return self.deviation / self.threshold


@dataclass(frozen=True, slots=True)
class Whole:
    """The busiest component's usual interval."""

    time: float
    requests: float


class Calls:
    """The calls of one component.

    Args:
        policy: when to ring.
        lastings: how long they must be out, and how far; any of them rings, and the first is told.
    """

    def __init__(self, policy: AlarmPolicy, lastings: Sequence[Lasting]) -> None:
        self._policy, self._lastings = policy, lastings
        self._past: dict[str, deque[float]] = {}
        self._usual: dict[str, tuple[float, float]] = {}
        self._statistic = ""
        self._values: dict[str, float] = {}
        self._seen = 0

    @property
    def measured(self) -> bool:
        """Whether requests have been counted."""
        return "requests" in self._usual

    @property
    def volume(self) -> Whole:
        """Time spent and requests in a usual interval."""
        requests, latency = self._usual.get("requests", (0.0, 0.0))[0], self._usual.get("latency", (0.0, 0.0))[0]
        return Whole(requests * latency, requests)

    def read(self, sample: Sample, t: float, chances: float, whole: Whole) -> Reading:
        """Compare with the usual; see `Component.read`."""
        values = self._values = self._values_of(sample)
        away, metric = max(((self._away(name, value), name) for name, value in values.items()), default=(0.0, ""))
        if self._seen < self._policy.learning:
            away = 0.0
        thresholds = [one.take(away, t, chances) for one in self._lastings]
        over = any(one.lowest > threshold for one, threshold in zip(self._lastings, thresholds, strict=True))
        matters = over and any(
            self._away(name, value) > thresholds[0] and self._matters(name, values, whole)
            for name, value in values.items()
        )
        return Reading(away, metric, thresholds[0], self._lastings[0].since, matters)

    def learn(self) -> None:
        """Remember what was read last: nothing rang."""
        for name, value in self._values.items():
            if isfinite(value):
                self._past.setdefault(name, deque(maxlen=self._policy.window)).append(self._bounded(name, value))
        if self._seen >= self._policy.learning:
            for one in self._lastings:
                one.learn()
        self._seen += 1
        if self._seen <= self._policy.known or self._seen % max(self._policy.window // 30, 1) == 0:
            self._usual = {name: _usual(name, np.array(past)) for name, past in self._past.items() if len(past) >= 5}

    def forget(self) -> None:
        """Begin anew: what was unusual has become usual."""
        self._past.clear()
        self._usual.clear()
        for one in self._lastings:
            one.forget()
        self._seen = 0

    def _matters(self, name: str, values: dict[str, float], whole: Whole) -> bool:
        requests = values.get("requests", nan)
        if name not in self._usual or not isfinite(requests):
            return True
        more = (values[name] - self._usual[name][0]) * requests
        if name == "latency":
            return more >= self._policy.time_share * whole.time
        return name != "failures" or more >= self._policy.failure_share * whole.requests

    def _away(self, name: str, value: float) -> float:
        if name not in self._usual or not isfinite(value):
            return 0.0
        middle, scale = self._usual[name]
        away = (value - middle) / scale
        if name == "requests":
            # Less than usual is missing completions; more is demand, which is nobody's fault yet.
            return -away if value < _GONE * middle and middle >= _FEW else 0.0
        return away

    def _values_of(self, sample: Sample) -> dict[str, float]:
        """The series of calls in one interval; failures as a share of the requests."""
        values: dict[str, float] = {}
        if isfinite(sample.requests):
            values["requests"] = sample.requests
        if isfinite(sample.errors) and sample.requests > 0.0:
            # Plus two over plus four (Agresti & Coull 1998): one failure of three requests is no catastrophe.
            values["failures"] = (sample.errors + 2.0) / (sample.requests + 4.0)
        if sample.latency and sample.requests != 0.0:
            self._statistic = self._statistic or next(one for one in LATENCIES if one in sample.latency)
            values["latency"] = sample.latency.get(self._statistic, nan)
        return values

    def _bounded(self, name: str, value: float) -> float:
        """A value as it is learned: of an incident's first interval no more than what would ring."""
        bound = self._lastings[0].bound
        if name not in self._usual or bound == inf:
            return value
        middle, scale = self._usual[name]
        return min(max(value, middle - bound * scale), middle + bound * scale)


def _usual(name: str, past: Floats) -> tuple[float, float]:
    """Median, and a scale that is never so small that a ripple would ring."""
    middle = float(np.median(past))
    scale = 1.4826 * float(np.median(np.abs(past - middle)))
    floor = 0.05 * abs(middle)
    if past.size < _SMALL:
        floor = max(floor, float(np.std(past)) * (1.0 + 4.0 / past.size))
    if name == "requests":
        floor = max(floor, sqrt(abs(middle)))
    return middle, max(scale, floor, float(np.std(past)) / 3.0, 1e-9)
