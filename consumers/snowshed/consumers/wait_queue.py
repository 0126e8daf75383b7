"""A bounded queue in front of a Guard, for hosts that let requests wait instead of refusing them at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from typing import TypeVar

from snowshed.consumers.admission.decided import Brake, Refusal
from snowshed.consumers.brakes.bounds import check
from snowshed.consumers.brakes.degrade import priority
from snowshed.consumers.brakes.wait_line import Waiting, WaitLine
from snowshed.consumers.guard import Guard
from snowshed.consumers.permit import Permit
from snowshed.consumers.turn import Ending, Request, Turn, Wake
from snowshed.schemas.errors import ConfigurationError, Rejected
from snowshed.schemas.forking import survive_fork
from snowshed.schemas.propagation import call_context

__all__ = ["WaitQueue", "WaitQueueOptions"]

_R = TypeVar("_R")

_LATER = 1.0
"""Seconds after which a request that found no place may come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitQueueOptions:
    """How many may wait, and how long."""

    capacity: int = 1000
    """Requests that may wait."""
    longest_wait: float = 5.0
    """Seconds after which a request is given up, whatever its deadline."""
    long_above: int = 10
    """When more than this wait, or than are served at a time, the highest priority is served first,
    and of that the last come: not everybody can be served in time any more."""

    def __post_init__(self) -> None:
        check(self, capacity=self.capacity, longest_wait=self.longest_wait, long_above=self.long_above)


_DEFAULT = WaitQueueOptions()


class _Place(Enum):
    """Where a request stands after its arrival."""

    SERVED = auto()
    LINE = auto()
    NONE = auto()


