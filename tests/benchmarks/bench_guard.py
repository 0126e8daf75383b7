"""What one guarded call costs: admit and release, in nanoseconds, median and spread over repeats.

Run with `python tests/benchmarks/bench_guard.py`.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable

from snowshed.consumers import Guard
from snowshed.consumers.testing import decision, in_memory_view
from snowshed.schemas.errors import Rejected
from snowshed.schemas.records import Decision, DecisionKind, DecisionMode

_CALLS = 20_000
_REPEATS = 25


def _plain(guard: Guard) -> None:
    for _ in range(_CALLS):
        with guard("read"):
            pass


def _refused(guard: Guard) -> None:
    for _ in range(_CALLS):
        try:
            with guard("read"):
                pass
        except Rejected:
            pass


def _asynchronous(guard: Guard) -> None:
    async def run() -> None:
        for _ in range(_CALLS):
            async with guard("read"):
                pass

    asyncio.run(run())


def _measure(label: str, work: Callable[[Guard], None], *decisions: Decision) -> None:
    guard = Guard("orders", view=in_memory_view(*decisions))
    costs: list[float] = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        work(guard)
        costs.append((time.perf_counter() - started) / _CALLS * 1e9)
    low, median, high = min(costs), statistics.median(costs), max(costs)
    print(f"{label:32} median {median:7.0f} ns   min {low:7.0f}   max {high:7.0f}")


def main() -> None:
    """Prints one line a case."""
    lasting = 3600.0
    budget = decision("orders", DecisionKind.RETRY, retry_budget=0.05, attempt_cap=3, ttl=lasting)
    rate = decision("orders", DecisionKind.RATE, per_instance_fallback=1e9, ttl=lasting)
    shadow = decision("orders", DecisionKind.BREAKER, p_reject=0.0, mode=DecisionMode.SHADOW, ttl=lasting)
    closed = decision("orders", DecisionKind.BREAKER, p_reject=1.0, ttl=lasting)
    print(f"{_REPEATS} repeats of {_CALLS} calls")
    _measure("sync, no decision", _plain)
    _measure("sync, two decisions", _plain, budget, rate)
    _measure("sync, two and a shadow", _plain, budget, rate, shadow)
    _measure("async, no decision", _asynchronous)
    _measure("async, two decisions", _asynchronous, budget, rate)
    _measure("sync, refused", _refused, closed)


if __name__ == "__main__":
    main()
