"""In which order those that wait are served, and who waits no longer; pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["WaitLine", "Waiting"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class Waiting(Generic[_T]):
    """Somebody in the line."""

    who: _T
    since: float
    until: float
    """The time after which being served is of no use."""


class WaitLine(Generic[_T]):
    """First come, first served, until the line is long: then the last come, who can still be in time.

    Args:
        capacity: how many may wait.
        lifo_above: a line of more than this is long.
    """

    __slots__ = ("_capacity", "_lifo_above", "_line")

    def __init__(self, capacity: int, lifo_above: int) -> None:
        self._capacity = capacity
        self._lifo_above = lifo_above
        self._line: deque[Waiting[_T]] = deque()

    def __len__(self) -> int:
        return len(self._line)

    def join(self, waiting: Waiting[_T]) -> bool:
        """Puts somebody in the line; False when it is full."""
        if len(self._line) >= self._capacity:
            return False
        self._line.append(waiting)
        return True

    def leave(self, waiting: Waiting[_T]) -> bool:
        """Takes somebody out; False when they have been called already."""
        if waiting not in self._line:
            return False
        self._line.remove(waiting)
        return True

    def call(self, now: float, needed: float) -> tuple[Waiting[_T] | None, list[Waiting[_T]]]:
        """Takes out the next to be served, None when nobody is left, and those before it that cannot be in time.

        Args:
            now: the present.
            needed: seconds that serving takes.
        """
        too_late: list[Waiting[_T]] = []
        while self._line:
            waiting = self._line.pop() if len(self._line) > self._lifo_above else self._line.popleft()
            if waiting.until - now > needed:
                return waiting, too_late
            too_late.append(waiting)
        return None, too_late
