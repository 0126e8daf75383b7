"""The rate brake: at most so many calls a second; pure."""

from __future__ import annotations

from math import inf

__all__ = ["BURST", "TokenBucket"]

BURST = 0.5
"""Seconds of the rate that may be used at once."""


class TokenBucket:
    """Refills with `rate` tokens a second up to half a second's worth, at least one; a call takes one.

    Without a limit it stands full, so that a new limit starts with its burst.
    """

    __slots__ = ("_depth", "_rate", "_refilled_at", "_tokens")

    def __init__(self, now: float) -> None:
        self._rate = inf
        self._depth = inf
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
        self._tokens = min(self._tokens, self._depth)

    def take(self, now: float) -> float:
        """Takes a token and returns 0, or returns the seconds until the next one."""
        wait = self.wait(now)
        if not wait:
            self.use()
        return wait

    def wait(self, now: float) -> float:
        """Seconds until the next token; 0 when there is one, which is not taken yet."""
        if self._rate == inf:
            return 0.0
        self._refill(now)
        if self._tokens >= 1.0:
            return 0.0
        return (1.0 - self._tokens) / self._rate if self._rate > 0 else inf

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
