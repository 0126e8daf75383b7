"""What edges and nodes cost a worker's folds: rows a second and core, the size of a state, a tick of level 2."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from time import thread_time
from typing import Any

from tests.benchmarks.bench_folds import START, heartbeats
from tests.benchmarks.board import STATES, ticks
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import TimingBatch, Vantage
from snowshed.schemas.topics import Topics
from snowshed.streams.cascade import DomainFold
from snowshed.streams.edges import TimingFold
from snowshed.streams.edges.layout import COLUMNS
from snowshed.streams.folding import Batch, Message
from snowshed.streams.garbage import collect_seldom
from snowshed.streams.health import HeartbeatFold
from snowshed.streams.policy import Policy
from snowshed.streams.transactions.plan import Planner
from snowshed.streams.transactions.producer import Write

__all__ = ["run"]

_CALLERS = 10
_BUCKETS = 8
_ROWS = (10, 100, 1000)
"""Rows a message."""
_PROCESSES = 100
"""Processes of a callee that report apart, each a message, where messages are small."""
_WARM = 12
"""Seconds until baselines are known and every detector has something to judge."""


def run(stage: Stage) -> Section:
    """Fold the reports of a large fleet through both levels, in memory."""
    services, repeats = stage.pick(1000, 50), stage.often(10, 2)
    figures: list[Figure] = []
    thresholds = gc.get_threshold()
    collect_seldom()  # as a worker does
    try:
        figures.extend(_throughput(services, _ROWS[0], repeats, stage.pick(_PROCESSES, 2)))
        for rows in _ROWS:
            figures.extend(_throughput(services, rows, repeats))
        for name, failing in STATES.items():
            found = ticks(min(failing, services), repeats, services)
            figures.append(Figure.of(f"tick of level 2, {name}", "ms", found.idle, "≤ 50"))
            figures.append(Figure.of(f"step with a second's observations, {name}", "ms", found.full))
    finally:
        gc.set_threshold(*thresholds)
    figures.extend(_sizes(stage.pick(200, 20)))
    return Section(
        "edges",
        f"{services} services, each called by {_CALLERS} others, and fewer where messages are larger or more, for as "
        "many rows a second. Each second a callee, or each of its processes where it has several, sends one report, "
        "its rows shared out among its callers as operations, with "
        f"{_BUCKETS} latency buckets a row. Counted is all that a committed batch costs one thread with all detectors "
        "on, the broker apart: decoding, folding, encoding outputs and state. A tick is a step of level 2 without "
        "observations. Sizes are by tracemalloc, of states in memory.",
        tuple(figures),
    )


def _throughput(services: int, rows: int, repeats: int, processes: int = 1) -> Iterator[Figure]:
    """Rows a second and core at each level and both."""
    # Time goes with edges here, not with rows: fewer services give the same cost a row in less memory.
    services = max(services * _ROWS[0] // (rows * processes), 20)
    first, second = _Worker(services, rows, processes).costs(repeats)
    both = [one + other for one, other in zip(first, second, strict=True)]
    size = f"{rows} a message" if processes == 1 else f"{rows} a message, {processes} processes a callee"
    for label, costs in (("level 1", first), ("level 2", second), ("both levels, all detectors", both)):
        speeds = [services * processes * rows / cost for cost in costs]
        goal = "≥ 300 000" if costs is both else ""
        yield Figure.of(f"edge rows committed, {size}: {label}", "rows/s and core", speeds, goal)


class _Worker:
    """Both levels of one domain in memory."""

    def __init__(self, services: int, rows: int = _CALLERS, processes: int = 1) -> None:
        self._services, self._rows, self._processes = services, rows, processes
        self._codec = Codec()
        self._timings, self._domain = TimingFold(Policy(), self._codec), DomainFold(Policy(), self._codec)
        self._planners = {
            fold.agent: Planner(fold, Topics("bench"), self._codec, fold.agent, 0)
            for fold in (self._timings, self._domain)
        }
        self.edges: dict[str, Any] = {}
        self.domain: dict[str, Any] = {}

    def costs(self, repeats: int) -> tuple[list[float], list[float]]:
        """Seconds of processor time that each of so many seconds cost, at level 1 and at level 2."""
        found = [self.second(number) for number in range(_WARM + repeats)][_WARM:]
        return [first for first, _ in found], [second for _, second in found]

    def second(self, number: int) -> tuple[float, float]:
        """Fold a second's reports; what that cost at each level."""
        at = START + number
        reports = [
            Message(0, at, None, self._codec.encode(replace(report, reporter=f"{report.service}-{process}")))
            for report in (_report(callee, self._services, self._rows, at) for callee in range(self._services))
            for process in range(self._processes)
        ]
        begun = thread_time()
        written = self._committed(self._timings, self.edges, reports, number, at)
        between = thread_time()
        observed = [
            Message(0, at, write.key, write.value) for write in written if write.topic.endswith(".observations")
        ]
        handed = thread_time()
        self._committed(self._domain, self.domain, observed, number, at)
        return between - begun, thread_time() - handed

    def forget_domain(self) -> None:
        """Let go of all that level 2 holds: its state, and with its fold what that has worked out of it."""
        self._domain = DomainFold(Policy(), self._codec)
        del self._planners[self._domain.agent]
        self.domain.clear()

    def _committed(
        self, fold: Any, state: dict[str, Any], messages: Sequence[Message], number: int, at: float
    ) -> list[Write]:
        """Do everything that a lane does with a batch apart from sending it; what it would send."""
        batch = Batch(0, 0, len(messages), number, at, True, 0.0, fold.decode(messages).records)
        step = fold.step(state, batch)
        written = list(self._planners[fold.agent].plan(batch, step, (), len(messages)).writes)
        state.update({key: value for key, value in step.changes.items() if value is not None})
        return written


