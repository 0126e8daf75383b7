"""Thresholds of change points, metastable states and cascades."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CascadePolicy", "ChangePolicy", "MetastablePolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePolicy:
    """How level 2 learns what is usual of a service, and when that has changed."""

    learning_windows: int = 10
    """Windows before a median is believed [P]."""
    learning_rate: float = 0.03
    """Step of a learned median, in standard deviations [P]."""
    season_windows: int = 600
    """Windows that an hour must have taught before its mean is believed [P]."""
    least_scale: float = 0.03
    """Floor of the standard deviation as a share of the median [P]."""
    drift: float = 0.5
    """Standard deviations a window that a CUSUM forgives: half of the change it is made for, Page 1954 [F]."""
    threshold: float = 8.0
    """Sum at which a CUSUM alarms; once in about 19 000 windows in control [S]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetastablePolicy:
    """When a service stays in trouble although the trigger has gone."""

    hold: float = 8.0
    """Seconds from the trigger's end to the verdict, at least: ten less two for windows and reporting [P]."""
    timeouts: float = 3.0
    """The same in client time-outs [P]."""
    flat: float = 0.1
    """Demand this close to the usual is no trigger, as is throughput no further below [P]."""
    noise: float = 3.0
    """Standard deviations of a count that still pass for no change [P]."""
    goodput: float = 0.7
    """Successes in time as a share of demand below which a service fails [P]."""
    amplification: float = 1.5
    """Attempts per first attempt that sustain a failure [P]."""
    wasted: float = 0.3
    """Share of the throughput that came too late, from which on wasted work sustains a failure [P]."""
    cold: float = 1.2
    """Calls per request, against the usual, from which on a cold cache sustains a failure [P]."""
    cold_deviations: float = 3.0
    """Standard deviations that a cache's hit ratio, where callers count hits, lies below the usual to be cold [P]."""
    rise: float = 0.1
    """Growth of the goodput over the hold, as a share of demand, that counts as getting better [P]."""
    drain: float = 0.05
    """Share by which finished work exceeds admitted work while a backlog is being worked off [P]."""
    clean: float = 3.0
    """Seconds of good windows that end it [P]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadePolicy:
    """When trouble spreads along calls."""

    branching: float = 1.0
    """Branching index of two windows on end that makes a cascade [P]."""
    window: float = 2.0
    """Length of such a window: trouble must last two windows of level 1 before a service counts [P]."""
    entry_share: float = 0.2
    """Share of the entry volume outside its objective that makes a cascade of several failing services [P]."""
    in_flight_share: float = 0.7
    """A caller whose calls in flight exceed this share of their limit is in danger [P]."""
    horizon: float = 10.0
    """A caller that reaches its limit within this many seconds is in danger [P]."""
    report: float = 5.0
    """Longest time between two reports of a called service whose verdict is unchanged [P]."""
    carry: float = 5.0
    """Seconds over which the trend of calls in flight is taken [P]."""
