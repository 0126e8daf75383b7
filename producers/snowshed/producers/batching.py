"""Turns a window's rows into timing batches, one for each callee and vantage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import accumulate

from snowshed.producers.node import Node
from snowshed.producers.window import Edge, Row, Slow, Window
from snowshed.schemas.records import SlowSample, TimingBatch, Vantage

__all__ = ["timing_batch", "timing_batches"]


def timing_batches(
    window: Window, node: Node, *, seconds: float, sent_at: float, lost: float, cached: AbstractSet[str] = frozenset()
) -> list[TimingBatch]:
    """The reports of a window that stood open for `seconds`; those on `cached` callees count the cache's hits."""
    return [
        timing_batch(
            rows,
            node=node,
            callee=callee,
            vantage=Vantage.CALLEE if by_callee else Vantage.CALLER,
            window_start=window.opened_at,
            window=seconds,
            urgent=group.urgent,
            sent_at=sent_at,
            lost=lost,
            slow=group.slow,
            cached=not by_callee and callee in cached,
        )
        for by_callee, callee, group, rows in window.groups()
    ]


def timing_batch(
    rows: Sequence[tuple[Edge, Row]],
    *,
    node: Node,
    callee: str,
    vantage: Vantage,
    window_start: float,
    window: float,
    sent_at: float,
    lost: float = 0.0,
    urgent: bool = False,
    slow: Iterable[Slow] = (),
    cached: bool = False,
) -> TimingBatch:
    """The report on one callee; every row's edge must lead to it."""
    strings: dict[str, float] = {}
    edges = [edge for edge, _ in rows]
    counts = [row for _, row in rows]
    buckets = [tuple(row.sketch.items()) for row in counts]
    return TimingBatch(
        reporter=node.name,
        service=node.service,
        callee=callee,
        vantage=vantage,
        window_start=window_start,
        window=window,
        urgent=urgent,
        lost=lost,
        sent_at=sent_at,
        caller=tuple(_index(strings, edge[1]) for edge in edges),
        operation=tuple(_index(strings, edge[3]) for edge in edges),
        statement=tuple(_index(strings, edge[4]) for edge in edges),
        first=tuple(float(row.first) for row in counts),
        attempts=tuple(float(row.attempts) for row in counts),
        ok=tuple(float(row.ok) for row in counts),
        error_local=tuple(float(row.local) for row in counts),
        error_downstream=tuple(float(row.downstream) for row in counts),
        rejected=tuple(float(row.rejected) for row in counts),
        timeout=tuple(float(row.timeout) for row in counts),
        in_flight_max=tuple(float(row.in_flight_max) for row in counts),
        queue_delay_sum=tuple(row.queue_delay_sum for row in counts),
        queue_delay_max=tuple(row.queue_delay_max for row in counts),
        latency_sum=tuple(row.sketch.total for row in counts),
        latency_end=tuple(float(end) for end in accumulate(len(used) for used in buckets)),
        latency_bucket=tuple(float(bucket) for used in buckets for bucket, _ in used),
        latency_count=tuple(float(count) for used in buckets for _, count in used),
        slow=_samples(slow, {edge: index for index, edge in enumerate(edges)}),
        cache_hits=tuple(float(row.hits) for row in counts) if cached else (),
        strings=tuple(strings),
    )


def _index(strings: dict[str, float], text: str) -> float:
    return strings.setdefault(text, float(len(strings)))


def _samples(slow: Iterable[Slow], index: dict[Edge, int]) -> tuple[SlowSample, ...]:
    return tuple(
        SlowSample(
            row=index[call.edge],
            started_at=call.started_at,
            seconds=call.seconds,
            outcome=call.outcome.value,
            attempt=call.attempt,
            evidence=call.evidence,
        )
        for call in sorted(slow, key=lambda call: -call.seconds)
    )
