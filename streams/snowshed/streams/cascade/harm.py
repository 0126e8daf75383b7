"""Whether an overload harms anybody: a long queue alone may be short-lived, and nobody's trouble.

It harms where calls miss their time-out or are refused or fail more than usual, where less than the usual work is done,
where the queue has risen for several windows by a tenth of the time passed (work comes a tenth faster than it is done),
or where it has simply lasted and is known to be unusual.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, sqrt

from snowshed.streams.cascade.standing import Standing
from snowshed.streams.cascade.streaks import BAD, CLEAR, extended
from snowshed.streams.cascade.views import EdgeView, Streak
from snowshed.streams.edges.baseline import Baseline
from snowshed.streams.edges.window import EdgeWindow
from snowshed.streams.policy import OverloadPolicy, Policy

__all__ = ["harmed", "misses", "piling", "short_of_work"]

_RISING = 3
"""Windows on end in which the queue must rise: after a short burst it does so for two."""


def harmed(edges: Sequence[EdgeView], standing: Standing | None, policy: Policy) -> bool:
    """Whether the overload of a service harms its callers.

    Args:
        edges: its overloaded edges.
        standing: what is known of the service.
        policy: the thresholds.
    """
    if not edges:
        return False
    if standing is not None and short_of_work(standing, policy):
        return True
    return any(_harms(edge, policy.overload) for edge in edges)


def _harms(edge: EdgeView, policy: OverloadPolicy) -> bool:
    if misses(edge.judged, edge.baseline, policy):
        return True
    # How long a queue may be is not known before anything has been learned.
    known = not isnan(edge.baseline.p90)
    return known and (edge.piling.windows >= _RISING or edge.overloaded.covered >= policy.lasting)


def misses(window: EdgeWindow, baseline: Baseline, policy: OverloadPolicy) -> bool:
    """Whether more calls than usual, and than chance makes, were not answered in time."""
    usual = 0.0 if isnan(baseline.ok_ratio) else 1.0 - baseline.ok_ratio
    expected = max(usual, policy.missed) * window.attempts
    return window.attempts - window.ok > expected + policy.noise * sqrt(max(expected, 1.0))


def piling(
    streak: Streak, before: EdgeWindow | None, window: EdgeWindow, *, now: float, policy: OverloadPolicy
) -> Streak:
    """The streak of windows in which the queue rose by a tenth of the time passed, after one more."""
    if before is None:
        return streak
    rise = window.queue_delay_mean - before.queue_delay_mean
    if not rise > policy.growth * window.span:
        return extended(streak, CLEAR, window.span, now)
    return extended(streak, BAD, window.span, now)


def short_of_work(standing: Standing, policy: Policy) -> bool:
    """Whether a service does less than its usual work."""
    least = (1.0 - policy.metastable.flat) * standing.served.location
    return standing.throughput < least - policy.metastable.noise * standing.served.scale(policy.change)