class WaitQueue:
    """Serves so many requests at a time and lets others wait, threads and asyncio tasks alike.

    ::

        queue = WaitQueue(guard, concurrency=32)
        with queue.enter("read") as permit: ...
        async with queue.enter("read") as permit: ...

    A request whose priority is shed is refused on arrival. One that can no longer be in time is dropped when its turn
    comes or its time is up, and the longest waiting of the lowest priority when the line is full and something more
    urgent comes. The others are put to the Guard after their wait, with the seconds they have waited.

    Args:
        guard: the guard of this service.
        concurrency: requests served at a time; None for the guard's concurrency limit alone.
        options: how many may wait, and how long.
        clock: monotonic seconds, the same clock as the guard's.

    Raises:
        ConfigurationError: neither `concurrency` nor the guard says how many are served at a time.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        concurrency: int | None = None,
        options: WaitQueueOptions = _DEFAULT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if concurrency is None and guard.concurrency is None:
            raise ConfigurationError(
                f"the wait queue of {guard.scope} has no bound: give it concurrency=, "
                "or give its guard LocalBrakes(limit=ConcurrencyLimitOptions())"
            )
        self.guard = guard
        guard.slots = None if concurrency is None else max(1, concurrency)
        self.clock = clock
        self._concurrency = concurrency
        self._options = options
        self.after_fork()
        survive_fork(self)

    def after_fork(self) -> None:
        """Starts empty: who waits or is served in the parent is not in a forked child."""
        # A finaliser or a signal handler may leave in the midst of this thread's own change.
        self._lock = threading.RLock()
        self._inside = False
        options, concurrency = self._options, self._concurrency
        long_above = options.long_above if concurrency is None else min(options.long_above, concurrency)
        self._line: WaitLine[Request] = WaitLine(options.capacity, long_above)
        self._served: set[Waiting[Request]] = set()
        self._leaving: deque[Waiting[Request]] = deque()
        self._told: deque[Waiting[Request]] = deque()

    @property
    def waiting(self) -> int:
        """Requests that wait now."""
        return len(self._line)

    @property
    def serving(self) -> int:
        """Requests that are served now."""
        return len(self._served)

    def enter(self, operation: str = "", *, tenant: str = "") -> Turn:
        """A block that serves one request; entering it waits for the request's turn, or raises `Rejected`."""
        return Turn(self, operation, tenant)

    def request(self, operation: str, wake: Wake) -> Waiting[Request]:
        """A request that has not arrived yet; `wake` is told when its wait is over.

        Raises:
            Rejected: its priority is shed.
        """
        refusal = self.guard.turn_away(operation)
        if refusal is not None:
            raise refusal.error(self.guard.scope)
        now, context = self.clock(), call_context()
        until = min(now + self._options.longest_wait, inf if context.deadline is None else context.deadline)
        return Waiting(Request(wake), now, until, priority(context.criticality, context.cohort))

    def arrive(self, waiting: Waiting[Request], operation: str) -> bool:
        """Whether a request has a place at once; otherwise it has joined the line.

        Raises:
            Rejected: the line is full of what is no less urgent.
        """
        place = self._alone(lambda: self._join(waiting))
        if place is None:  # in the midst of this thread's own change: it would wait for itself
            self._served.add(waiting)
            return True
        if place is _Place.NONE:
            full = Refusal(Brake.QUEUE, f"{self.waiting} requests wait already", _LATER)
            raise self.guard.count_refusal(full, operation).error(self.guard.scope)
        return place is _Place.SERVED

    def conclude(self, waiting: Waiting[Request]) -> Ending:
        """How the wait of a request has ended that has been woken, or waits no longer."""

        def look() -> Ending:
            if waiting in self._served:
                return Ending.CALLED
            self._line.leave(waiting)
            return Ending.DISPLACED if waiting.who.is_displaced else Ending.LATE

        return self._alone(look) or Ending.LATE

    def admit(self, operation: str, tenant: str, waited: float) -> Permit:
        """Asks the guard after the wait.

        Raises:
            Rejected: a brake refused the request.
        """
        return self.guard(operation, tenant=tenant, queued_for=waited)

    def give_up(self, operation: str, waited: float, ending: Ending) -> Rejected:
        """The error of a request that has waited in vain."""
        if ending is Ending.DISPLACED:
            reason = f"after a wait of {waited:.2f} s a more urgent request took its place in the full queue"
            refusal = Refusal(Brake.QUEUE, reason, _LATER)
        else:
            refusal = Refusal(Brake.DEADLINE, f"not served in time after a wait of {waited:.2f} s", 0.0)
        return self.guard.count_refusal(refusal, operation, queued_for=waited).error(self.guard.scope)

    def leave(self, waiting: Waiting[Request]) -> None:
        """Takes a request out, wherever it is, and calls those whose turn it is, or would have been; does so once."""
        self._leaving.append(waiting)
        self._alone(lambda: None)

    def _alone(self, work: Callable[[], _R]) -> _R | None:
        """What some work gives while no other thread changes anything, those who leave having left.

        None, and the work is not done, when this thread is in the midst of a change itself; that looks again for those
        who leave before it ends.
        """
        with self._lock:
            if self._inside:
                return None
            self._inside = True
            try:
                self._settle()
                result = work()
                self._settle()
            finally:
                self._inside = False
        self._tell()
        return result

    def _settle(self) -> None:
        """Lets go who leaves, and calls who is next; an interrupt at any place leaves the rest to the next time."""
        leaving = self._leaving
        while True:
            while leaving:
                self._served.discard(leaving[0])
                self._line.leave(leaving[0])
                leaving.popleft()
            self._call()
            if not leaving:
                return

    def _join(self, waiting: Waiting[Request]) -> _Place:
        if not self._line and len(self._served) < self._places:
            self._served.add(waiting)
            return _Place.SERVED
        displaced = self._line.join(waiting)
        if displaced is waiting:
            return _Place.NONE
        if displaced is not None:
            displaced.who.is_displaced = True
            self._told.append(displaced)
        return _Place.LINE

    def _call(self) -> None:
        if not self._line:
            return
        now, needed = self.clock(), self.guard.service_time or 0.0
        while self._line and len(self._served) < self._places:
            called, too_late = self._line.call(now, needed)
            self._told.extend(too_late)
            if called is not None:
                self._served.add(called)
                self._told.append(called)

    def _tell(self) -> None:
        """Wakes those whose wait is over, outside of the lock: it is other people's code."""
        told = self._told
        while told:
            try:
                waiting = told.popleft()
            except IndexError:  # another thread was quicker
                return
            if not waiting.who.tell():
                self.leave(waiting)

    @property
    def _places(self) -> int:
        bounds = [bound for bound in (self._concurrency, self.guard.concurrency) if bound is not None]
        return max(1, min(bounds))
