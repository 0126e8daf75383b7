"""One request in a wait queue, from its arrival to its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Protocol

from snowshed.consumers.brakes.wait_line import Waiting
from snowshed.consumers.permit import Permit
from snowshed.schemas.errors import Rejected

__all__ = ["Ending", "Request", "Turn", "Wake"]


class Ending(Enum):
    """How a wait ends."""

    CALLED = "called"
    """In time, with a place."""
    LATE = "late"
    """Its time is up."""
    DISPLACED = "displaced"
    """Something more urgent took its place in a full line."""


Wake = Callable[[], bool]
"""Tells a request that its wait is over; from any thread, never under a lock. False when nobody is there any more."""


class Request:
    """Who waits."""

    __slots__ = ("_wake", "is_displaced")

    def __init__(self, wake: Wake) -> None:
        self._wake: Wake | None = wake
        self.is_displaced = False
        """Whether it had to leave the line for something more urgent."""

    def tell(self) -> bool:
        """Wakes it, and lets go of it: a task that its loop has forgotten can then be disposed of, and leave."""
        wake, self._wake = self._wake, None
        return wake is None or wake()


class _Queue(Protocol):
    """What a turn asks of its queue."""

    clock: Callable[[], float]

    def request(self, operation: str, wake: Wake) -> Waiting[Request]: ...
    def arrive(self, waiting: Waiting[Request], operation: str) -> bool: ...
    def conclude(self, waiting: Waiting[Request]) -> Ending: ...
    def admit(self, operation: str, tenant: str, waited: float) -> Permit: ...
    def give_up(self, operation: str, waited: float, ending: Ending) -> Rejected: ...
    def leave(self, waiting: Waiting[Request]) -> None: ...


class Turn:
    """A block that serves one request, plain or async; entering it waits.

    It leaves the queue however it ends: by its block, an exception, a cancellation or an interrupt at any place, or
    because it is forgotten.
    """

    _waiting: Waiting[Request] | None = None
    """What it has in the queue; here, so that it is known also of a turn that an interrupt has kept from being made."""

    def __init__(self, queue: _Queue, operation: str, tenant: str) -> None:
        self._queue = queue
        self._operation = operation
        self._tenant = tenant
        self._permit: Permit | None = None

    def __enter__(self) -> Permit:
        box = SimpleQueue[bool]()  # the one thing that may be told also from a finaliser of the thread that waits

        def wake() -> bool:
            box.put(True)
            return True

        waiting = self._request(wake)
        try:
            if self._queue.arrive(waiting, self._operation):
                return self._begin(0.0)
            with suppress(Empty):
                box.get(timeout=self._patience(waiting))
            return self._end_wait(waiting)
        except BaseException:
            self._leave()
            raise

    async def __aenter__(self) -> Permit:
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        waiting = self._request(lambda: _tell(loop, woken))
        try:
            if self._queue.arrive(waiting, self._operation):
                return self._begin(0.0)
            await asyncio.wait({woken}, timeout=self._patience(waiting))
            return self._end_wait(waiting)
        except BaseException:
            self._leave()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        permit, self._permit = self._permit, None
        try:
            if permit is not None:
                permit.__exit__(kind, error, traceback)
        finally:
            self._leave()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __del__(self) -> None:
        if self._waiting is not None:
            self._leave()

    def _request(self, wake: Wake) -> Waiting[Request]:
        if self._waiting is not None:
            raise RuntimeError("this turn has been entered already; ask the queue for one of its own for each request")
        waiting = self._waiting = self._queue.request(self._operation, wake)
        return waiting

    def _begin(self, waited: float) -> Permit:
        self._permit = self._queue.admit(self._operation, self._tenant, waited)
        return self._permit

    def _end_wait(self, waiting: Waiting[Request]) -> Permit:
        ending = self._queue.conclude(waiting)
        waited = self._queue.clock() - waiting.since
        if ending is Ending.CALLED:
            return self._begin(waited)
        raise self._queue.give_up(self._operation, waited, ending)

    def _leave(self) -> None:
        waiting = self._waiting
        if waiting is not None:
            # In this order: to leave twice does no harm, and an interrupt must not keep it from leaving at all.
            self._queue.leave(waiting)
            self._waiting = None

    def _patience(self, waiting: Waiting[Request]) -> float:
        return min(max(0.0, waiting.until - self._queue.clock()), threading.TIMEOUT_MAX)


def _tell(loop: asyncio.AbstractEventLoop, woken: asyncio.Future[None]) -> bool:
    try:
        is_here = asyncio.get_running_loop() is loop
    except RuntimeError:
        is_here = False
    if is_here:  # most of the time: waking a loop from outside costs a system call
        _wake(woken)
        return True
    try:
        loop.call_soon_threadsafe(_wake, woken)
    except RuntimeError:  # the loop has been closed, and with it the task has ended
        return False
    return True


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
