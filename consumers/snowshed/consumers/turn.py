"""One request in a wait queue, from its arrival to its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from snowshed.consumers.brakes.wait_line import Waiting
from snowshed.consumers.permit import Permit
from snowshed.schemas.errors import Rejected

__all__ = ["Turn", "Wake"]

Wake = Callable[[bool], None]
"""Is told whether the turn came in time; called from any thread, never under a lock."""


class _Queue(Protocol):
    """What a turn asks of its queue."""

    clock: Callable[[], float]

    def arrive(self, operation: str, wake: Wake) -> Waiting[Wake] | None: ...
    def admit(self, operation: str, tenant: str, waited: float) -> Permit: ...
    def give_up(self, operation: str, waited: float) -> Rejected: ...
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
        verdict: list[bool] = []

        def wake(in_time: bool) -> None:
            verdict.append(in_time)
            woken.set()

        waiting = self._queue.arrive(self._operation, wake)
        if waiting is None:
            return self._begin(0.0)
        if not woken.wait(self._patience(waiting)) and not self._queue.leave(waiting):
            woken.wait()
        return self._end_wait(waiting, in_time=any(verdict))

    async def __aenter__(self) -> Permit:
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[bool] = loop.create_future()
        waiting = self._queue.arrive(self._operation, lambda in_time: _tell(loop, woken, in_time))
        if waiting is None:
            return self._begin(0.0)
        try:
            await asyncio.wait({woken}, timeout=self._patience(waiting))
            if not woken.done() and not self._queue.leave(waiting):
                await asyncio.wait({woken})
        except asyncio.CancelledError:
            self._abandon(waiting, woken)
            raise
        return self._end_wait(waiting, in_time=woken.done() and woken.result())

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

    def _end_wait(self, waiting: Waiting[Wake], *, in_time: bool) -> Permit:
        waited = self._queue.clock() - waiting.since
        if in_time:
            return self._begin(waited)
        raise self._queue.give_up(self._operation, waited)

    def _patience(self, waiting: Waiting[Wake]) -> float:
        return max(0.0, waiting.until - self._queue.clock())

    def _abandon(self, waiting: Waiting[Wake], woken: asyncio.Future[bool]) -> None:
        """A task that is cancelled just when its turn comes hands its place on."""
        if not self._queue.leave(waiting):
            woken.add_done_callback(self._hand_on)

    def _hand_on(self, woken: asyncio.Future[bool]) -> None:
        if woken.result():
            self._queue.done()


def _tell(loop: asyncio.AbstractEventLoop, woken: asyncio.Future[bool], in_time: bool) -> None:
    loop.call_soon_threadsafe(woken.set_result, in_time)
