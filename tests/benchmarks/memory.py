"""How much memory a worker needs while ten thousand nodes report to it."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import Self

from tests.benchmarks.jobs import Worker
from tests.benchmarks.loads import INTERVAL, heartbeats, paced
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.schemas.topics import Topics
from snowshed.streams.provision import provision

__all__ = ["run"]

_MIB = 2**20
_LOOK_SECONDS = 0.5


def run(stage: Stage) -> Section:
    """Start a worker for each repeat and let its nodes beat."""
    nodes, seconds = stage.pick(10_000, 1_000), stage.pick(60.0, 8.0)
    found = [_measure(stage, nodes, seconds) for _ in range(stage.repeats)]
    idle, peak, behind = zip(*found, strict=True)
    return Section(
        "memory",
        f"One `snowshed worker` process with all its agents while {nodes} nodes send a heartbeat every {INTERVAL} s "
        f"each ({nodes / INTERVAL:.0f} a second) for {seconds:.0f} s.",
        (
            Figure.of("resident memory, largest seen", "MiB", peak, "≤ 300"),
            Figure.of("resident memory before the first heartbeat", "MiB", idle),
            Figure.of("heartbeats not yet folded at the end", "records", behind),
        ),
    )


def _measure(stage: Stage, nodes: int, seconds: float) -> tuple[float, float, float]:
    prefix = stage.unique("memory")
    topics = Topics(prefix, replication=1)
    provision(stage.connection, topics)
    with Worker(stage, prefix, prefix) as worker:
        worker.wait_ready()
        idle = worker.resident / _MIB
        with _Peak(worker) as peak:
            rate = nodes / INTERVAL
            beats = heartbeats(nodes, int(seconds / INTERVAL) + 2, time.time())
            paced(stage, topics.full("heartbeats"), beats, rate, seconds)
            behind = int(rate * seconds) - worker.metrics("heartbeats")["snowshed_records_total"]
        worker.check()
    stage.forget(prefix)
    return idle, peak.bytes / _MIB, max(behind, 0.0)


class _Peak:
    """Looks at a worker's memory from a thread of its own."""

    def __init__(self, worker: Worker) -> None:
        self.bytes = 0
        self._worker = worker
        self._done = Event()
        self._thread = Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_SECONDS):
            self.bytes = max(self.bytes, self._worker.resident)
