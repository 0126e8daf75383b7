"""Keeps a recurring complaint from flooding the host program's log."""

from __future__ import annotations

from math import inf

__all__ = ["Throttle"]


class Throttle:
    """Lets one event through per `period` seconds."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._next = -inf

    def allows(self, now: float) -> bool:
        """Whether an event at `now` (monotonic seconds) is let through."""
        if now < self._next:
            return False
        self._next = now + self._period
        return True
