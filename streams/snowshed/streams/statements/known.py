"""What is remembered of one statement, and how it is found to have changed.

Latency and rate are judged as logarithms, so that a factor counts alike for a fast statement and a slow one. What all
the other statements of the database do at once, their median, is subtracted: it happened to the database, or to the
demand, and not to this statement.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from math import exp, log

from snowshed.schemas.sketch import MIN_SECONDS
from snowshed.streams.policy import StatementPolicy
from snowshed.streams.stability.change import Cusum, summed
from snowshed.streams.stability.robust import Robust, learned

__all__ = ["Change", "ChangeKind", "Known", "Seen", "excess", "judged", "lively", "slow"]

_LEAST = log(MIN_SECONDS) - 1.0
"""Logarithms count from here: a median near zero would have no scale."""


_CALLS = 100.0
"""Rates count in calls per so many seconds, below one of which differences hardly tell."""


class ChangeKind(Enum):
    """What changed."""

    LATENCY = "latency"
    VOLUME = "volume"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Change:
    """A change that is reported."""

    kind: ChangeKind
    onset: float
    before: float
    after: float
    sound: int = 0
    """Windows on end that no longer show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One window of one statement."""

    began: float
    typical: float
    """Logarithm of the geometric mean of latency."""
    rate: float
    """Calls per second."""
    share: float
    """Of the time of all statements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One statement between windows."""

    statement: str
    operation: str
    weight: float = 0.0
    """Seconds it took, older ones counting less."""
    latency: Robust = field(default_factory=Robust)
    volume: Robust = field(default_factory=Robust)
    share: Robust = field(default_factory=Robust)
    slower: Cusum = field(default_factory=Cusum)
    busier: Cusum = field(default_factory=Cusum)
    change: Change | None = None


def slow(seen: Seen) -> float:
    """Latency as it is judged."""
    return seen.typical - _LEAST


def lively(seen: Seen) -> float:
    """Rate as it is judged."""
    return 1.0 + log(1.0 + seen.rate * _CALLS)


def excess(value: float, usual: Robust, common: float) -> float:
    """By what logarithm a value exceeds the usual, beyond what all do; NaN while nothing is known."""
    return value - usual.location - max(common, 0.0)


def judged(held: Known, seen: Seen, common: tuple[float, float], calm: bool, policy: StatementPolicy) -> Known:
    """The statement after one more window.

    Args:
        held: the statement so far.
        seen: its window.
        common: the excess of latency and of rate that the other statements show.
        calm: whether the database is well; else nothing is learned.
        policy: the thresholds.
    """
    slower_by = excess(slow(seen), held.latency, common[0])
    busier_by = excess(lively(seen), held.volume, common[1])
    held = replace(
        held,
        slower=summed(held.slower, slower_by / held.latency.scale(policy.change), seen.began, policy.change),
        busier=summed(held.busier, busier_by / held.volume.scale(policy.change), seen.began, policy.change),
    )
    if held.change is None:
        held = replace(held, change=_begun(held, seen, slower_by, busier_by, policy))
    else:
        held = _continued(held, held.change, seen, (slower_by, busier_by), policy)
    learns = calm and (held.change is None or held.change.kind is ChangeKind.NEW)
    return _taught(held, seen, policy) if learns else held


def _begun(held: Known, seen: Seen, slower_by: float, busier_by: float, policy: StatementPolicy) -> Change | None:
    if seen.share < policy.least_share:
        return None
    if held.slower.alarms(policy.change) and slower_by >= log(policy.latency_factor):
        before = exp(held.latency.location + _LEAST)
        return Change(ChangeKind.LATENCY, held.slower.since, before, exp(seen.typical))
    if held.busier.alarms(policy.change) and busier_by >= log(policy.volume_factor):
        before = (exp(held.volume.location - 1.0) - 1.0) / _CALLS
        return Change(ChangeKind.VOLUME, held.busier.since, before, seen.rate)
    return None


def _continued(held: Known, change: Change, seen: Seen, by: tuple[float, float], policy: StatementPolicy) -> Known:
    """While a change is reported: it ends when it has gone for some windows, or when it has become the usual."""
    if seen.began - change.onset >= policy.accepted:
        return _accepted(held, change)
    match change.kind:
        case ChangeKind.NEW:
            return replace(held, change=replace(change, after=seen.share))
        case ChangeKind.LATENCY:
            gone, after = by[0] < log(policy.latency_factor) / 2.0, exp(seen.typical)
        case ChangeKind.VOLUME:
            gone, after = by[1] < log(policy.volume_factor) / 2.0, seen.rate
    sound = change.sound + 1 if gone else 0
    if sound >= policy.sound_windows:
        return replace(held, change=None, slower=Cusum(), busier=Cusum())
    return replace(held, change=replace(change, after=after, sound=sound))


def _accepted(held: Known, change: Change) -> Known:
    if change.kind is ChangeKind.NEW:
        return replace(held, change=None)
    return Known(statement=held.statement, operation=held.operation, weight=held.weight)


def _taught(held: Known, seen: Seen, policy: StatementPolicy) -> Known:
    return replace(
        held,
        latency=learned(held.latency, slow(seen), policy.change),
        volume=learned(held.volume, lively(seen), policy.change),
        share=learned(held.share, seen.share, policy.change),
    )