def _report(callee: int, services: int, rows: int, at: float) -> TimingBatch:
    columns: dict[str, Any] = dict.fromkeys(COLUMNS, (1000.0 / rows,) * rows)
    columns |= dict.fromkeys(
        ("error_local", "error_downstream", "rejected", "timeout", "queue_delay_sum", "queue_delay_max"),
        (0.0,) * rows,
    )
    columns |= {"caller": tuple(float(row % _CALLERS) for row in range(rows))}
    columns |= {name: (float(_CALLERS),) * rows for name in ("operation", "statement")}
    columns |= {"latency_end": tuple(float(_BUCKETS * (row + 1)) for row in range(rows))}
    return TimingBatch(
        reporter=f"s{callee}-1",
        service=f"s{callee}",
        callee=f"s{callee}",
        vantage=Vantage.CALLEE,
        window_start=at - 1.0,
        window=1.0,
        sent_at=at,
        strings=(*(f"s{(callee * 37 + 13 * number + 1) % services}" for number in range(_CALLERS)), ""),
        **columns,
        latency_bucket=tuple(float(100 + 7 * number % 60) for number in range(rows * _BUCKETS)),
        latency_count=(12.0,) * (rows * _BUCKETS),
    )


def _sizes(services: int) -> Iterator[Figure]:
    """The bytes that a state in memory takes for each edge and node."""
    worker = _Worker(services)
    tracemalloc.start()
    for number in range(_WARM):
        worker.second(number)
    edges = services * _CALLERS
    yield Figure.of("memory of an edge, level 1", "KiB", [_freed(worker.edges.clear) / edges / 1024])
    yield Figure.of("memory of an edge, level 2", "KiB", [_freed(worker.forget_domain) / edges / 1024])
    nodes = 10 * services
    fold, state, batches = HeartbeatFold(Policy()), dict[str, Any](), heartbeats(nodes, 1)
    for number in range(_WARM):
        messages = batches(number)
        batch = Batch(0, 0, 1, number, messages[-1].timestamp, True, 0.0, fold.decode(messages).records)
        state.update({key: value for key, value in fold.step(state, batch).changes.items() if value is not None})
    yield Figure.of("memory of a node, level 1", "KiB", [_freed(state.clear) / nodes / 1024])
    tracemalloc.stop()


def _freed(forget: Callable[[], None]) -> float:
    """The bytes that come free when a state is forgotten."""
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    forget()
    gc.collect()
    return float(before - tracemalloc.get_traced_memory()[0])
