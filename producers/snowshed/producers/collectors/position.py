"""How far a source's log has come, as far as the collectors of one process know."""

from __future__ import annotations

from math import isnan, nan

__all__ = ["SourcePosition"]


class SourcePosition:
    """The furthest position of a source that any collector of this process has learned; NaN before the first.

    Safe to share between threads: a value that loses a race is at most one poll old.
    """

    def __init__(self) -> None:
        self.value = nan

    def learn(self, position: float) -> float:
        """Take note of a position, NaN included, and give the furthest known one."""
        if not position <= self.value and not isnan(position):
            self.value = position
        return self.value
