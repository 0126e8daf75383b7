"""How many records a second one worker folds exactly once: heartbeats one a message, timings in columns."""

from __future__ import annotations

import time
from collections.abc import Iterable

from tests.benchmarks.draining import Backlog, Drained, drain
from tests.benchmarks.jobs import Worker
from tests.benchmarks.loads import INTERVAL, ROWS, Item, fill, heartbeats, timings
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.schemas.topics import Topics

__all__ = ["beats", "rows"]

_NODES = 1000
_CALLEES = 40
_REPORTERS = 10
_LIMIT = 300.0


def beats(stage: Stage) -> Section:
    """Heartbeats, one a message."""
    rounds = stage.pick(2000, 100)
    start = time.time() - rounds * INTERVAL
    found = _drain(stage, "heartbeats", heartbeats(_NODES, rounds, start))
    return Section(
        "beats",
        f"A backlog of {_NODES * rounds} heartbeats, {rounds} each of {_NODES} nodes and {INTERVAL} s apart, on "
        f"{Topics().partitions('heartbeats')} partitions, worked off exactly once by one `snowshed worker` process "
        "with all its agents; input offsets committed a second, start-up excluded.",
        _figures("heartbeats", "heartbeats/s", found, 1, "≥ 60 000"),
    )


def rows(stage: Stage) -> Section:
    """Rows of timing batches."""
    batches = stage.pick(100_000, 8_000)
    start = time.time() - batches / (_CALLEES * _REPORTERS)
    found = _drain(stage, "timings", timings(_CALLEES, _REPORTERS, batches, start))
    return Section(
        "rows",
        f"A backlog of {batches} timing batches of {ROWS} rows with four latency buckets each, from {_REPORTERS} "
        f"reporters on {_CALLEES} callees, on {Topics().partitions('timings')} partitions, worked off exactly once by "
        "one `snowshed worker` process with all its agents; start-up excluded.",
        _figures("timing rows", "rows/s", found, ROWS, "≥ 500 000"),
    )


def _drain(stage: Stage, short: str, items: Iterable[Item]) -> list[Drained]:
    prefix = stage.unique(short)
    topics = Topics(prefix, replication=1)
    topic = stage.create_dated(topics, short)
    stage.tell(f"Filling {topic}")
    backlog = Backlog(topic, topics.partitions(short), fill(stage, topic, items))
    found: list[Drained] = []
    for _ in range(stage.repeats):
        # State belongs to a group's offsets: a new group on the same input needs topics of its own.
        stage.forget(prefix, keep=[topic])
        app = stage.unique(short)
        with Worker(stage, prefix, app) as worker:
            found.append(drain(stage, worker, app, backlog, limit=_LIMIT))
        stage.tell(f"{short}: {found[-1].rate:.0f} messages/s")
    stage.forget(prefix)
    return found


def _figures(label: str, unit: str, found: list[Drained], factor: int, goal: str) -> tuple[Figure, ...]:
    single = unit.removesuffix("s/s")
    return (
        Figure.of(f"{label}, one worker", unit, [one.rate * factor for one in found], goal),
        Figure.of("processor time", f"µs/{single}", [one.cpu_per_record / factor for one in found]),
    )
