"""Whether a failed attempt is followed by another, and when."""

from __future__ import annotations

from collections.abc import Iterator

from snowshed.streams.simulate.queueing.fleet import Retries

__all__ = ["Persistence"]


class Persistence:
    """The retries of one edge's callers, who share a budget.

    Args:
        retries: what they do.
        chance: numbers from 0 up to 1.
    """

    def __init__(self, retries: Retries, chance: Iterator[float]) -> None:
        self._retries, self._chance = retries, chance
        self._tokens = retries.budget.depth if retries.budget else 0.0

    def earn(self) -> None:
        """Put down a first attempt."""
        if budget := self._retries.budget:
            self._tokens = min(budget.depth, self._tokens + budget.ratio)

    def wait(self, now: float, tries: int) -> float | None:
        """Seconds until the next attempt, or None if there is to be none."""
        if tries >= self._retries.limit or not self._pay(now):
            return None
        backoff = self._retries.backoff
        return backoff * (0.5 + 0.5 * next(self._chance)) * 2**tries if backoff else 0.0

    def _pay(self, now: float) -> bool:
        budget = self._retries.budget
        if budget is None or now < budget.since:
            return True
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
