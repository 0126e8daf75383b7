"""What exactly once costs beside at least once: the same job on the same core, with and without transactions."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from tests.benchmarks.draining import Backlog
from tests.benchmarks.jobs import Worker
from tests.benchmarks.loads import INTERVAL, fill, json_heartbeats
from tests.benchmarks.provisioned import HERE
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage
from tests.benchmarks.transactions import at_rate, interval_job

from snowshed.schemas.topics import Topics

__all__ = ["capacity", "run"]

_NODES = 1000
_EVERY = 100
_LATENCY_EVERY = 10
_RATE = 1_000
_LOOK_SECONDS = 0.1
_START_SECONDS = 60.0
_SHARE = 0.95
_EXACTLY, _AT_LEAST = "exactly once", "at least once"


def run(stage: Stage) -> Section:
    """Throughput on a backlog and latency at a steady rate, both ways in turn."""
    seconds, steady = stage.pick(20.0, 4.0), stage.pick(30.0, 4.0)
    prefix, backlog = _fill(stage, stage.pick(3000, 200))
    rates: dict[str, list[float]] = {_EXACTLY: [], _AT_LEAST: []}
    waits: dict[str, list[tuple[float, float, float]]] = {_EXACTLY: [], _AT_LEAST: []}
    for number in range(stage.repeats):
        # By turns first and second, so that neither always finds the warmer machine.
        order = (_EXACTLY, _AT_LEAST) if number % 2 == 0 else (_AT_LEAST, _EXACTLY)
        for way in order:
            rates[way].append(_drained(stage, prefix, backlog, _commands(_EVERY)[way], seconds))
            waits[way].append(at_rate(stage, _RATE, steady, _commands(_LATENCY_EVERY)[way]))
            stage.tell(f"{way}: {rates[way][-1]:.0f} records/s, median {waits[way][-1][0]:.1f} ms")
    stage.forget(prefix)
    return Section(
        "guarantee",
        "One worker with one fold: a heartbeat of 200 bytes of JSON, each node's last time and mean interval kept as "
        f"state. The backlog is {backlog.records} records of {_NODES} nodes on {backlog.partitions} partitions, worked "
        f"off for up to {seconds:.0f} s, every {_EVERY}th passed on. Latency is from the broker's append time until a "
        f"reader of committed records has the output, at {_RATE} records/s for {steady:.0f} s, every "
        f"{_LATENCY_EVERY}th passed on. At least once is the same core with an idempotent producer that delivers each "
        "batch and commits offsets once a second.",
        (*_throughput(rates), *_latency(waits)),
    )


def capacity(stage: Stage) -> float:
    """Records a second that one worker works off exactly once."""
    prefix, backlog = _fill(stage, stage.pick(3000, 200))
    rate = _drained(stage, prefix, backlog, interval_job(_EVERY), stage.pick(20.0, 4.0))
    stage.forget(prefix)
    return rate


def _throughput(rates: Mapping[str, list[float]]) -> list[Figure]:
    pairs = zip(rates[_EXACTLY], rates[_AT_LEAST], strict=True)
    costs = [100 * (1 - exactly / at_least) for exactly, at_least in pairs]
    return [
        *(Figure.of(f"backlog, {way}", "records/s", found) for way, found in rates.items()),
        Figure.of("throughput that exactly once costs", "%", costs, "≤ 15"),
    ]


def _latency(waits: Mapping[str, list[tuple[float, float, float]]]) -> list[Figure]:
    figures: list[Figure] = []
    for place, name, goal in ((0, "median", "≤ 60"), (1, "99th percentile", "")):
        values = {way: [wait[place] for wait in found] for way, found in waits.items()}
        added = [exactly - at_least for exactly, at_least in zip(values[_EXACTLY], values[_AT_LEAST], strict=True)]
        figures += [Figure.of(f"latency, {way}: {name}", "ms", found) for way, found in values.items()]
        figures.append(Figure.of(f"latency that exactly once adds: {name}", "ms", added, goal))
    return figures


def _commands(every: int) -> Mapping[str, list[str]]:
    root = HERE.parent.parent
    module = ["env", f"PYTHONPATH={root}", sys.executable, "-m", "tests.benchmarks.at_least_once", str(every)]
    return {_EXACTLY: interval_job(every), _AT_LEAST: module}


def _fill(stage: Stage, rounds: int) -> tuple[str, Backlog]:
    prefix = stage.unique("guarantee")
    topics = Topics(prefix, replication=1)
    topic = stage.create_dated(topics, "heartbeats")
    stage.tell(f"Filling {topic}")
    filled = fill(stage, topic, json_heartbeats(_NODES, rounds, time.time() - rounds * INTERVAL))
    return prefix, Backlog(topic, topics.partitions("heartbeats"), filled)


def _drained(stage: Stage, prefix: str, backlog: Backlog, command: list[str], seconds: float) -> float:
    """Records a second by the worker's own count: offsets that are committed once a second would be too coarse."""
    stage.forget(prefix, keep=[backlog.topic])
    with Worker(stage, prefix, stage.unique("guarantee"), command) as worker:
        first = _await_first(worker)
        started = time.perf_counter()
        done, now = first, started
        while done < _SHARE * backlog.records and now < started + seconds:
            time.sleep(_LOOK_SECONDS)
            worker.check()
            done, now = _count(worker), time.perf_counter()
    if done == first:
        raise RuntimeError(f"{backlog.records} records are too few or {seconds} s too short to measure")
    return (done - first) / (now - started)


def _await_first(worker: Worker) -> float:
    worker.wait_ready()
    deadline = time.monotonic() + _START_SECONDS
    while not (first := _count(worker)):
        worker.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{worker.name} folded nothing within {_START_SECONDS:.0f} s")
        time.sleep(_LOOK_SECONDS / 10)
    return first


def _count(worker: Worker) -> float:
    return worker.metrics("heartbeats").get("snowshed_records_total", 0.0)
