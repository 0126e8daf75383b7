"""One call a key at a time: whoever asks for what is already being asked waits for that answer, in threads.

::

    flights = SingleFlight[int, Item]("catalogue")
    item = flights.call(7, lambda: load(7))
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from contextlib import ExitStack
from math import inf
from types import TracebackType
from typing import Generic, TypeVar

from snowshed.consumers.around.urgency import goes_again
from snowshed.schemas.errors import Rejected
from snowshed.schemas.forking import survive_fork
from snowshed.schemas.propagation import CallContext, call_context

__all__ = ["WAITERS", "SingleFlight", "too_many_wait"]

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")

WAITERS = 1_000
"""How many may wait for one call unless it is said otherwise."""
_RETRY_AFTER = 0.5


class _Flight(Generic[_V]):
    __slots__ = ("answer", "context", "waiters")

    def __init__(self, context: CallContext) -> None:
        self.answer: Future[_V] = Future()
        self.context = context
        self.waiters = 0


class SingleFlight(Generic[_K, _V]):
    """Coalesces the calls that threads make for the same key.

    All get the one result or the one error. A waiter that is more urgent than the request that made the call, and that
    saw it refused or timed out, calls once more by itself.

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
        """Forgets, in a forked child, the calls of the parent's threads, which will not be answered there."""
        self._lock = threading.RLock()  # a finaliser may ask, or forget a key, in the midst of this thread's own step
        self._flights: dict[_K, _Flight[_V]] = {}

    def call(self, key: _K, load: Callable[[], _V], *, timeout: float | None = None) -> _V:
        """The answer of the call in flight for `key`, or of `load`, called in this thread, when there is none.

        Args:
            key: equal for calls that have the same answer.
            load: makes the call.
            timeout: seconds to wait for another thread's call; a call made here is not cut short.

        Raises:
            Rejected: too many are waiting already.
            TimeoutError: the wait has lasted too long; the call goes on for the others.
        """
        until = inf if timeout is None else time.monotonic() + timeout
        went_again = False
        while True:
            flight, leads = self._join(key)
            if leads:
                return self._fly(key, flight, load)
            self._wait(flight, until)
            if flight.answer.cancelled():
                continue  # the thread that called was stopped: somebody else's turn
            error = flight.answer.exception()
            if went_again or error is None or not goes_again(error, call_context(), flight.context):
                return flight.answer.result()
            went_again = True

    def waiting(self, key: _K) -> int:
        """How many threads wait for the call in flight."""
        with self._lock:
            flight = self._flights.get(key)
            return 0 if flight is None else flight.waiters

    def forget(self, key: _K) -> None:
        """Who asks from now on does not wait for the call in flight, whose answer may be outdated."""
        with self._lock:
            self._flights.pop(key, None)

    def _wait(self, flight: _Flight[_V], until: float) -> None:
        left = None if until == inf else max(0.0, until - time.monotonic())
        landed, _ = wait((flight.answer,), left)
        with self._lock:
            flight.waiters -= 1
        if not landed:
            raise TimeoutError(f"another thread's call to {self._scope} has not been answered in time; it goes on")

    def _join(self, key: _K) -> tuple[_Flight[_V], bool]:
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = _Flight(call_context())
                return flight, True
            if flight.waiters >= self._waiters:
                raise too_many_wait(self._scope, self._waiters)
            flight.waiters += 1
            return flight, False

    def _fly(self, key: _K, flight: _Flight[_V], load: Callable[[], _V]) -> _V:
        def landed(
            _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
        ) -> None:
            self._failed(key, flight, error)

        with ExitStack() as landing:
            landing.push(landed)
            value = load()
            landing.pop_all()
        self._land(key, flight)
        flight.answer.set_result(value)
        return value

    def _failed(self, key: _K, flight: _Flight[_V], error: BaseException | None) -> None:
        """Tells those who wait of the error that leaves the call; it goes on in any case."""
        self._land(key, flight)
        if isinstance(error, Exception):
            flight.answer.set_exception(error)
        else:  # the thread that called was stopped
            flight.answer.cancel()
            flight.answer.set_running_or_notify_cancel()  # wakes those who wait

    def _land(self, key: _K, flight: _Flight[_V]) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                self._flights.pop(key, None)


def too_many_wait(scope: str, waiters: int) -> Rejected:
    """The refusal of one more waiter."""
    return Rejected(scope, f"{waiters} calls wait for the same answer already", retry_after=_RETRY_AFTER)
