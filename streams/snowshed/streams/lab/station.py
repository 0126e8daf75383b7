"""A service's own work: so many slots, one queue, exponential service times."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from snowshed.streams.lab.heap import HeapSpec

__all__ = ["Station", "Turn"]


@dataclass(slots=True)
class Turn:
    """A slot that a request holds."""

    begun: float
    """When the slot became its own."""
    queued: float
    """Seconds it waited for that."""


class Station:
    """First come, first served.

    A timer is late by a millisecond or so. Work therefore begins when the slot should have become free, not when the
    timer fired: late timers delay answers a little and cost no capacity. That holds too for a request that has waited
    in a queue in front of this one; what that queue takes to hand it over is its own cost.

    Args:
        slots: requests worked on at once.
        mean: seconds of work a request takes on average.
        draw: exponential random numbers of mean 1.
        heap: what the requests inside keep live, where that slows the work down.
    """

    def __init__(self, slots: int, mean: float, draw: Callable[[], float], heap: HeapSpec | None = None) -> None:
        self.factor = 1.0
        """Share of the capacity that is left; work that has begun keeps its length."""
        self._slots = slots
        self._heap = heap
        self._free = [0.0] * slots
        """By how many seconds each free slot became so too late."""
        self._mean = mean
        self._draw = draw
        self._waiting: deque[asyncio.Future[float]] = deque()

    @property
    def queue(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    @property
    def inside(self) -> int:
        """Requests that wait or are worked on."""
        return len(self._waiting) + self._slots - len(self._free)

    async def enter(self, since: float) -> Turn:
        """Wait for a slot.

        Args:
            since: when the request arrived at the service, of `time.monotonic()`.

        Raises:
            MemoryError: the heap has no room for it.
        """
        if self._heap is not None and not self._heap.has_room(self.inside):
            raise MemoryError
        arrived = time.monotonic()
        if self._free:
            return Turn(max(since, arrived - self._free.pop()), 0.0)
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            begun = max(arrived, await turn)
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(turn.result())
            raise
        return Turn(begun, begun - arrived)

    async def work(self, turn: Turn) -> None:
        """Work on a request; the turn then begins anew, for whatever its holder does next."""
        turn.begun += self._mean * self._draw() / self.factor
        if self._heap is not None:
            # All slots stand still meanwhile: each loses what the requests in all of them cause.
            turn.begun += self._slots * self._heap.pause(self.inside)
        await asyncio.sleep(max(0.0, turn.begun - time.monotonic()))

    def leave(self, freed: float) -> None:
        """Give a slot back that became free at this moment."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(freed)
                return
        self._free.append(max(0.0, time.monotonic() - freed))
