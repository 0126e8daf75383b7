"""The smallest produce round trip of the last minutes: the bound on how well a node's clock can be compared."""

from __future__ import annotations

from math import nan

__all__ = ["WindowMinimum"]


class WindowMinimum:
    """The minimum over a sliding window, in constant memory.

    The window is cut into slots and forgotten slot by slot, so that a value counts for at least `window` and less than
    `window + window/slots` seconds.

    Args:
        window: seconds a value counts.
        slots: pieces the window is cut into.
    """

    def __init__(self, window: float = 300.0, slots: int = 10) -> None:
        self._width = window / slots
        self._slots = slots
        self._minima: dict[int, float] = {}

    def add(self, value: float, now: float) -> None:
        """Count a value measured at `now` (monotonic seconds)."""
        slot = int(now // self._width)
        known = self._minima.get(slot)
        if known is None:
            self._minima = {old: least for old, least in self._minima.items() if old >= slot - self._slots}
        if known is None or value < known:
            self._minima[slot] = value

    def at(self, now: float) -> float:
        """The smallest value that still counts; NaN if there is none."""
        oldest = int(now // self._width) - self._slots
        return min((least for slot, least in tuple(self._minima.items()) if slot >= oldest), default=nan)
