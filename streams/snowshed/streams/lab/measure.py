"""What a run came to: goodput by second and class, latencies, recovery and loss; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from math import ceil, nan

__all__ = ["Bin", "Ended", "Outcome", "Verdict", "bins", "quantile", "verdict"]

_STEADY = 5
"""Good seconds on end that make a recovery."""
_GOOD = 0.95
"""Share of the goodput from before that makes a second good."""


class Outcome(Enum):
    """How a request from outside ended."""

    OK = "ok"
    """Some attempt was answered within its time."""
    TIMEOUT = "timeout"
    REFUSED = "refused"
    FAILED = "failed"
    STALE = "stale"
    """Answered in time with what was too old."""
    OPEN = "open"
    """Not at all when the run ended."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One request from outside, with all its attempts."""

    criticality: int
    intended: float
    """When it was due, in seconds from the start; it may have been sent later."""
    ended: float
    outcome: Outcome
    callee: str = ""
    """The service that it asked, where the load asks several."""


@dataclass(frozen=True, slots=True)
class Bin:
    """One second of a run."""

    second: int
    offered: int
    """Requests that were due in it."""
    good: int
    """Requests that ended well in it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a trouble cost the requests of one class, or of all."""

    usual: float
    """Goodput a second before the trouble."""
    recovered_after: float | None
    """Seconds from the trouble's end to the first of five good seconds; None if there were none."""
    lost: float
    """Seconds' worth of full goodput that were lost."""
    success: float
    """Share of the requests since the trouble's beginning that ended well; NaN without any."""
    p50: float
    """Seconds that half of these took at most, from when they were due; NaN without any."""
    p99: float
    worst: float
    """The least goodput of a second since the trouble's beginning, as a share of the usual one."""


def bins(ended: Iterable[Ended], seconds: int, criticality: int | None = None) -> tuple[Bin, ...]:
    """The seconds of a run, for one class or all."""
    offered, good = [0] * seconds, [0] * seconds
    for one in ended:
        if criticality not in (None, one.criticality):
            continue
        if one.intended < seconds:
            offered[int(one.intended)] += 1
        if one.ended < seconds:
            good[int(one.ended)] += one.outcome is Outcome.OK
    return tuple(Bin(*each) for each in zip(range(seconds), offered, good, strict=True))


def verdict(
    ended: Sequence[Ended],
    seconds: int,
    trouble: tuple[float, float],
    *,
    warm_up: float,
    criticality: int | None = None,
) -> Verdict:
    """Judge a run.

    The usual goodput is the mean of the calm seconds. As arrivals are random, a second is good when its goodput is
    0.95 of the usual one or of what was due in it, whichever is less, and loses what is missing to that.

    Args:
        ended: every request of the run.
        seconds: its length.
        trouble: when the trouble began and ended.
        warm_up: seconds at the start that are left out.
        criticality: the class to judge; all without it.
    """
    begin, end = trouble
    timeline = bins(ended, seconds, criticality)
    calm = timeline[ceil(warm_up) : int(begin)]
    usual = sum(one.good for one in calm) / len(calm) if calm else nan
    later = timeline[int(begin) :]
    since = [one for one in ended if one.intended >= begin and criticality in (None, one.criticality)]
    times = sorted(one.ended - one.intended for one in since if one.outcome is Outcome.OK)
    return Verdict(
        usual=usual,
        recovered_after=_recovered(timeline, usual, end),
        lost=sum(max(0.0, min(usual, one.offered) - one.good) for one in later) / usual if usual else nan,
        success=len(times) / len(since) if since else nan,
        p50=quantile(times, 0.5),
        p99=quantile(times, 0.99),
        worst=min((one.good for one in later), default=nan) / usual if usual else nan,
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that this share of the values does not exceed; NaN without values."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else nan


def _recovered(timeline: Sequence[Bin], usual: float, end: float) -> float | None:
    steady = 0
    for one in timeline[int(end) :]:
        steady = steady + 1 if one.good >= _GOOD * min(usual, one.offered) else 0
        if steady == _STEADY:
            return max(0.0, one.second + 1 - _STEADY - end)
    return None
