"""Counts over the last so many seconds; pure."""

from __future__ import annotations

from collections import deque

__all__ = ["Slots"]

_SLOTS = 10


class Slots:
    """Sums of several kinds of events over a sliding window, in steps of a tenth of it.

    Args:
        kinds: how many kinds of events are told apart.
        window: seconds.
        now: the present, in seconds of the same clock as every later `now`.
    """

    __slots__ = ("_kinds", "_past", "_turn_at", "_width", "current")

    def __init__(self, kinds: int, window: float, now: float) -> None:
        self._kinds = kinds
        self._width = window / _SLOTS
        self._turn_at = now + self._width
        self._past: deque[list[int]] = deque(maxlen=_SLOTS - 1)
        self.current = [0] * kinds
        """What is counted now; whoever sees an event adds to its kind."""

    def roll(self, now: float) -> list[int]:
        """Forgets what is too old and returns the sums; to be called several times a second."""
        passed = min(_SLOTS, int((now - self._turn_at) // self._width) + 1) if now >= self._turn_at else 0
        for _ in range(passed):
            self._past.append(self.current)
            self.current = [0] * self._kinds
        if passed:
            self._turn_at += self._width * passed
            self._turn_at = max(self._turn_at, now)
        return [sum(column) for column in zip(self.current, *self._past, strict=True)]

    def clear(self, now: float) -> None:
        """Begins anew."""
        self._past.clear()
        self.current = [0] * self._kinds
        self._turn_at = now + self._width
