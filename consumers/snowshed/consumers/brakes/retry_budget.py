"""The retry brake: retries are at most a fraction of first attempts; pure."""

from __future__ import annotations

from snowshed.consumers.brakes.rate_meter import RateMeter

__all__ = ["DEPTH", "FLOOR", "FLOOR_RATE", "LOCAL_RATIO", "RetryBudget"]

LOCAL_RATIO = 0.1
"""Retries per first attempt while no decision says otherwise (Google's SRE book, "Handling overload")."""
DEPTH = 2.0
"""Seconds of tokens the bucket holds: the deeper, the higher the first wave of retries it lets through."""
FLOOR = 3.0
"""Tokens the bucket holds at least, so that a caller with little traffic can retry at all."""
FLOOR_RATE = 0.3
"""Tokens per second that such a caller gets beside those it earns."""
_RATE_MEMORY = 5.0


class RetryBudget:
    """A token bucket: every first attempt adds `ratio` tokens, every scheduled retry takes one.

    Over any stretch of time, retries ≤ bucket depth + ratio · first attempts + floor · FLOOR_RATE · seconds. A retry
    is charged when it is scheduled: a budget that counts only running ones lets a thousand simultaneous failures all
    schedule theirs. Under a decision the floor goes (`floor` 0), because many small callers' floors add up to a storm.
    """

    __slots__ = ("_depth", "_firsts", "_floor", "_prepaid", "_ratio", "_refilled_at", "_tokens")

    def __init__(self, now: float) -> None:
        self._firsts = RateMeter(_RATE_MEMORY, now)
        self._ratio = LOCAL_RATIO
        self._floor = 1.0
        self._depth = FLOOR
        self._tokens = FLOOR
        self._prepaid = 0
        self._refilled_at = now

    @property
    def ratio(self) -> float:
        """Retries per first attempt now in force."""
        return self._ratio

    def tune(self, ratio: float, floor: float, now: float) -> None:
        """Sets the ratio and how much of the floor applies, 0 to 1; to be called several times a second."""
        self._ratio = ratio
        self._floor = floor
        earned = ratio * self._firsts.roll(now) * DEPTH
        smallest = max(1.0, FLOOR * self._floor) if ratio > 0 else 0.0
        self._depth = max(smallest, earned)
        elapsed = max(0.0, now - self._refilled_at)
        self._refilled_at = now
        self._tokens = min(self._depth, self._tokens + elapsed * FLOOR_RATE * self._floor)

    def first(self) -> None:
        """A first attempt was admitted."""
        self._firsts.counted += 1
        tokens = self._tokens + self._ratio
        self._tokens = tokens if tokens < self._depth else self._depth

    def schedule(self) -> bool:
        """Charges a retry that is about to be scheduled; False when the budget is spent."""
        charged = self._charge()
        self._prepaid += charged
        return charged

    @property
    def can_send(self) -> bool:
        """Whether `send` would succeed now."""
        return self._prepaid > 0 or self._tokens >= 1.0

    def send(self) -> bool:
        """A retry is being sent: uses what its schedule charged, else charges it now."""
        if self._prepaid:
            self._prepaid -= 1
            return True
        return self._charge()

    def _charge(self) -> bool:
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
