"""The rate brake: at most so many calls a second, the more urgent first; pure.

The lowest priority waits for a token. Higher ones may take it on credit, the more the higher they are, and the lower
ones wait until it has been paid back. So whatever is too much is refused from the lowest priority on, and what is left
of the rate is used up, without a window in which priorities are counted.
"""

from __future__ import annotations

from math import inf

from snowshed.schemas.propagation import LOWEST_PRIORITY

__all__ = ["BURST", "CREDIT", "TokenBucket"]

BURST = 0.5
"""Seconds of the rate that may be used at once, and as much again on credit by the highest priority."""
CREDIT = 4.0
"""Calls on credit that the highest priority has at least, for a process whose rate is small."""


class TokenBucket:
    """Refills with `rate` tokens a second up to half a second's worth, at least one; a call takes one.

    Without a limit it stands full, so that a new limit starts with its burst.
    """

    __slots__ = ("_credit", "_depth", "_rate", "_refilled_at", "_tokens")

    def __init__(self, now: float) -> None:
        self._rate = inf
        self._depth = inf
        self._credit = 0.0
        self._tokens = inf
        self._refilled_at = now

    @property
    def limit(self) -> float:
        """Calls per second, inf when there is no limit."""
        return self._rate

    def tune(self, rate: float, now: float) -> None:
        """From now on refill with this rate; inf removes the limit, 0 refuses everything."""
        if rate == self._rate:
            return
        self._refill(now)
        self._rate = rate
        self._depth = max(1.0, rate * BURST) if rate > 0 else 0.0
        self._credit = max(CREDIT, rate * BURST) if 0 < rate < inf else 0.0
        self._tokens = min(self._tokens, self._depth)

    def take(self, now: float, priority: int = LOWEST_PRIORITY) -> float:
        """Takes a token and returns 0, or returns the seconds until this priority gets one."""
        wait = self.wait(now, priority)
        if not wait:
            self.use()
        return wait

    def wait(self, now: float, priority: int = LOWEST_PRIORITY) -> float:
        """Seconds until a priority, 0 to 511, may take a token; 0 when it may now, and it is not taken yet."""
        if self._rate == inf:
            return 0.0
        self._refill(now)
        missing = 1.0 - self._credit * (1.0 - priority / LOWEST_PRIORITY) - self._tokens
        if missing <= 0.0:
            return 0.0
        return missing / self._rate if self._rate > 0 else inf

    def use(self) -> None:
        """Takes a token that did not have to be waited for."""
        self._tokens -= 1.0

    def _refill(self, now: float) -> None:
        elapsed = now - self._refilled_at
        self._refilled_at = now
        if self._rate == inf:
            self._tokens = inf
        elif elapsed > 0:
            self._tokens = min(self._depth, self._tokens + elapsed * self._rate)
