"""What one call costs its program: ours and what others have for the same place, none of them refusing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module
from statistics import median, quantiles
from typing import Any

import limits
import pybreaker
from aiolimiter import AsyncLimiter
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from purgatory import AsyncCircuitBreakerFactory
from tenacity import retry, stop_after_attempt, wait_random_exponential
from tests.benchmarks.report import Figure

from snowshed.consumers import Guard, LocalBrakes
from snowshed.consumers.around import AsyncSingleFlight, AsyncStaleCache, hedging, retrying

__all__ = ["costs"]

aiobreaker: Any = import_module("aiobreaker")  # it has no types

_CALLS = 2_000
_PLENTY = 1_000_000

Call = Callable[[], Awaitable[object]]


async def _work() -> None:
    """What is called."""


def costs(repeats: int) -> Iterator[Figure]:
    """Nanoseconds a call, less those of the bare call."""
    yield from asyncio.run(_measured(repeats))


async def _measured(repeats: int) -> list[Figure]:
    bare = median([await _once(_work) for _ in range(repeats)])
    figures: list[Figure] = []
    for label, call in {**_ours(), **_peers()}.items():
        await _once(call)
        values = [max(0.0, await _once(call) - bare) for _ in range(repeats)]
        cuts = quantiles(values, n=20, method="inclusive")
        figures.append(Figure(f"cost: {label}", "ns a call", median(values), cuts[0], cuts[-1], repeats))
    return figures


async def _once(call: Call) -> float:
    began = time.perf_counter()
    for _ in range(_CALLS):
        await call()
    return (time.perf_counter() - began) / _CALLS * 1e9


def _ours() -> dict[str, Call]:
    guard = Guard("callee")
    callers = Guard("callee", local=LocalBrakes.for_callers())
    flights = AsyncSingleFlight[int, None]("callee")
    cache = AsyncStaleCache[int, None](guard, ttl=3600.0, bound=3600.0)
    return {
        "Guard": guard.protect(_work),
        "Guard with a caller's brakes": callers.protect(_work),
        "retrying and Guard": retrying(guard)(guard.protect(_work)),
        "hedging": hedging(guard, longest=10.0, shortest=10.0)(_work),
        "single flight": lambda: flights.call(7, _work),
        "stale cache, a fresh answer": lambda: cache.get(7, _work),
    }


def _peers() -> dict[str, Call]:
    sync_breaker, breaker = pybreaker.CircuitBreaker(), aiobreaker.CircuitBreaker()
    breakers = AsyncCircuitBreakerFactory()
    limiter = MovingWindowRateLimiter(MemoryStorage())
    item = limits.RateLimitItemPerSecond(_PLENTY)
    bucket = AsyncLimiter(_PLENTY, 1)

    async def with_pybreaker() -> None:
        with sync_breaker.calling():
            await _work()

    async def with_aiobreaker() -> None:
        await breaker.call_async(_work)

    async def with_purgatory() -> None:
        async with await breakers.get_breaker("callee"):
            await _work()

    async def with_limits() -> None:
        await limiter.hit(item, "callee")
        await _work()

    async def with_bucket() -> None:
        async with bucket:
            await _work()

    return {
        "pybreaker": with_pybreaker,
        "aiobreaker": with_aiobreaker,
        "purgatory": with_purgatory,
        "limits, moving window in memory": with_limits,
        "aiolimiter": with_bucket,
        "tenacity": retry(stop=stop_after_attempt(3), wait=wait_random_exponential())(_work),
    }
