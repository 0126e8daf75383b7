"""How well a stream is judged, and how well simple methods judge it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from statistics import fmean, median

import numpy as np
from tests.benchmarks.foreign.worlds import Case

from snowshed.streams.causes import Alarm, GivenAlarm, History, Watch, diagnose, read_intervals
from snowshed.streams.causes.history import Floats

__all__ = ["BASELINES", "Judged", "Score", "judge", "scored"]

_GRACE = 3.0
"""Intervals after a fault in which an alarm still belongs to it."""
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of one case."""

    case: Case
    alarms: tuple[Alarm, ...]
    given: tuple[str, ...]
    """Ranked, the alarm given."""
    found: tuple[str, ...]
    """Ranked, by our own alarm."""
    baselines: Mapping[str, tuple[str, ...]]

    @property
    def rung(self) -> float | None:
        """Seconds from the fault's begin to the first new alarm within it."""
        case = self.case
        hits = [one.known_at for one in self.alarms if case.began < one.known_at <= case.ended + _GRACE * case.dt]
        return min(hits) - case.began if hits else None

    @property
    def false(self) -> int:
        """Alarms outside of the fault."""
        case = self.case
        return sum(not case.began < one.known_at <= case.ended + _GRACE * case.dt for one in self.alarms)


def judge(case: Case) -> Judged:
    """One pass over a stream."""
    stream = read_intervals(case.lines(alarm=False), case.id)
    history, watch, alarms = History(stream.meta.edges), Watch(), list[Alarm]()
    for interval in stream.intervals:
        history.add(interval)
        if (alarm := watch.take(interval)) is not None:
            alarms.append(alarm)
    if not case.fault:
        return Judged(case, tuple(alarms), (), (), {})
    given = GivenAlarm(node=case.entry, metric="", t=case.began + 3.0 * case.dt)
    own = GivenAlarm(node="", metric="", t=watch.newest.t) if watch.newest is not None else None
    return Judged(
        case,
        tuple(alarms),
        tuple(one.name for one in diagnose(history, given).causes),
        tuple(one.name for one in diagnose(history, own).causes) if own is not None else (),
        {name: tuple(baseline(history, given)) for name, baseline in BASELINES.items()},
    )


def _deviations(history: History, given: GivenAlarm, *, harmful: bool) -> dict[str, float]:
    times = np.asarray(history.times)
    now = times + np.asarray(history.spans) > given.t
    before = ~now
    before[np.flatnonzero(before)[-1:]] = False
    found: dict[str, float] = {}
    for name in history.components:
        metrics = [one for one in history.metrics(name) if not harmful or one == "errors" or one.startswith("latency")]
        found[name] = max((_deviation(history.series(name, one), before, now) for one in metrics), default=0.0)
    return found


def _deviation(values: Floats, before: np.ndarray, now: np.ndarray) -> float:
    there = np.isfinite(values)
    usual, new = values[before & there], values[now & there]
    if usual.size < 5 or not new.size:
        return 0.0
    middle = np.median(usual)
    scale = 1.4826 * float(np.median(np.abs(usual - middle))) or float(np.std(usual))
    return min(float(np.median(np.abs(new - middle)) / max(scale, 0.01 * abs(middle), 1e-9)), 1e9)


def _largest(history: History, given: GivenAlarm) -> list[str]:
    """Components in order of their farthest series, above three deviations."""
    away = _deviations(history, given, harmful=False)
    return sorted((name for name in away if away[name] > 3.0), key=lambda name: -away[name])[:5]


def _traversal(history: History, given: GivenAlarm) -> list[str]:
    """Deviating components that call none which deviates, from the entry on if it has callees."""
    away = {name: z for name, z in _deviations(history, given, harmful=True).items() if z > 3.0}
    if not away:
        away = {name: z for name, z in _deviations(history, given, harmful=False).items() if z > 3.0}
    scope = history.below(given.node) if given.node in history.callees else frozenset(history.components)
    last = [name for name in away if name in scope and not history.callees.get(name, set()) & away.keys()]
    return sorted(last, key=lambda name: -away[name])[:5]


BASELINES: Mapping[str, Callable[[History, GivenAlarm], list[str]]] = {
    "largest z": _largest,
    "traversal": _traversal,
}
"""What anybody could build in an hour."""


@dataclass(frozen=True, slots=True)
class Score:
    """The judged cases of one shape, or of all."""

    incidents: int
    rings: float
    delay: float
    """Intervals."""
    false: int
    days: float
    """Length of the calm streams and of the time before the faults."""
    top: Mapping[str, float]
    """First name right, by who ranks."""
    chance: float
    """First name right if our list with the alarm given came in random order."""
    length: float
    empty: float


def scored(judged: list[Judged]) -> Score:
    """What many cases come to."""
    troubled = [one for one in judged if one.case.fault]
    waits = [wait / one.case.dt for one in troubled if (wait := one.rung) is not None]
    lists: dict[str, list[tuple[str, ...]]] = {
        "given": [one.given for one in troubled],
        "found": [one.found for one in troubled],
        **{name: [one.baselines[name] for one in troubled] for name in BASELINES},
    }
    truth = [one.case.culprit for one in troubled]
    calm = sum((one.case.began if isfinite(one.case.began) else one.case.length * one.case.dt) for one in judged)
    return Score(
        len(troubled),
        len(waits) / len(troubled),
        median(waits) if waits else float("nan"),
        sum(one.false for one in judged),
        calm / _DAY,
        {
            name: fmean(bool(x) and x[0] == t for x, t in zip(found, truth, strict=True))
            for name, found in lists.items()
        },
        fmean((one.case.culprit in one.given) / max(len(one.given), 1) for one in troubled),
        fmean(len(one.given) for one in troubled),
        fmean(not one.given for one in troubled),
    )
