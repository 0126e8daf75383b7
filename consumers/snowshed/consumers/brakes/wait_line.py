"""In which order those that wait are served, and who waits no longer; pure."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
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
    level: int
    """Its priority: 0 goes first, 511 last."""


class WaitLine(Generic[_T]):
    """First come, first served, until the line is long: then the highest priority, and of that the last come.

    A long line is one that will not serve everybody in time. Whom it serves at all matters more then than the order
    of arrival: the urgent, the same tasks again at each of their calls, and those whose time is not yet used up.

    Args:
        capacity: how many may wait.
        long_above: a line of more than this is long.
    """

    __slots__ = ("_by_level", "_capacity", "_levels", "_line", "_long_above")

    def __init__(self, capacity: int, long_above: int) -> None:
        self._capacity = capacity
        self._long_above = long_above
        self._line: OrderedDict[Waiting[_T], None] = OrderedDict()
        self._by_level: dict[int, OrderedDict[Waiting[_T], None]] = {}
        self._levels: list[int] = []
        """Those that somebody waits at, ascending."""

    def __len__(self) -> int:
        return len(self._line)

    def join(self, waiting: Waiting[_T]) -> Waiting[_T] | None:
        """Puts somebody in the line; gives who has no place in it, if anybody.

        That is the longest waiting of the lowest priority when the line is full, or the newcomer when it is of no
        higher priority than that.
        """
        displaced = None
        if len(self._line) >= self._capacity:
            if not self._levels or waiting.level >= self._levels[-1]:
                return waiting
            displaced = next(iter(self._by_level[self._levels[-1]]))
            self._remove(displaced)
        self._by_level.setdefault(waiting.level, OrderedDict())[waiting] = None
        if self._place_of(waiting.level) is None:
            insort(self._levels, waiting.level)
        self._line[waiting] = None
        return displaced

    def leave(self, waiting: Waiting[_T]) -> bool:
        """Takes somebody out; False when they have been called already."""
        was_here = waiting in self._line
        self._remove(waiting)
        return was_here

    def call(self, now: float, needed: float) -> tuple[Waiting[_T] | None, list[Waiting[_T]]]:
        """Takes out the next to be served, None when nobody is left, and those before it that cannot be in time.

        Args:
            now: the present.
            needed: seconds that serving takes.
        """
        too_late: list[Waiting[_T]] = []
        while self._line:
            waiting = self._next()
            self._remove(waiting)
            if waiting.until - now > needed:
                return waiting, too_late
            too_late.append(waiting)
        return None, too_late

    def _next(self) -> Waiting[_T]:
        if len(self._line) > self._long_above and self._levels:
            return next(reversed(self._by_level[self._levels[0]]))
        return next(iter(self._line))

    def _remove(self, waiting: Waiting[_T]) -> None:
        """Takes somebody out, also where an interrupt has left them half in or half out.

        A level is known only while somebody waits at it, whatever breaks in.
        """
        level = waiting.level
        here = self._by_level.get(level)
        if here is not None and waiting in here:
            if len(here) == 1:
                place = self._place_of(level)
                if place is not None:
                    del self._levels[place]
                del self._by_level[level]
            else:
                del here[waiting]
        self._line.pop(waiting, None)

    def _place_of(self, level: int) -> int | None:
        place = bisect_left(self._levels, level)
        return place if place < len(self._levels) and self._levels[place] == level else None
