"""A bounded queue in front of a Guard, for hosts that let requests wait instead of refusing them at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from snowshed.consumers.admission.decided import Brake, Refusal
from snowshed.consumers.brakes.degrade import priority
from snowshed.consumers.brakes.wait_line import Waiting, WaitLine
from snowshed.consumers.guard import Guard
from snowshed.consumers.permit import Permit
from snowshed.consumers.turn import Ending, Turn, Wake
from snowshed.schemas.errors import ConfigurationError, Rejected
from snowshed.schemas.propagation import call_context

__all__ = ["WaitQueue", "WaitQueueOptions"]

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
    """When more than this wait, the highest priority is served first, and of that the last come: not everybody can be
    served in time any more."""


_DEFAULT = WaitQueueOptions()


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
        self.clock = clock
        self._concurrency = concurrency
        self._longest_wait = options.longest_wait
        self._lock = threading.Lock()
        self._line: WaitLine[Wake] = WaitLine(options.capacity, options.long_above)
        self._serving = 0

    @property
    def waiting(self) -> int:
        """Requests that wait now."""
        return len(self._line)

    @property
    def serving(self) -> int:
        """Requests that are served now."""
        return self._serving

    def enter(self, operation: str = "", *, tenant: str = "") -> Turn:
        """A block that serves one request; entering it waits for the request's turn, or raises `Rejected`."""
        return Turn(self, operation, tenant)

    def arrive(self, operation: str, wake: Wake) -> Waiting[Wake] | None:
        """Takes a place, which gives None, or joins the line; `wake` is told later how the wait ended.

        Raises:
            Rejected: the request's priority is shed, or the line is full of what is no less urgent.
        """
        refusal = self.guard.turn_away(operation)
        if refusal is not None:
            raise refusal.error(self.guard.scope)
        now, context = self.clock(), call_context()
        until = min(now + self._longest_wait, inf if context.deadline is None else context.deadline)
        waiting = Waiting(wake, now, until, priority(context.criticality, context.cohort))
        with self._lock:
            if not self._line and self._serving < self._places:
                self._serving += 1
                return None
            displaced = self._line.join(waiting)
        if displaced is waiting:
            full = Refusal(Brake.QUEUE, f"{self.waiting} requests wait already", _LATER)
            raise self.guard.count_refusal(full, operation).error(self.guard.scope)
        if displaced is not None:
            displaced.who(Ending.DISPLACED)
        return waiting

    def admit(self, operation: str, tenant: str, waited: float) -> Permit:
        """Asks the guard after the wait; a refusal gives the place to the next.

        Raises:
            Rejected: a brake refused the request.
        """
        answer = self.guard.try_admit(operation, tenant=tenant, queued_for=waited)
        if isinstance(answer, Permit):
            return answer
        self.done()
        raise answer.error(self.guard.scope)

    def give_up(self, operation: str, waited: float, ending: Ending) -> Rejected:
        """The error of a request that has waited in vain."""
        if ending is Ending.DISPLACED:
            reason = f"after a wait of {waited:.2f} s a more urgent request took its place in the full queue"
            refusal = Refusal(Brake.QUEUE, reason, _LATER)
        else:
            refusal = Refusal(Brake.DEADLINE, f"not served in time after a wait of {waited:.2f} s", 0.0)
        return self.guard.count_refusal(refusal, operation, queued_for=waited).error(self.guard.scope)

    def leave(self, waiting: Waiting[Wake]) -> bool:
        """Waits no longer; False when the request has been called in the meantime, and `wake` is told."""
        with self._lock:
            return self._line.leave(waiting)

    def done(self) -> None:
        """Gives a place back and wakes those whose turn it is, or would have been."""
        needed = self.guard.service_time or 0.0
        with self._lock:
            self._serving -= 1
            calls = self._call(needed)
        # Outside of the lock: waking is other people's code.
        for wake, ending in calls:
            wake(ending)

    def _call(self, needed: float) -> list[tuple[Wake, Ending]]:
        calls: list[tuple[Wake, Ending]] = []
        now = self.clock()
        while self._line and self._serving < self._places:
            called, too_late = self._line.call(now, needed)
            calls += [(waiting.who, Ending.LATE) for waiting in too_late]
            if called is not None:
                self._serving += 1
                calls.append((called.who, Ending.CALLED))
        return calls

    @property
    def _places(self) -> int:
        bounds = [bound for bound in (self._concurrency, self.guard.concurrency) if bound is not None]
        return max(1, min(bounds))
