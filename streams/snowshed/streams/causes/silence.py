"""A component whose rows stop while the others' go on."""

from __future__ import annotations

__all__ = ["Silence"]

_OFTEN = 0.9
"""Share of the intervals in which a component must have been measured to be missed."""


class Silence:
    """Rows of one component that are missed.

    Args:
        intervals: in a row that are no chance.
        learning: intervals in which it must have been measured before.
    """

    def __init__(self, intervals: int, learning: int) -> None:
        self._intervals, self._learning = intervals, learning
        self._there = self._due = 0
        self._gap = self._ended = self._longest = 0

    def take(self, *, there: bool) -> float:
        """How long it has been missed, as a multiple of what would be no chance; 1 is too long."""
        self._ended = self._gap if there else 0
        self._gap = 0 if there else self._gap + 1
        if self._there < max(self._learning, _OFTEN * self._due):
            return 0.0
        return self._gap / max(self._intervals, 2 * self._longest + 1)

    def learn(self) -> None:
        """Remember the newest: nothing was wrong."""
        self._there += self._gap == 0
        self._due += 1
        self._longest = max(self._longest, self._ended)

    def forget(self) -> None:
        """Begin anew."""
        self._there = self._due = self._gap = self._ended = self._longest = 0
