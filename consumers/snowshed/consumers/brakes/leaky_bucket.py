"""The pace brake: calls at even distances; pure."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.consumers.brakes.bounds import check

__all__ = ["LeakyBucket", "LeakyBucketOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyBucketOptions:
    """How fast the bucket leaks and how much it holds."""

    rate: float
    """Calls per second, above 0."""
    depth: float = 1.0
    """Calls that may come at once, at least 1."""

    def __post_init__(self) -> None:
        check(self, above=True, rate=self.rate)
        check(self, low=1, depth=self.depth)


class LeakyBucket:
    """Every call adds one, the bucket leaks `rate` a second, and a call that would overflow it is refused.

    With a depth of 1 calls are at least 1/rate apart. The token bucket lets half a second's worth through at once; this
    one is for callees that bear no bursts.
    """

    __slots__ = ("_depth", "_leaked_at", "_level", "_rate")

    def __init__(self, options: LeakyBucketOptions, now: float) -> None:
        self._rate = options.rate
        self._depth = options.depth
        self._level = 0.0
        self._leaked_at = now

    def wait(self, now: float) -> float:
        """Seconds until a call has room; 0 when it may pass, which takes nothing yet."""
        elapsed = now - self._leaked_at
        if elapsed > 0:
            self._leaked_at = now
            self._level = max(0.0, self._level - elapsed * self._rate)
        over = self._level + 1.0 - self._depth
        # A bucket that has just leaked enough may be short by a rounding error.
        return over / self._rate if over > 1e-9 else 0.0

    def add(self) -> None:
        """A call that did not have to wait is made."""
        self._level += 1.0
