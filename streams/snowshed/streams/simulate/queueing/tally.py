"""Counts what happens along an edge, second by second; a second may be counted into before its time."""

from __future__ import annotations

from math import nan

from snowshed.producers.outcome import Outcome
from snowshed.streams.simulate.queueing.seconds import Second

__all__ = ["Bin", "Tally"]

_OK = Outcome.OK


class Bin:
    """The counts of one second."""

    __slots__ = (
        "attempts",
        "cache_hits",
        "cache_lookups",
        "completions",
        "error_downstream",
        "error_local",
        "first",
        "in_flight_max",
        "latencies",
        "ok",
        "rejected",
        "taken_up",
        "timeout",
        "waited",
        "waited_max",
    )

    def __init__(self) -> None:
        self.first = 0
        self.attempts = 0
        self.ok = 0
        self.completions = 0
        self.timeout = 0
        self.rejected = 0
        self.error_local = 0
        self.error_downstream = 0
        self.in_flight_max = 0
        self.taken_up = 0
        self.waited = 0.0
        self.waited_max = 0.0
        self.latencies: list[float] = []
        self.cache_hits = 0
        self.cache_lookups = 0

    def take_up(self, waited: float) -> None:
        """Count a request whose turn has come."""
        self.taken_up += 1
        self.waited += waited
        # A comparison instead of max(): this runs for every simulated request.
        if waited > self.waited_max:  # noqa: PLR1730
            self.waited_max = waited

    def end(self, seconds: float, outcome: Outcome) -> None:
        """Count an attempt whose caller has an outcome."""
        self.latencies.append(seconds)
        if outcome is _OK:
            self.ok += 1
        elif outcome is Outcome.TIMEOUT:
            self.timeout += 1
        elif outcome is Outcome.REJECTED:
            self.rejected += 1
        elif outcome is Outcome.LOCAL:
            self.error_local += 1
        else:
            self.error_downstream += 1


class Tally(dict[int, Bin]):
    """The bins of one edge by the second's number."""

    def __missing__(self, second: int) -> Bin:
        found = self[second] = Bin()
        return found

    def close(self, second: int, caller: str, callee: str, capacity: float) -> Second:
        """Take a second that is over out of the tally."""
        done = self.pop(second, None) or Bin()
        p50, p90, p99 = _quantiles(done.latencies)
        return Second(
            at=second + 1.0,
            caller=caller,
            callee=callee,
            first=done.first,
            attempts=done.attempts,
            ok=done.ok,
            completions=done.completions,
            timeout=done.timeout,
            rejected=done.rejected,
            error_local=done.error_local,
            error_downstream=done.error_downstream,
            in_flight_max=done.in_flight_max,
            taken_up=done.taken_up,
            queue_delay_mean=done.waited / done.taken_up if done.taken_up else 0.0,
            queue_delay_max=done.waited_max,
            latency_p50=p50,
            latency_p90=p90,
            latency_p99=p99,
            cache_hits=done.cache_hits,
            cache_lookups=done.cache_lookups,
            capacity=capacity,
        )


def _quantiles(values: list[float]) -> tuple[float, float, float]:
    if not values:
        return nan, nan, nan
    values.sort()
    last = len(values) - 1
    return values[last // 2], values[int(0.9 * last)], values[int(0.99 * last)]
