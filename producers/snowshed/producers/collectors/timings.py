"""From what a server counted to a timing batch with one row a statement."""

from __future__ import annotations

from math import nan

from snowshed.producers.collectors.base import CallTiming, CallTimings
from snowshed.schemas.records import TimingBatch, Vantage
from snowshed.schemas.sketch import LatencySketch

__all__ = ["timing_batch"]


def timing_batch(timings: CallTimings, *, reporter: str, service: str, sent_at: float, lost: float) -> TimingBatch:
    """The batch that says the same as `timings`.

    A server counts finished calls, so every call is a first attempt that succeeded; failures, queue delay and calls in
    flight are for the callers' own timings to say.
    """
    strings = _interned(timings.calls)
    index = {text: float(i) for i, text in enumerate(strings)}
    sketches = [_sketch(call) for call in timings.calls]
    counts = tuple(float(sketch.count) for sketch in sketches)
    buckets = [list(sketch.items()) for sketch in sketches]
    none = (0.0,) * len(counts)
    return TimingBatch(
        reporter=reporter,
        service=service,
        callee=timings.callee,
        vantage=Vantage.CALLEE,
        window_start=timings.window_start,
        window=timings.window,
        lost=lost,
        sent_at=sent_at,
        strings=strings,
        caller=tuple(index[call.caller] for call in timings.calls),
        operation=tuple(index[call.operation] for call in timings.calls),
        statement=tuple(index[call.statement] for call in timings.calls),
        first=counts,
        attempts=counts,
        ok=counts,
        error_local=none,
        error_downstream=none,
        rejected=none,
        timeout=none,
        in_flight_max=(nan,) * len(counts),
        queue_delay_sum=none,
        queue_delay_max=none,
        latency_sum=tuple(sketch.total for sketch in sketches),
        latency_end=_ends([len(items) for items in buckets]),
        latency_bucket=tuple(float(bucket) for items in buckets for bucket, _ in items),
        latency_count=tuple(float(count) for items in buckets for _, count in items),
    )


def _interned(calls: tuple[CallTiming, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for call in calls for text in (call.caller, call.operation, call.statement)))


def _sketch(call: CallTiming) -> LatencySketch:
    sketch = LatencySketch()
    for seconds, count in call.latencies:
        sketch.add(seconds, count)
    return sketch


def _ends(lengths: list[int]) -> tuple[float, ...]:
    ends: list[float] = []
    for length in lengths:
        ends.append((ends[-1] if ends else 0.0) + length)
    return tuple(ends)
