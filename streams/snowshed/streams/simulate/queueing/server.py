"""A first-come-first-served server whose speed changes at known moments.

Nothing that has arrived is ever taken back, so the moment at which a request will be done is known when it arrives
(Lindley's recursion): a request needs no event of its own.
"""

from __future__ import annotations

from math import inf

from snowshed.streams.simulate.queueing.troubles import Steps

__all__ = ["Server"]


class Server:
    """One replica at work.

    Args:
        rate: units of work a second at full speed.
        steps: from when on it works at which share of that.
    """

    __slots__ = ("_index", "_rate", "_steps", "_until", "free_at")

    def __init__(self, rate: float, steps: Steps) -> None:
        self._steps = tuple((start, rate * factor) for start, factor in steps) or ((0.0, rate),)
        self.free_at = 0.0
        """When all that has arrived will be done."""
        self._enter(0)

    def take(self, now: float, work: float) -> tuple[float, float]:
        """Add a request to the queue: when it will be taken up, and when it will be done."""
        start = max(now, self.free_at)
        # What waits behind work that never ends never starts.
        while self._until <= start < inf:
            self._enter(self._index + 1)
        end = start + work / self._rate if self._rate else inf
        if end > self._until:
            end = self._across(start, work)
        self.free_at = end
        return start, end

    def rate_at(self, now: float) -> float:
        """Units of work a second at a moment."""
        return next((rate for start, rate in reversed(self._steps) if start <= now), 0.0)

    def _enter(self, index: int) -> None:
        self._index, self._rate = index, self._steps[index][1]
        self._until = self._steps[index + 1][0] if index + 1 < len(self._steps) else inf

    def _across(self, now: float, work: float) -> float:
        """When work that outlasts the present speed will be done."""
        while self._until < inf:
            work -= (self._until - now) * self._rate
            now = self._until
            self._enter(self._index + 1)
            if self._rate and now + work / self._rate <= self._until:
                return now + work / self._rate
        return inf
