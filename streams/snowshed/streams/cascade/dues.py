"""How much an edge has failed, and made wait, beyond the usual of late: what its trouble's cause is ranked by.

What is summed is forgotten slowly, so that causes rest on the whole trouble and not on its newest window: while a
service works off its backlog it rings louder than the one that began it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp2, isnan

from snowshed.streams.edges.baseline import Baseline
from snowshed.streams.edges.window import EdgeWindow

__all__ = ["NOTHING", "Dues", "summed"]

_HALF_LIFE = 30.0
"""Seconds: longer than it takes to notice trouble, shorter than the time between two."""
_CHANCE = 0.1
"""Share of the calls that may fail by chance where few are made."""


@dataclass(frozen=True, slots=True)
class Dues:
    """Sums that halve within half a minute."""

    failed: float = 0.0
    """Calls that failed or were refused beyond the usual: to the caller, whose own calls then fail, it is the same."""
    lost: float = 0.0
    """How many of them on their way."""
    chance: float = 0.0
    """How many might have by chance."""
    waited: float = 0.0
    """Seconds of waiting beyond the usual, by the 90th percentile of the latency, whose usual value is known."""
    usual: float = 0.0
    """Seconds of the usual waiting."""


NOTHING = Dues()


def summed(held: Dues, window: EdgeWindow, baseline: Baseline, *, lost: bool) -> Dues:
    """The sums with one more window, whose calls may have been lost on their way."""
    kept = exp2(-window.span / _HALF_LIFE)
    admitted = window.attempts - window.rejected
    expected = 0.0 if isnan(baseline.ok_ratio) else admitted * (1.0 - baseline.ok_ratio)
    known = not isnan(baseline.p90) and not isnan(window.p90)
    failed = max(window.attempts - window.ok - expected, 0.0)
    return Dues(
        failed=kept * held.failed + failed,
        lost=kept * held.lost + (failed if lost else 0.0),
        chance=kept * held.chance + _CHANCE * admitted,
        waited=kept * held.waited + (admitted * max(window.p90 - baseline.p90, 0.0) if known else 0.0),
        usual=kept * held.usual + (admitted * baseline.p90 if known else 0.0),
    )
