"""What one guarded call costs: admit and release, in nanoseconds, median and spread over repeats.

Run with `python tests/benchmarks/bench_guard.py`.
"""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Callable

from snowshed.consumers import Guard, LocalBrakes
from snowshed.consumers.brakes import (
    BulkheadOptions,
    CalleeCursorOptions,
    CircuitOptions,
    ConcurrencyLimitOptions,
    LeakyBucketOptions,
    TenantsOptions,
    ThrottleOptions,
)
from snowshed.consumers.testing import decision, in_memory_view
from snowshed.schemas.errors import Rejected
from snowshed.schemas.records import Decision, DecisionKind, DecisionMode

_CALLS = 20_000
_REPEATS = 25
_THREADS = 16

_ALL = LocalBrakes(
    callee_cursor=CalleeCursorOptions(),
    circuit=CircuitOptions(slow_after=10.0),
    bulkhead=BulkheadOptions(each_operation=1000),
    tenants=TenantsOptions(),
    limit=ConcurrencyLimitOptions(start=1000, largest=1000),
    throttle=ThrottleOptions(),
    pace=LeakyBucketOptions(rate=1e9, depth=1e9),
)
"""Every local brake, none of which refuses anything here."""


def _plain(guard: Guard) -> None:
    for _ in range(_CALLS):
        with guard("read"):
            pass


def _with_deadline(guard: Guard) -> None:
    deadline = time.monotonic() + 3600.0
    for _ in range(_CALLS):
        with guard("read", deadline=deadline):
            pass


def _threads(guard: Guard) -> None:
    def share() -> None:
        for _ in range(_CALLS // _THREADS):
            with guard("read"):
                pass

    threads = [threading.Thread(target=share) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


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


def _measure(label: str, work: Callable[[Guard], None], *decisions: Decision, local: LocalBrakes | None = None) -> None:
    guard = Guard("orders", view=in_memory_view(*decisions), local=LocalBrakes() if local is None else local)
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
    _measure("sync, no local brakes", _plain, local=LocalBrakes.off())
    _measure("sync, brakes for callers", _plain, local=LocalBrakes.for_callers())
    _measure("sync, all local brakes", _plain, local=_ALL)
    _measure("sync, all, two decisions", _plain, budget, rate, local=_ALL)
    _measure("sync, all, with a deadline", _with_deadline, local=_ALL)
    _measure("async, all local brakes", _asynchronous, local=_ALL)
    _measure("16 threads, by default", _threads)
    _measure("16 threads, all local brakes", _threads, local=_ALL)


if __name__ == "__main__":
    main()
