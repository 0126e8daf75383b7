"""One request in a wait queue, from its arrival to its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Protocol

from snowshed.consumers.brakes.wait_line import Waiting
from snowshed.consumers.permit import Permit
from snowshed.schemas.errors import Rejected

__all__ = ["Ending", "Turn", "Wake"]


class Ending(Enum):
    """How a wait ends."""

    CALLED = "called"
    """In time, with a place."""
    LATE = "late"
    """Its time is up."""
    DISPLACED = "displaced"
    """Something more urgent took its place in a full line."""


Wake = Callable[[Ending], None]
"""Is told how the wait ended; called from any thread, never under a lock."""


class _Queue(Protocol):
    """What a turn asks of its queue."""

    clock: Callable[[], float]

    def arrive(self, operation: str, wake: Wake) -> Waiting[Wake] | None: ...
    def admit(self, operation: str, tenant: str, waited: float) -> Permit: ...
    def give_up(self, operation: str, waited: float, ending: Ending) -> Rejected: ...
    def leave(self, waiting: Waiting[Wake]) -> bool: ...
    def done(self) -> None: ...


class Turn:
    """A block that serves one request, plain or async; entering it waits."""

    __slots__ = ("_operation", "_permit", "_queue", "_tenant")

    def __init__(self, queue: _Queue, operation: str, tenant: str) -> None:
        self._queue = queue
        self._operation = operation
        self._tenant = tenant
        self._permit: Permit | None = None

    def __enter__(self) -> Permit:
        woken = threading.Event()
        endings: list[Ending] = []

        def wake(ending: Ending) -> None:
            endings.append(ending)
            woken.set()

        waiting = self._queue.arrive(self._operation, wake)
        if waiting is None:
            return self._begin(0.0)
        if not woken.wait(self._patience(waiting)) and not self._queue.leave(waiting):
            woken.wait()
        return self._end_wait(waiting, endings[0] if endings else Ending.LATE)

    async def __aenter__(self) -> Permit:
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[Ending] = loop.create_future()
        waiting = self._queue.arrive(self._operation, lambda ending: _tell(loop, woken, ending))
        if waiting is None:
            return self._begin(0.0)
        try:
            await asyncio.wait({woken}, timeout=self._patience(waiting))
            if not woken.done() and not self._queue.leave(waiting):
                await asyncio.wait({woken})
        except asyncio.CancelledError:
            self._abandon(waiting, woken)
            raise
        return self._end_wait(waiting, woken.result() if woken.done() else Ending.LATE)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        permit, self._permit = self._permit, None
        if permit is not None:
            permit.__exit__(kind, error, traceback)
            self._queue.done()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _begin(self, waited: float) -> Permit:
        self._permit = self._queue.admit(self._operation, self._tenant, waited)
        return self._permit

    def _end_wait(self, waiting: Waiting[Wake], ending: Ending) -> Permit:
        waited = self._queue.clock() - waiting.since
        if ending is Ending.CALLED:
            return self._begin(waited)
        raise self._queue.give_up(self._operation, waited, ending)

    def _patience(self, waiting: Waiting[Wake]) -> float:
        return max(0.0, waiting.until - self._queue.clock())

    def _abandon(self, waiting: Waiting[Wake], woken: asyncio.Future[Ending]) -> None:
        """A task that is cancelled just when its turn comes hands its place on."""
        if not self._queue.leave(waiting):
            woken.add_done_callback(self._hand_on)

    def _hand_on(self, woken: asyncio.Future[Ending]) -> None:
        if woken.result() is Ending.CALLED:
            self._queue.done()


def _tell(loop: asyncio.AbstractEventLoop, woken: asyncio.Future[Ending], ending: Ending) -> None:
    try:
        is_here = asyncio.get_running_loop() is loop
    except RuntimeError:
        is_here = False
    if is_here:  # most of the time: waking a loop from outside costs a system call
        woken.set_result(ending)
    else:
        loop.call_soon_threadsafe(woken.set_result, ending)
