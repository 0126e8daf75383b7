"""Answers kept for a while, and served older than that when what is in force allows it.

::

    items = StaleCache[int, Item](catalogue, ttl=5.0, bound=300.0, stale_on=(Rejected, TimeoutError))
    answer = items.get(7, lambda: load(7))
    answer.value, answer.age, answer.stale
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from snowshed.consumers.around.answers import Answer, Answers
from snowshed.consumers.around.async_single_flight import AsyncSingleFlight
from snowshed.consumers.around.freshness import Cached, Freshness
from snowshed.consumers.around.single_flight import SingleFlight
from snowshed.consumers.guard import Guard

__all__ = ["AsyncStaleCache", "StaleCache"]

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")

_SIZE = 1_000


class StaleCache(Generic[_K, _V]):
    """A cache of calls, for threads; of what nobody holds, one thread asks and the others wait.

    An answer is fresh for `ttl`. After that it is served without asking up to `bound` from degrade level 2 on and when
    a consistency decision says to serve stale answers; otherwise a newer one is asked for, and where that fails with
    one of `stale_on` the old one stands in, up to `bound`.

    Args:
        guard: whose scope's decisions count; it admits nothing here, `load` is to be guarded itself.
        ttl: seconds for which an answer is fresh.
        bound: seconds after which an answer is served in no case; a decision may lower it.
        stale_on: after which errors an old answer stands in; none unless named.
        size: how many answers are held; the least recently used go first.
        clock: monotonic seconds.

    Raises:
        ConfigurationError: `ttl` is not between 0 and `bound`.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        ttl: float,
        bound: float,
        stale_on: tuple[type[Exception], ...] = (),
        size: int = _SIZE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._freshness = Freshness(guard, ttl, bound, clock)
        self._answers: Answers[_K, _V] = Answers(size)
        self._flights: SingleFlight[_K, Answer[_V]] = SingleFlight(guard.scope)
        self._stale_on = stale_on

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: _K, load: Callable[[], _V], *, timeout: float | None = None) -> Cached[_V]:
        """The answer for a key.

        Args:
            key: equal for calls that have the same answer.
            load: asks for a newer one.
            timeout: seconds to wait for another thread that asks; then `TimeoutError`.
        """
        served = self._freshness.unasked(self._answers.get(key))
        if served is not None:
            return served
        try:
            answer = self._flights.call(key, lambda: self._ask(key, load), timeout=timeout)
        except self._stale_on:
            stand_in = self._freshness.unanswered(self._answers.get(key))
            if stand_in is None:
                raise
            return stand_in
        return self._freshness.cached(answer)

    def discard(self, key: _K) -> None:
        """Forgets a key, after a write: not even what is being asked for now will be kept."""
        self._flights.forget(key)
        self._answers.discard(key)

    def _ask(self, key: _K, load: Callable[[], _V]) -> Answer[_V]:
        token = self._answers.asking(key)
        try:
            asked_at = self._freshness.clock()
            answer = Answer(load(), asked_at)
            self._answers.keep(key, answer, token)
        finally:
            self._answers.give_up(key, token)
        return answer


class AsyncStaleCache(Generic[_K, _V]):
    """`StaleCache` for asyncio, with the same arguments."""

    def __init__(
        self,
        guard: Guard,
        *,
        ttl: float,
        bound: float,
        stale_on: tuple[type[Exception], ...] = (),
        size: int = _SIZE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._freshness = Freshness(guard, ttl, bound, clock)
        self._answers: Answers[_K, _V] = Answers(size)
        self._flights: AsyncSingleFlight[_K, Answer[_V]] = AsyncSingleFlight(guard.scope)
        self._stale_on = stale_on

    def __len__(self) -> int:
        return len(self._answers)

    async def get(self, key: _K, load: Callable[[], Coroutine[Any, Any, _V]]) -> Cached[_V]:
        """The answer for a key; `load` asks for a newer one, in a task of its own."""
        served = self._freshness.unasked(self._answers.get(key))
        if served is not None:
            return served
        try:
            answer = await self._flights.call(key, lambda: self._ask(key, load))
        except self._stale_on:
            stand_in = self._freshness.unanswered(self._answers.get(key))
            if stand_in is None:
                raise
            return stand_in
        return self._freshness.cached(answer)

    def discard(self, key: _K) -> None:
        """Forgets a key, after a write: not even what is being asked for now will be kept."""
        self._flights.forget(key)
        self._answers.discard(key)

    async def _ask(self, key: _K, load: Callable[[], Coroutine[Any, Any, _V]]) -> Answer[_V]:
        token = self._answers.asking(key)
        try:
            asked_at = self._freshness.clock()
            answer = Answer(await load(), asked_at)
            self._answers.keep(key, answer, token)
        finally:
            self._answers.give_up(key, token)
        return answer
