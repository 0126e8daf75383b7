"""How far out of its usual life a component is, and how far is too far: its calls, its gauges and its silence."""

from __future__ import annotations

import numpy as np

from snowshed.streams.causes.alarm_policy import AlarmPolicy
from snowshed.streams.causes.calls import Calls, Reading, Whole
from snowshed.streams.causes.intervals import Sample
from snowshed.streams.causes.lasting import Lasting
from snowshed.streams.causes.silence import Silence
from snowshed.streams.causes.usual import together
from snowshed.streams.causes.wandering import Wandering

__all__ = ["Component"]

_SMOOTH = 3
"""Intervals of which the median of a gauge is judged; they are part of what must last."""


class Component:
    """One component's series and how far out it has been.

    Args:
        policy: when to ring.
        dt: seconds of an interval.
    """

    def __init__(self, policy: AlarmPolicy, dt: float) -> None:
        self._policy = policy
        row = policy.in_a_row(dt)

        def lasting(intervals: int, least: float) -> Lasting:
            return Lasting(intervals, policy.heights, policy.known, least)

        once = lasting(1 if dt >= policy.alone else 2, policy.at_once)
        self._calls = Calls(policy, (lasting(row, policy.least), once))
        self._gauges = Wandering(policy.window, policy.known, max(policy.window // 15, 1), _SMOOTH)
        self._work, self._strain = lasting(min(row, _SMOOTH), policy.agreed), lasting(policy.sustained, policy.agreed)
        self._silence = Silence(row, policy.learning)
        self._seen = 0
        self.rings_for = 0
        """Intervals in a row in which it rang."""

    @property
    def volume(self) -> Whole:
        """Time spent and requests in a usual interval."""
        return self._calls.volume

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
            sample = Sample(requests=0.0) if self._calls.measured else Sample()
        calls, work = self._calls.read(sample, t, chances, whole), self._read_gauges(sample, t, chances)
        return max(calls, work, key=lambda one: (one.over, one.ratio))

    def _read_gauges(self, sample: Sample, t: float, chances: float) -> Reading:
        ratios = self._gauges.read(sample.resources, sample.requests)
        away, metric, rises = 0.0, "", False
        if ratios.size:
            order = np.argsort(-np.abs(ratios))
            away = together(np.abs(ratios[order]))
            metric = f"res.{list(self._gauges.names)[order[0]]}"
            rises = float(ratios[np.abs(ratios) > 1.0].sum()) > 0.0
        least = self._policy.unfelt if self._calls.measured else self._policy.agreed
        self._work.least, self._strain.least = least, self._policy.less * least
        threshold, strain = self._work.take(away, t, chances), self._strain.take(away, t, chances)
        if self._work.lowest <= threshold and self._strain.lowest > strain:
            return Reading(away, metric, strain, self._strain.since, over=True, busier=rises)
        return Reading(away, metric, threshold, self._work.since, self._work.lowest > threshold, rises)

    def learn(self) -> None:
        """Remember what was read last: nothing rang."""
        self._calls.learn()
        self._gauges.learn()
        self._silence.learn()
        if self._seen >= self._policy.learning:
            self._work.learn()
            self._strain.learn()
        self._seen += 1

    def forget(self) -> None:
        """Begin anew: what was unusual has become usual."""
        for one in (self._calls, self._gauges, self._silence, self._work, self._strain):
            one.forget()
        self._seen = self.rings_for = 0
