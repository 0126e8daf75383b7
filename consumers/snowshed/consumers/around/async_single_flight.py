"""One call a key at a time, for asyncio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from snowshed.consumers.around.single_flight import WAITERS, too_many_wait
from snowshed.consumers.around.urgency import goes_again
from snowshed.schemas.errors import Rejected
from snowshed.schemas.forking import survive_fork
from snowshed.schemas.propagation import CallContext, call_context

__all__ = ["AsyncSingleFlight"]

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class _Flight(Generic[_V]):
    __slots__ = ("context", "task", "waiters")

    def __init__(self, context: CallContext, task: asyncio.Task[_V]) -> None:
        self.context = context
        self.task = task
        self.waiters = 0


class AsyncSingleFlight(Generic[_K, _V]):
    """`SingleFlight` for tasks; each event loop has its own calls in flight.

    The call runs in a task of its own, so that a waiter that is cancelled or times out leaves it to the others; when
    nobody waits for it any more it is cancelled.

    Args:
        scope: what is called, for errors.
        waiters: how many may wait for one call; more are refused.
    """

    def __init__(self, scope: str, *, waiters: int = WAITERS) -> None:
        self._scope = scope
        self._waiters = waiters
        self.after_fork()
        survive_fork(self)

    def after_fork(self) -> None:
        """Forgets, in a forked child, the calls of the parent's loops, which do not run there."""
        self._lock = threading.RLock()  # a task may be forgotten in the midst of this thread's own step
        self._flights: dict[tuple[asyncio.AbstractEventLoop, _K], _Flight[_V]] = {}

    async def call(self, key: _K, load: Callable[[], Coroutine[Any, Any, _V]]) -> _V:
        """The answer of the call in flight for `key`, or of `load` when there is none.

        Args:
            key: equal for calls that have the same answer.
            load: makes the call; it runs with the context of the first that asked.

        Raises:
            Rejected: too many are waiting already.
        """
        flight = self._join(key, load)
        try:
            return await self._wait(key, flight)
        except (Rejected, TimeoutError) as error:
            if not goes_again(error, call_context(), flight.context):
                raise
        return await self._wait(key, self._join(key, load))

    def waiting(self, key: _K) -> int:
        """How many tasks of the running loop wait for the call in flight, the first that asked included."""
        with self._lock:
            flight = self._flights.get((asyncio.get_running_loop(), key))
            return 0 if flight is None else flight.waiters

    def forget(self, key: _K) -> None:
        """Who asks from now on does not wait for the call in flight, whose answer may be outdated."""
        with self._lock:
            for place in [place for place in tuple(self._flights) if place[1] == key]:
                self._flights.pop(place, None)

    async def _wait(self, key: _K, flight: _Flight[_V]) -> _V:
        try:
            return await asyncio.shield(flight.task)
        finally:
            with self._lock:
                flight.waiters -= 1
                is_deserted = not flight.waiters and not flight.task.done()
            if is_deserted:
                self._land((asyncio.get_running_loop(), key), flight.task)
                flight.task.cancel()

    def _join(self, key: _K, load: Callable[[], Coroutine[Any, Any, _V]]) -> _Flight[_V]:
        place = (asyncio.get_running_loop(), key)
        with self._lock:
            flight = self._flights.get(place)
            if flight is None or flight.task.done() or flight.task.cancelling():
                flight = self._flights[place] = _Flight(call_context(), asyncio.create_task(_run(load)))
                flight.task.add_done_callback(lambda task: self._land(place, task))
            elif flight.waiters > self._waiters:
                raise too_many_wait(self._scope, self._waiters)
            flight.waiters += 1
            return flight

    def _land(self, place: tuple[asyncio.AbstractEventLoop, _K], task: asyncio.Task[_V]) -> None:
        with self._lock:
            flight = self._flights.get(place)
            if flight is not None and flight.task is task:
                self._flights.pop(place, None)
        if task.done() and not task.cancelled():
            task.exception()  # was looked at, so that asyncio does not report it


async def _run(load: Callable[[], Coroutine[Any, Any, _V]]) -> _V:
    return await load()
