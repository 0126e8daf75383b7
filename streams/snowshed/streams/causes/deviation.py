"""How far out of its usual life a component is, and how far is too far.

Latency, failures and requests are compared with their median and median absolute deviation, the resources each with its
own wandering. An interval in which nothing completes has no latency; there it is the missing completions that are
judged, never a latency of zero.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf, isfinite, nan, sqrt

import numpy as np

from snowshed.streams.causes.history import Floats
from snowshed.streams.causes.intervals import Sample
from snowshed.streams.causes.lasting import Lasting
from snowshed.streams.causes.silence import Silence
from snowshed.streams.causes.usual import together
from snowshed.streams.causes.wandering import Wandering

__all__ = ["AlarmPolicy", "Component", "Reading", "Whole"]

_GONE = 0.2
"""Share of the usual requests below which completions are missing (design value; DBSherlock's stalls fall below)."""
_FEW = 20.0
"""Requests an interval below which none at all may be chance."""
_SMOOTH = 3
"""Intervals of which the median of a gauge is judged; they are part of what must last."""
_SMALL = 20
"""Values of fewer of which their deviation tells more than the median of the deviations."""
_LATENCIES = ("avg", "p50", "p90", "p95", "p99")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmPolicy:
    """When to ring; proposals without published authority, chosen before any labelled stream was looked at."""

    window: int = 300
    """Intervals remembered."""
    heights: int = 1200
    """Intervals of which it is remembered how far out they were."""
    learning: int = 8
    """Intervals before the first alarm."""
    known: int = 20
    """Intervals before gauges are judged, and heights before their tail is believed."""
    least: float = 4.0
    """Deviation below which what lasts does not ring."""
    at_once: float = 8.0
    """Deviation below which one interval, or two short ones, do not ring."""
    lasts: float = 4.0
    """Seconds that it must last, but two to four intervals."""
    alone: float = 10.0
    """Seconds from which one interval alone may ring."""
    false_alarms: float = 1.0
    """A day, by chance, over all components."""
    time_share: float = 0.05
    """Of all time spent at the busiest component: less than that much more is nobody's trouble."""
    failure_share: float = 0.005
    """Of all requests of the busiest component: fewer failures more are nobody's trouble."""
    agreed: float = 1.2
    """Bounds that resources must pass."""
    unfelt: float = 1.5
    """Bounds that resources must pass where calls are measured and show nothing."""
    sustained: int = 8
    """Intervals in a row after which resources ring for less."""
    less: float = 0.7
    """How much less: a share of those bounds."""
    calm: int = 5
    """Quiet intervals that end an incident."""
    standing: int = 10
    """Intervals of ringing after which a component no longer holds an incident open."""
    relearn: int = 120
    """Intervals after which what is new has become usual."""

    def in_a_row(self, dt: float) -> int:
        """Intervals that must be out."""
        return min(max(int(np.ceil(self.lasts / dt)), 2), 4)


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


class Component:
    """One component's series and how far out it has been.

    Args:
        policy: when to ring.
        dt: seconds of an interval.
    """

    def __init__(self, policy: AlarmPolicy, dt: float) -> None:
        self._policy = policy
        row = policy.in_a_row(dt)
        self._series: dict[str, deque[float]] = {}
        self.usual: dict[str, tuple[float, float]] = {}
        """Median and scale of latency, failures and requests."""
        self._statistic = ""
        self._gauges = Wandering(policy.window, policy.known, max(policy.window // 15, 1), _SMOOTH)
        self._calls = Lasting(row, policy.heights, policy.known, policy.least)
        self._once = Lasting(1 if dt >= policy.alone else 2, policy.heights, policy.known, policy.at_once)
        self._work = Lasting(min(row, _SMOOTH), policy.heights, policy.known, policy.agreed)
        self._strain = Lasting(policy.sustained, policy.heights, policy.known, policy.agreed)
        self._lastings = (self._calls, self._once, self._work, self._strain)
        self._silence = Silence(row, policy.learning)
        self._values: dict[str, float] = {}
        self._seen = 0
        self.rings_for = 0
        """Intervals in a row in which it rang."""

    @property
    def measured(self) -> bool:
        """Whether its requests have been counted."""
        return "requests" in self.usual

    @property
    def volume(self) -> Whole:
        """Time spent and requests in a usual interval."""
        requests, latency = self.usual.get("requests", (0.0, 0.0))[0], self.usual.get("latency", (0.0, 0.0))[0]
        return Whole(requests * latency, requests)

    def read(self, sample: Sample | None, t: float, chances: float, whole: Whole) -> Reading:
        """Compare with the usual, of which `chances` intervals happen between two false alarms.

        Args:
            sample: what was measured; None where others were measured and this was not.
            t: start of the interval.
            chances: how often a threshold may be tried before it is passed by chance.
            whole: the busiest component's usual interval.
        """
        missed = self._silence.take(there=sample is not None)
        if missed >= 1.0:
            return Reading(missed, "rows", 1.0, t, over=True)
        if sample is None:
            sample = Sample(requests=0.0) if self.measured else Sample()
        calls = self._read_calls(self._values_of(sample), t, chances, whole)
        work = self._read_gauges(sample, t, chances)
        return max(calls, work, key=lambda one: (one.over, one.ratio))

    def _read_calls(self, values: dict[str, float], t: float, chances: float, whole: Whole) -> Reading:
        self._values = values
        away, metric = max(((self._away(name, value), name) for name, value in values.items()), default=(0.0, ""))
        if self._seen < self._policy.learning:
            away = 0.0
        threshold, once = self._calls.take(away, t, chances), self._once.take(away, t, chances)
        over = self._calls.lowest > threshold or self._once.lowest > once
        matters = over and any(
            self._away(name, value) > threshold and self._matters(name, values, whole) for name, value in values.items()
        )
        return Reading(away, metric, threshold, self._calls.since, matters)

    def _read_gauges(self, sample: Sample, t: float, chances: float) -> Reading:
        ratios = self._gauges.read(sample.resources, sample.requests)
        away, metric, rises = 0.0, "", False
        if ratios.size:
            order = np.argsort(-np.abs(ratios))
            away = together(np.abs(ratios[order]))
            metric = f"res.{list(self._gauges.names)[order[0]]}"
            rises = float(ratios[np.abs(ratios) > 1.0].sum()) > 0.0
        least = self._policy.unfelt if self.measured else self._policy.agreed
        self._work.least, self._strain.least = least, self._policy.less * least
        threshold, strain = self._work.take(away, t, chances), self._strain.take(away, t, chances)
        if self._work.lowest <= threshold and self._strain.lowest > strain:
            return Reading(away, metric, strain, self._strain.since, over=True, busier=rises)
        return Reading(away, metric, threshold, self._work.since, self._work.lowest > threshold, rises)

    def _matters(self, name: str, values: dict[str, float], whole: Whole) -> bool:
        requests = values.get("requests", nan)
        if name not in self.usual or not isfinite(requests):
            return True
        more = (values[name] - self.usual[name][0]) * requests
        if name == "latency":
            return more >= self._policy.time_share * whole.time
        return name != "failures" or more >= self._policy.failure_share * whole.requests

    def _away(self, name: str, value: float) -> float:
        if name not in self.usual or not isfinite(value):
            return 0.0
        middle, scale = self.usual[name]
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
            self._statistic = self._statistic or next(one for one in _LATENCIES if one in sample.latency)
            values["latency"] = sample.latency.get(self._statistic, nan)
        return values

    def learn(self) -> None:
        """Remember what was read last: nothing rang."""
        for name, value in self._values.items():
            if isfinite(value):
                self._series.setdefault(name, deque(maxlen=self._policy.window)).append(self._bounded(name, value))
        self._gauges.learn()
        self._silence.learn()
        if self._seen >= self._policy.learning:
            for one in self._lastings:
                one.learn()
        self._seen += 1
        if self._seen <= self._policy.known or self._seen % max(self._policy.window // 30, 1) == 0:
            self.usual = {name: _usual(name, np.array(past)) for name, past in self._series.items() if len(past) >= 5}

    def _bounded(self, name: str, value: float) -> float:
        """A value as it is learned: of an incident's first interval no more than what would ring."""
        if name not in self.usual or self._calls.bound == inf:
            return value
        middle, scale = self.usual[name]
        reach = self._calls.bound * scale
        return min(max(value, middle - reach), middle + reach)

    def forget(self) -> None:
        """Begin anew: what was unusual has become usual."""
        self._series.clear()
        self.usual.clear()
        self._gauges.forget()
        self._silence.forget()
        for one in self._lastings:
            one.forget()
        self._seen = self.rings_for = 0


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
