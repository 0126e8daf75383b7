"""What one timed call costs a host program: `python tests/benchmarks/bench_recorder.py` prints nanoseconds."""

from __future__ import annotations

import statistics
import timeit
from collections.abc import Callable

from snowshed.producers import MemoryTransport, Node, Outcome, TimingRecorder

_CALLS = 50_000
_ROUNDS = 21


def _measure(name: str, work: Callable[[], object], calls: int = 1) -> None:
    rounds = [seconds / _CALLS * 1e9 / calls for seconds in timeit.repeat(work, number=_CALLS, repeat=_ROUNDS)]
    low, middle, high = (statistics.quantiles(rounds, n=20)[i] for i in (0, 9, 18))
    print(f"{name:34} median {middle:7.0f} ns   p5 {low:7.0f}   p95 {high:7.0f}")


def main() -> None:
    """Print the cost of every way to record a call."""
    recorder = TimingRecorder(Node.here("shop"), MemoryTransport())

    def plain() -> None:
        recorder.observe("orders", "GET /orders", 0.012)

    def failed() -> None:
        recorder.observe("orders", "GET /orders", 0.012, outcome=Outcome.TIMEOUT)

    def full() -> None:
        recorder.observe(
            "orders-db", "SELECT", 0.012, attempt=1, statement="0123456789abcdef", queue_delay=0.001, in_flight=7
        )

    def spread() -> None:
        for i in range(10):
            recorder.observe("orders", "GET /orders", 0.001 * i)

    def call() -> None:
        with recorder.call("orders", "GET /orders"):
            pass

    _measure("observe, defaults", plain)
    _measure("observe, varied latency", spread, calls=10)
    _measure("observe, every argument", full)
    _measure("observe, failed", failed)
    _measure("call (context manager)", call)
    recorder.stop()


if __name__ == "__main__":
    main()
