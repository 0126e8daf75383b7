"""How many events a second happen, as an exponentially weighted mean; pure."""

from __future__ import annotations

from math import exp

__all__ = ["RateMeter"]


class RateMeter:
    """Events per second with time constant `memory`; until that much time has passed, the plain mean so far.

    Args:
        memory: seconds after which an old rate has faded to 1/e.
        now: the present, in seconds of the same clock as every later `now`.
    """

    __slots__ = ("_memory", "_rate", "_rolled_at", "_started_at", "counted")

    def __init__(self, memory: float, now: float) -> None:
        self._memory = memory
        self._rate = 0.0
        self.counted = 0
        """Events since the last roll; whoever sees one adds 1."""
        self._started_at = self._rolled_at = now

    @property
    def rate(self) -> float:
        """Events per second as of the last roll."""
        return self._rate

    @property
    def observed(self) -> float:
        """Seconds of observation behind the rate."""
        return self._rolled_at - self._started_at

    def roll(self, now: float) -> float:
        """Folds in what was counted since the last roll and returns the rate."""
        elapsed = now - self._rolled_at
        if elapsed <= 0:
            return self._rate
        weight = max(1.0 - exp(-elapsed / self._memory), elapsed / (now - self._started_at))
        self._rate += weight * (self.counted / elapsed - self._rate)
        self.counted = 0
        self._rolled_at = now
        return self._rate

    def hold(self, now: float) -> None:
        """Forgets what was counted since the last roll and keeps the rate: nothing is learned in an incident."""
        if now > self._rolled_at:
            self._started_at += now - self._rolled_at
            self._rolled_at = now
        self.counted = 0
