"""The same small fold in four systems, from the same topic, in turn: records a second and processor time a record."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.benchmarks.draining import Backlog, Drained, drain
from tests.benchmarks.jobs import Job, Worker
from tests.benchmarks.loads import INTERVAL, fill, json_heartbeats
from tests.benchmarks.provisioned import HERE, kafka_streams_classpath, quix_python
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.schemas.topics import Topics
from snowshed.streams.broker import find_java

__all__ = ["run"]

_NODES = 1000
_PEERS = HERE / "peers"


@dataclass(frozen=True, slots=True)
class _Scene:
    stage: Stage
    backlog: Backlog
    prefix: str

    def output(self, group: str) -> str:
        """A fresh topic for a group's output."""
        topic = f"{self.prefix}.out.{group}"
        self.stage.create(topic, self.backlog.partitions)
        return topic


@dataclass(frozen=True, slots=True)
class _Peer:
    label: str
    start: Callable[[_Scene, str], Job]
    """Makes the job that runs as the given group."""


def _snowshed(scene: _Scene, group: str) -> Job:
    command = [sys.executable, str(_PEERS / "snowshed_job.py"), "100"]
    return Worker(scene.stage, scene.prefix, group, command)


def _faust(scene: _Scene, group: str) -> Job:
    script, stage = str(_PEERS / "faust_job.py"), scene.stage
    topics = (scene.backlog.topic, scene.output(group))
    command = [sys.executable, script, stage.broker.bootstrap, group, *topics, str(scene.backlog.partitions)]
    return Job(group, [*command, str(stage.folder / group)], stage.folder)


def _quix(scene: _Scene, group: str) -> Job:
    script, stage = str(_PEERS / "quix_job.py"), scene.stage
    topics = (scene.backlog.topic, scene.output(group))
    command = [str(quix_python()), script, stage.broker.bootstrap, group, *topics, str(stage.folder / group)]
    return Job(group, command, stage.folder)


def _kafka_streams(store: str) -> Callable[[_Scene, str], Job]:
    def start(scene: _Scene, group: str) -> Job:
        java, stage = find_java(), scene.stage
        program = [str(java.path), "-cp", kafka_streams_classpath(java), "IntervalJob"]
        topics = (scene.backlog.topic, scene.output(group))
        command = [*program, stage.broker.bootstrap, group, *topics, store, str(stage.folder / group)]
        return Job(group, command, stage.folder)

    return start


_ALL = {
    "snowshed": _Peer("Snowshed, exactly once", _snowshed),
    "streams-memory": _Peer("Kafka Streams 4.3.1 (Java), exactly once, store in memory", _kafka_streams("memory")),
    "streams-rocksdb": _Peer("Kafka Streams 4.3.1 (Java), exactly once, RocksDB", _kafka_streams("rocksdb")),
    "quix": _Peer("Quix Streams 3.28, exactly once", _quix),
    "faust": _Peer("Faust, table in memory, at least once", _faust),
}


def run(stage: Stage) -> Section:
    """Let all systems work the backlog off in turn, as often as there are repeats."""
    rounds = stage.pick(2000, 100)
    seconds = stage.pick(60.0, 10.0)
    scene = _prepare(stage, rounds)
    found: dict[str, list[Drained]] = {name: [] for name in _ALL}
    for _ in range(stage.repeats):
        for name, peer in _ALL.items():
            found[name].append(_measure(scene, name, peer, seconds))
            stage.tell(f"{peer.label}: {found[name][-1].rate:.0f} records/s")
    stage.forget(scene.prefix)
    rates = [Figure.of(peer.label, "records/s", [one.rate for one in found[name]]) for name, peer in _ALL.items()]
    costs = [
        Figure.of(f"{peer.label}: processor time", "µs/record", [one.cpu_per_record for one in found[name]])
        for name, peer in _ALL.items()
    ]
    return Section(
        "comparison",
        f"The same fold in every system: read a heartbeat of 200 bytes of JSON, keep each node's last time and "
        f"exponentially weighted mean interval, pass every hundredth on. {_NODES * rounds} heartbeats of {_NODES} "
        f"nodes on {scene.backlog.partitions} partitions; each system is one process with its default number of "
        "threads, commits every 200 ms (Snowshed: whenever the transaction before is through), keeps its state in a "
        "changelog topic and runs alone, in turn, repeat by repeat, until the backlog is nearly gone or "
        f"{seconds:.0f} s have passed. Input offsets committed a second, start-up excluded.",
        (*rates, *costs),
    )


def _prepare(stage: Stage, rounds: int) -> _Scene:
    prefix = stage.unique("comparison")
    topics = Topics(prefix, replication=1)
    topic = stage.create_dated(topics, "heartbeats")
    stage.tell(f"Filling {topic}")
    items = json_heartbeats(_NODES, rounds, time.time() - rounds * INTERVAL)
    # Uncompressed, because Faust's client reads lz4 only with a further package.
    filled = fill(stage, topic, items, compression="none")
    return _Scene(stage, Backlog(topic, topics.partitions("heartbeats"), filled), prefix)


def _measure(scene: _Scene, name: str, peer: _Peer, seconds: float) -> Drained:
    stage, group = scene.stage, scene.stage.unique(name)
    stage.forget(scene.prefix, keep=[scene.backlog.topic])
    try:
        with peer.start(scene, group) as job:
            return drain(stage, job, group, scene.backlog, limit=seconds)
    finally:
        # Changelogs are named after the group: Faust and Kafka Streams begin with it, Quix Streams has a prefix.
        stage.forget(group)
        stage.forget(f"changelog__{group}")
