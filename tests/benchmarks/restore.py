"""How long a lane takes to read its state back, by the number of keys and by how often each was updated."""

from __future__ import annotations

import time
from collections.abc import Iterator

from confluent_kafka import Producer
from tests.benchmarks.crew import await_that
from tests.benchmarks.loads import heartbeats
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage
from tests.chaos.processes import Pack

from snowshed.schemas.topics import Topics
from snowshed.streams.folding import Batch, Message
from snowshed.streams.health import HeartbeatFold
from snowshed.streams.policy import Policy
from snowshed.streams.provision import provision
from snowshed.streams.transactions.journal import APPLIED_KEY, Applied

__all__ = ["run"]

_PARTITIONS = 4
_TRANSACTION = 5_000
_CALL_SECONDS = 60.0
_QUIET_TICK = "600"
"""Seconds between looks at silence: none, so that a restore leaves the state as it was for the next one."""


def run(stage: Stage) -> Section:
    """Restart a worker again and again over states of several sizes."""
    repeats = stage.often(10, 2)
    figures = [
        figure
        for keys, updates in stage.pick(((10_000, 1), (10_000, 10), (10_000, 30), (100_000, 1)), ((10_000, 1),))
        for figure in _restored(stage, keys, updates, repeats)
    ]
    size = len(next(_state_values(1)))
    return Section(
        "restore",
        f"A `snowshed worker` process started over {_PARTITIONS} heartbeats partitions whose state topic holds so many "
        f"keys each, a node's state of {size} bytes; all of them restore at the same time. From the lane's predecessor "
        "being shut out until it takes records. None of the updates has been compacted away yet.",
        tuple(figures),
    )


def _restored(stage: Stage, keys: int, updates: int, repeats: int) -> list[Figure]:
    topics = Topics(stage.unique("restore"), partitions=_PARTITIONS, replication=1)
    provision(stage.connection, topics)
    stage.tell(f"Filling {keys} keys a partition, {updates} times each")
    _fill(stage, topics, keys, updates)
    found = [_once(stage, topics, number) for number in range(repeats)]
    stage.forget(topics.prefix)
    label = f"{keys} keys a partition, each written {updates} times" if updates > 1 else f"{keys} keys a partition"
    goal = "≤ 2" if keys == 10_000 else ""
    return [
        Figure.of(f"{label}: one lane", "s", [seconds for lanes in found for seconds in lanes]),
        Figure.of(f"{label}: slowest lane of {_PARTITIONS}", "s", [max(lanes) for lanes in found], goal),
    ]


def _once(stage: Stage, topics: Topics, number: int) -> list[float]:
    environment = {
        "SNOWSHED_BOOTSTRAP": stage.broker.bootstrap,
        "SNOWSHED_PREFIX": topics.prefix,
        "SNOWSHED_APP": topics.prefix,
        "SNOWSHED_PARTITIONS": str(_PARTITIONS),
        "SNOWSHED_TICK": _QUIET_TICK,
        "SNOWSHED_WEB_PORT": "0",
        "SNOWSHED_LOG_FORMAT": "json",
    }
    with Pack(("-m", "snowshed.streams.cli", "worker"), environment, stage.folder) as pack:
        worker = pack.start(f"{topics.prefix}-{number}")

        def opened() -> list[float]:
            return [
                float(event["seconds"])
                for event in worker.events
                if event.get("event") == "lane_changed"
                and event["state"] == "open"
                and event["lane"].startswith("heartbeats-")
            ]

        await_that(lambda: len(opened()) == _PARTITIONS, "all lanes have restored")
        seconds = opened()
        worker.stop()
    stage.tell(f"restored in {max(seconds):.2f} s")
    return seconds


def _fill(stage: Stage, topics: Topics, keys: int, updates: int) -> None:
    own: dict[str, str | int] = {
        "transactional.id": f"{topics.prefix}-fill",
        "compression.type": "lz4",
        "queue.buffering.max.messages": 500_000,
    }
    producer = Producer(stage.connection.librdkafka(own))
    producer.init_transactions(_CALL_SECONDS)
    topic = topics.full("state.heartbeats")
    for partition in range(_PARTITIONS):
        written = 0
        producer.begin_transaction()
        for _ in range(updates):
            for number, value in enumerate(_state_values(keys)):
                producer.produce(topic, value, b"node-%d-%06d" % (partition, number), partition)
                written += 1
                if written % _TRANSACTION == 0:
                    producer.commit_transaction(_CALL_SECONDS)
                    producer.begin_transaction()
        # Nothing was read yet: the mark agrees with a group that has committed no offset.
        producer.produce(topic, Applied(0, 1, time.time()).dump(), APPLIED_KEY, partition)
        producer.commit_transaction(_CALL_SECONDS)


def _state_values(count: int) -> Iterator[bytes]:
    """States of that many nodes, as the fold writes them."""
    fold, now = HeartbeatFold(Policy()), time.time()
    [item] = heartbeats(1, 1, now)
    records = fold.decode([Message(0, now, item.key, item.value)]).records
    batch = Batch(
        partition=0,
        first_offset=0,
        next_offset=1,
        version=1,
        now=now,
        caught_up=True,
        detector_lag=0.0,
        records=records,
    )
    [state] = fold.step({}, batch).changes.values()
    assert state is not None
    value = fold.dump(state)
    for _ in range(count):
        yield value
