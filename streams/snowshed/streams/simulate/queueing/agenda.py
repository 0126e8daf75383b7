"""What is going to happen, in order."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any

__all__ = ["Agenda"]

Action = Callable[[float, Any], None]


class Agenda:
    """Actions by time; those of one moment in the order in which they were put down."""

    __slots__ = ("_events", "_numbers", "happened")

    def __init__(self) -> None:
        self._events: list[tuple[float, int, Action, Any]] = []
        self._numbers = count()
        self.happened = 0
        """Actions carried out."""

    def put(self, time: float, action: Action, argument: Any = None) -> None:
        """Have `action(time, argument)` called when its time has come."""
        heappush(self._events, (time, next(self._numbers), action, argument))

    def run_until(self, end: float) -> None:
        """Carry out all that lies before `end`, and what comes of it before then."""
        events = self._events
        happened = 0
        while events and events[0][0] < end:
            time, _, action, argument = heappop(events)
            action(time, argument)
            happened += 1
        self.happened += happened
