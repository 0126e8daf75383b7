"""From a history and the moment something began to the ranked causes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snowshed.streams.causes.excess import Period
from snowshed.streams.causes.history import History
from snowshed.streams.causes.intervals import GivenAlarm
from snowshed.streams.causes.ranking import RankedCause, rank

__all__ = ["Diagnosis", "diagnose"]


_INTERVALS, _SECONDS = 30, 60.0
"""How long an incident is looked at, the longer of the two: after its end it would only be diluted."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is thought of one incident."""

    began: float
    """Start of the interval in which it shows first."""
    entry: str
    """Where the alarm was raised; empty when it was raised nowhere in particular."""
    metric: str
    causes: tuple[RankedCause, ...]
    """Best first; empty where nothing is out of the usual."""


def diagnose(history: History, alarm: GivenAlarm, until: float = np.inf) -> Diagnosis:
    """Rank the causes of an alarm.

    Intervals from the alarm's on are the incident, thirty or those of a minute at most. The one before it is neither
    usual nor incident: a fault shows for a while before it rings.

    Args:
        history: what was measured, some of it before the alarm.
        alarm: when, and where and by what if that is known.
        until: the incident's end, when it has ended.
    """
    times = np.asarray(history.times)
    spans = np.asarray(history.spans)
    incident = (times + spans > alarm.t) & (times < until)
    began = float(times[incident].min()) if incident.any() else alarm.t
    incident &= (np.cumsum(incident) <= _INTERVALS) | (times < began + _SECONDS)
    before = np.flatnonzero(times < began)
    usual = np.zeros(times.size, dtype=np.bool_)
    usual[before[:-1] if before.size > 1 else before] = True
    entry = alarm.node if alarm.node in history.components or alarm.node in history.callees else ""
    scope = history.below(entry) if entry and history.callees.get(entry) else frozenset(history.components)
    if not incident.any() or not usual.any():
        return Diagnosis(began, entry, alarm.metric, ())
    return Diagnosis(began, entry, alarm.metric, rank(history, Period(usual, incident), alarm.metric, scope))
