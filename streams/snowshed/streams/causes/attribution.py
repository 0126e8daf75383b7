"""Whose excess it is: what components wait or fail beyond the usual, less what they pass on from those they call.

Time and failures are conserved along synchronous calls: what a caller waits longer, or fails more often, because of a
callee, the callee shows as well. What is left of a component's excess once its callees' share is taken off is its own.
The trigger keeps its excess; victims above it have next to nothing left, however loudly they ring. Level 2 ranks by it
from windows of edges as they come, and `rank` from measurements of any kind after the fact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

__all__ = ["MOST", "best", "own", "shares"]

MOST = 5
"""Names in a list."""
_SHOWN = 0.3
"""Share of the best score below which a name would only distract."""

T = TypeVar("T")


def own(totals: Mapping[str, float], passed: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Each component's excess without what its callees account for.

    Args:
        totals: the excess of every component that has a significant one.
        passed: what a caller suffers of a callee's excess, one a call.
    """
    left = dict(totals)
    for caller, amount in passed:
        if caller in left:
            left[caller] -= max(amount, 0.0)
    return {name: max(amount, 0.0) for name, amount in left.items()}


def shares(amounts: Mapping[str, float]) -> dict[str, float]:
    """The amounts as shares of the largest; empty where there is none."""
    largest = max(amounts.values(), default=0.0)
    return {name: amount / largest for name, amount in amounts.items()} if largest > 0.0 else {}


def best(scored: Mapping[str, tuple[float, T]], most: int = MOST) -> list[tuple[str, float, T]]:
    """The names worth telling, with their scores of 0 to 1, best first."""
    top = max((score for score, _ in scored.values()), default=0.0)
    ordered = sorted(scored.items(), key=lambda item: (-item[1][0], item[0]))
    shown = [(name, score, what) for name, (score, what) in ordered if score > 0.0 and score >= _SHOWN * top]
    return [(name, round(min(score, 1.0), 4), what) for name, score, what in shown[:most]]
