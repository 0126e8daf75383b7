"""Retry amplification RAF = A/F, attempts per first attempt, of an edge and along a path of edges.

A window without first attempts holds nothing but retries of older requests, so the ratio is then taken over a sliding
span instead. Along a path the factors multiply: a request retried at each of d levels with budget β costs at most
(1 + β)^d attempts at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

__all__ = ["Counts", "Path", "amplification", "worst_path"]

_LEAST = 1.0
_LONGEST = 8
"""Calls of a path; beyond that a cycle is likelier than a deeper system."""


class Counts(Protocol):
    """What one window counted."""

    @property
    def first(self) -> float:
        """First attempts."""
        ...

    @property
    def attempts(self) -> float:
        """All attempts."""
        ...


class Path(NamedTuple):
    """A chain of calls and the product of its factors."""

    services: tuple[str, ...]
    factor: float


def amplification(first: float, attempts: float, carried: Iterable[Counts]) -> float:
    """RAF of a window, or over the sliding span where the window has no first attempt.

    Args:
        first: first attempts in the window.
        attempts: all attempts in it.
        carried: the windows of the span, this one included.
    """
    if first > 0.0:
        return attempts / first
    windows = tuple(carried)
    return sum(one.attempts for one in windows) / max(sum(one.first for one in windows), 1.0)


def worst_path(factors: Mapping[tuple[str, str], float], least: float = 1.05) -> Path:
    """The path along which requests are multiplied most.

    Args:
        factors: RAF by caller and callee.
        least: edges below this factor end a path, because they add length and nothing else.
    """
    callees: dict[str, list[str]] = {}
    for (caller, callee), factor in sorted(factors.items()):
        if factor >= least:
            callees.setdefault(caller, []).append(callee)
    best = Path((), _LEAST)
    called = {callee for targets in callees.values() for callee in targets}
    for start in [name for name in callees if name not in called] or list(callees):
        best = max(best, _followed((start,), _LEAST, callees, factors), key=lambda path: path.factor)
    return best


def _followed(
    walked: tuple[str, ...],
    factor: float,
    callees: Mapping[str, list[str]],
    factors: Mapping[tuple[str, str], float],
) -> Path:
    best = Path(walked, factor)
    if len(walked) > _LONGEST:
        return best
    for callee in callees.get(walked[-1], ()):
        if callee not in walked:
            longer = _followed((*walked, callee), factor * factors[walked[-1], callee], callees, factors)
            best = max(best, longer, key=lambda path: path.factor)
    return best
