"""What exactly once costs: throughput by records in a transaction, and time from append to a committed output."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from statistics import fmean, quantiles
from threading import Event, Thread
from typing import Self

from confluent_kafka import Consumer, TopicPartition
from tests.benchmarks.draining import Backlog, drain
from tests.benchmarks.jobs import Worker
from tests.benchmarks.loads import INTERVAL, fill, heartbeats, json_heartbeats, paced
from tests.benchmarks.provisioned import HERE
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import Property
from snowshed.schemas.records import NodeHealth
from snowshed.schemas.topics import Topics
from snowshed.streams.provision import provision

__all__ = ["at_rate", "interval_job", "latency", "sizes"]

_NODES = 1000
_EVERY = 10
_WARM_UP_SECONDS = 2.0
_SETTLE_SECONDS = 2.0


def sizes(stage: Stage) -> Section:
    """Throughput with at most so many records in a transaction."""
    rounds, seconds = stage.pick(1000, 60), stage.pick(20.0, 5.0)
    prefix = stage.unique("sizes")
    topics = Topics(prefix, replication=1)
    topic = stage.create_dated(topics, "heartbeats")
    stage.tell(f"Filling {topic}")
    filled = fill(stage, topic, heartbeats(_NODES, rounds, time.time() - rounds * INTERVAL))
    backlog = Backlog(topic, topics.partitions("heartbeats"), filled)
    figures: list[Figure] = []
    for limit in stage.pick((10, 100, 1_000, 5_000), (100, 5_000)):
        found = [_limited(stage, prefix, backlog, limit, seconds) for _ in range(stage.repeats)]
        rates, made, took = zip(*found, strict=True)
        label = f"at most {limit} records in a transaction"
        figures += [
            Figure.of(label, "records/s", rates),
            Figure.of(f"{label}: records in one, mean", "records", made),
            Figure.of(f"{label}: time to write and commit one, mean", "ms", took),
        ]
    stage.forget(prefix)
    return Section(
        "sizes",
        f"A backlog of {filled} heartbeats of {_NODES} nodes on {backlog.partitions} partitions, worked off by one "
        f"`snowshed worker` process for up to {seconds:.0f} s with SNOWSHED_BATCH set. The {backlog.partitions} "
        "partitions' transactions overlap.",
        tuple(figures),
    )


def _limited(stage: Stage, prefix: str, backlog: Backlog, limit: int, seconds: float) -> tuple[float, float, float]:
    stage.forget(prefix, keep=[backlog.topic])
    app = stage.unique("sizes")
    with Worker(stage, prefix, app, batch=str(limit)) as worker:
        drained = drain(stage, worker, app, backlog, limit=seconds)
        numbers = worker.metrics("heartbeats")
    spent, transactions = numbers["snowshed_transaction_seconds_sum"], numbers["snowshed_transaction_seconds_count"]
    return drained.rate, _mean_size(numbers), spent / transactions * 1000


def _mean_size(numbers: Mapping[str, float]) -> float:
    return numbers["snowshed_records_total"] / numbers["snowshed_transaction_seconds_count"]


def latency(stage: Stage) -> Section:
    """Time from a record's append to the moment a reader has the output it led to."""
    seconds = stage.pick(30.0, 5.0)
    figures: list[Figure] = []
    for rate in stage.pick((100, 1_000, 10_000), (1_000,)):
        found = [at_rate(stage, rate, seconds, interval_job(_EVERY)) for _ in range(stage.repeats)]
        middle, late, made = zip(*found, strict=True)
        label = f"{rate} records/s"
        figures += [
            Figure.of(f"{label}: median", "ms", middle),
            Figure.of(f"{label}: 99th percentile", "ms", late),
            Figure.of(f"{label}: records in a transaction, mean", "records", made),
        ]
    return Section(
        "latency",
        f"Heartbeats in JSON of {_NODES} nodes at a steady rate for {seconds:.0f} s, folded by one worker that passes "
        f"every {_EVERY}th on; from the broker's append time of the heartbeat until a reader of committed records has "
        "the output. Two seconds to warm up are left out.",
        tuple(figures),
    )


def interval_job(every: int) -> list[str]:
    """The command of a worker that keeps the interval of each node and passes every so many-th heartbeat on."""
    return [sys.executable, str(HERE / "peers" / "snowshed_job.py"), str(every)]


def at_rate(stage: Stage, rate: int, seconds: float, command: list[str]) -> tuple[float, float, float]:
    """Latency of the outputs at a steady rate, median and 99th percentile in ms, and records in a batch."""
    prefix = stage.unique("latency")
    topics = Topics(prefix, replication=1)
    provision(stage.connection, topics)
    with Worker(stage, prefix, prefix, command) as worker, _Reader(stage, topics) as reader:
        worker.wait_ready()
        _send(stage, topics, rate, _WARM_UP_SECONDS)
        reader.waits.clear()
        _send(stage, topics, rate, seconds)
        numbers = worker.metrics("heartbeats")
    stage.forget(prefix)
    centiles = quantiles(reader.waits, n=100)
    stage.tell(f"{rate} records/s: {len(reader.waits)} outputs, mean {fmean(reader.waits):.1f} ms")
    return centiles[49], centiles[98], _mean_size(numbers)


def _send(stage: Stage, topics: Topics, rate: int, seconds: float) -> None:
    beats = json_heartbeats(_NODES, int(rate * seconds / _NODES) + 2, time.time())
    paced(stage, topics.full("heartbeats"), beats, rate, seconds)
    time.sleep(_SETTLE_SECONDS)


class _Reader:
    """Reads committed outputs in a thread and notes how old the record behind each is, in milliseconds."""

    def __init__(self, stage: Stage, topics: Topics) -> None:
        self.waits: list[float] = []
        own: dict[str, Property] = {
            "group.id": topics.prefix,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,
            "log_level": 2,
        }
        self._consumer = Consumer(stage.connection.librdkafka(own))
        places = [TopicPartition(topics.full("health"), number, 0) for number in range(topics.partitions("health"))]
        self._consumer.assign(places)
        self._done = Event()
        self._thread = Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._consumer.close()

    def _read(self) -> None:
        codec = Codec()
        while not self._done.is_set():
            message = self._consumer.poll(0.05)
            arrived = time.time()
            if message is None or message.error() is not None:
                continue
            record = codec.decode(message.value())
            if isinstance(record, NodeHealth):
                self.waits.append((arrived - record.last_seen) * 1000)
