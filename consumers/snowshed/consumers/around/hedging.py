"""Sends a second attempt when the first is late, and takes the answer that comes first.

::

    @hedging(catalogue)
    async def item(number: int) -> Item: ...
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from snowshed.consumers.around.latencies import Latencies
from snowshed.consumers.guard import Guard
from snowshed.consumers.hooks import Hook
from snowshed.consumers.permit import Permit
from snowshed.schemas.propagation import attempt

__all__ = ["HedgeEvent", "hedging"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_QUANTILE = 0.95
_OFF_AT_LEVEL = 1


@dataclass(frozen=True, slots=True)
class HedgeEvent:
    """A second attempt has been sent."""

    scope: str
    operation: str
    delay: float
    """Seconds after the first."""


def _ignore(_event: HedgeEvent) -> None:
    """The default listener."""


@dataclass(frozen=True, slots=True)
class _Racer(Generic[_R]):
    permit: Permit
    task: asyncio.Task[_R]

    @property
    def has_won(self) -> bool:
        return self.task.done() and not self.task.cancelled() and self.task.exception() is None


class _Hedges(Generic[_R]):
    """The hedged calls of one function, and how long they have taken."""

    def __init__(
        self,
        guard: Guard,
        operation: str,
        between: tuple[float, float],
        on_hedge: Callable[[HedgeEvent], None],
        clock: Callable[[], float],
    ) -> None:
        self._guard = guard
        self._operation = operation
        self._between = between
        self._on_hedge = Hook("on_hedge", guard.scope, on_hedge, clock)
        self._clock = clock
        self._latencies = Latencies(_QUANTILE)
        self._running: set[asyncio.Task[_R]] = set()
        """Held, because the event loop holds tasks only weakly."""

    async def call(self, make: Callable[[], Coroutine[Any, Any, _R]]) -> _R:
        """One call, of at most two attempts."""
        permit = self._guard(self._operation)
        started = self._clock()
        late_after = self._latencies.value
        if late_after is None:
            answer = await _within(permit, make)
        else:
            shortest, longest = self._between
            answer = await self._race(permit, make, min(max(late_after, shortest), longest))
        # Of a first attempt that lost it is known to have lasted as long at least; without it the delay would shrink.
        self._latencies.add(self._clock() - started)
        return answer

    async def _race(self, permit: Permit, make: Callable[[], Coroutine[Any, Any, _R]], delay: float) -> _R:
        racers = [self._start(permit, make)]
        try:
            await asyncio.wait([racers[0].task], timeout=delay)
            if not racers[0].task.done() and (second := self._second(make)) is not None:
                racers.append(second)
                self._on_hedge(HedgeEvent(self._guard.scope, self._operation, delay))
            winner = await _first_to_succeed(racers)
            for racer in racers:
                if racer is not winner:
                    racer.permit.ignored()
            return winner.task.result()
        finally:
            for racer in racers:
                self._give_up(racer)

    def _second(self, make: Callable[[], Coroutine[Any, Any, _R]]) -> _Racer[_R] | None:
        with attempt(1) as context:
            if context.remaining(self._clock()) == 0.0 or self._guard.effective.degrade_level >= _OFF_AT_LEVEL:
                return None
            if not self._guard.retry_allowed(context.attempt):
                return None
            answer = self._guard.try_admit(self._operation)
            return self._start(answer, make) if isinstance(answer, Permit) else None

    def _start(self, permit: Permit, make: Callable[[], Coroutine[Any, Any, _R]]) -> _Racer[_R]:
        task = asyncio.create_task(_within(permit, make))
        self._running.add(task)
        task.add_done_callback(self._forget)
        return _Racer(permit, task)

    def _give_up(self, racer: _Racer[_R]) -> None:
        """Cancels without waiting: what a loser does in its end would else delay the answer."""
        # A task that has not begun when it is cancelled never enters its permit.
        racer.permit.dropped()
        racer.task.cancel()

    def _forget(self, task: asyncio.Task[_R]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # was looked at, so that asyncio does not report it


def hedging(
    guard: Guard,
    *,
    shortest: float = 0.001,
    longest: float = 1.0,
    on_hedge: Callable[[HedgeEvent], None] = _ignore,
    clock: Callable[[], float] = time.monotonic,
) -> Callable[[Callable[_P, Coroutine[Any, Any, _R]]], Callable[_P, Coroutine[Any, Any, _R]]]:
    """A decorator for asynchronous functions that may be called twice for one answer, as reads may.

    It admits each attempt itself, in the place of `guard.protect`. The second is sent when the first has lasted longer
    than 95 % of the calls lately, is charged to the retry budget and carries the next attempt's number. The attempt
    that loses is cancelled and says nothing about the callee. From degrade level 1 on, and before twenty calls have
    been seen, there is no second attempt.

    Args:
        guard: whose budget pays, and which admits each attempt.
        shortest: seconds that the first attempt has at least.
        longest: seconds after which the second is sent at the latest.
        on_hedge: called after each second attempt has been sent; what it raises is logged.
        clock: monotonic seconds, the clock of deadlines.
    """

    def hedge(function: Callable[_P, Coroutine[Any, Any, _R]]) -> Callable[_P, Coroutine[Any, Any, _R]]:
        hedges = _Hedges[_R](guard, function.__qualname__, (shortest, longest), on_hedge, clock)

        @functools.wraps(function)
        async def hedged(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            return await hedges.call(lambda: function(*args, **kwargs))

        return hedged

    return hedge


async def _within(permit: Permit, make: Callable[[], Coroutine[Any, Any, _R]]) -> _R:
    async with permit:
        return await make()


async def _first_to_succeed(racers: list[_Racer[_R]]) -> _Racer[_R]:
    """The first that has an answer; when all failed, the first attempt, whose error counts."""
    pending = {racer.task for racer in racers}
    while pending:
        _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        winner = next((racer for racer in racers if racer.has_won), None)
        if winner is not None:
            return winner
    return racers[0]
