"""One agent that watches MariaDB, Redis, a consumer group, ZooKeeper and KRaft, and what a worker makes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from tests.support.mariadb import MariaDbPair
from tests.support.redis import RedisPair
from tests.support.roundtrip import create_topic, produce
from tests.support.zookeeper import Ensemble, ensemble

from snowshed.producers.agent import Agent, AgentSettings
from snowshed.producers.collectors.host import host_node
from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Lag, LagStatus
from snowshed.schemas.topics import Topics
from snowshed.streams.broker import Broker
from snowshed.streams.folding import Batch, Message
from snowshed.streams.lag import LagState, MarkerFold
from snowshed.streams.policy import GroupPolicy, Policy


class Level1:
    """Reads the markers' topic and folds it, as a worker does."""

    def __init__(self, bootstrap: str, topics: Topics) -> None:
        self._consumer: Any = Consumer({"bootstrap.servers": bootstrap, "group.id": "u", "enable.auto.commit": False})
        self._consumer.assign([TopicPartition(topics.full("markers"), 0, 0)])
        self._fold = MarkerFold(Policy(groups=GroupPolicy(patience=2.0)), Codec())
        self._state: dict[str, LagState] = {}
        self._offset = 0
        self.lags: dict[str, Lag] = {}

    def until(self, what: str, found: Callable[[dict[str, Lag]], bool], timeout: float = 60.0) -> None:
        """Fold on until something is found."""
        deadline = time.monotonic() + timeout
        while not found(self.lags):
            assert time.monotonic() < deadline, f"{what}: {self.lags}"
            self._step()

    def _step(self) -> None:
        messages = [
            Message(item.offset(), item.timestamp()[1] / 1000, item.key(), item.value())
            for item in self._consumer.consume(100, 0.2)
        ]
        decoded = self._fold.decode(messages)
        assert decoded.rejects == ()
        first, self._offset = self._offset, self._offset + len(messages)
        batch = Batch(0, first, self._offset, 1, time.time(), True, 0.0, decoded.records)
        step = self._fold.step(self._state, batch)
        for key, value in step.changes.items():
            if value is not None:
                self._state[key] = self._fold.load(self._fold.dump(value))
        for emission in step.emissions:
            if isinstance(emission.record, Lag):
                self.lags[emission.key] = emission.record

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture
def servers() -> Generator[Ensemble]:
    with ensemble() as running:
        yield running


@contextmanager
def _agent(settings: AgentSettings) -> Generator[None]:
    stop = Event()
    thread = Thread(target=Agent(settings).run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


def test_an_agent_reports_every_kind_of_system(
    kafka: Broker, prefix: str, mariadb_pair: MariaDbPair, redis_pair: RedisPair, servers: Ensemble
) -> None:
    topics, work = Topics(prefix, 1), f"{prefix}-work"
    for name in (*(topics.full(short) for short in ("heartbeats", "timings", "markers")), work):
        create_topic(kafka.bootstrap, name)
    produce(kafka.bootstrap, work, ["x"] * 3)
    group: Any = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": work, "enable.auto.commit": False})
    group.commit(offsets=[TopicPartition(work, 0, 3)], asynchronous=False)
    settings = AgentSettings.from_env(
        {
            "SNOWSHED_BOOTSTRAP": kafka.bootstrap,
            "SNOWSHED_PREFIX": prefix,
            "SNOWSHED_NODE": "host@test",
            "SNOWSHED_MYSQL": f"shop={mariadb_pair.primary_url},r1={mariadb_pair.replica_url}",
            "SNOWSHED_REDIS": f"carts={redis_pair.source_url},r1={redis_pair.replica_url}",
            "SNOWSHED_KAFKA_GROUPS": f"work={work}:{work}",
            "SNOWSHED_ZOOKEEPER": f"zk={','.join(servers.addresses)}",
            "SNOWSHED_KRAFT_QUORUMS": f"kafka={kafka.bootstrap}",
        }
    )
    assert settings.node == host_node("host@test")
    level1 = Level1(kafka.bootstrap, topics)
    named = ("shop/r1", "carts/r1", f"work/{work}")
    with _agent(settings):
        level1.until("all fresh", lambda lags: all(_fresh(lags.get(name)) for name in named))
        level1.until("the group keeps up", lambda lags: lags[f"work/{work}"].condition == "ok")
        level1.until("the ensemble is healthy", lambda lags: "zk/quorum" in lags and _state(lags) == "healthy")
        level1.until("so is Kafka's quorum", lambda lags: "kafka/quorum" in lags)
        assert (level1.lags["kafka/quorum"].condition, level1.lags["kafka/quorum"].system) == ("healthy", "kraft")
        [leader] = [name for name, text in servers.answers("mntr").items() if "\tleader" in text]
        servers.kill(next(name for name in servers.members if name != leader))
        produce(kafka.bootstrap, work, ["x"] * 5)
        level1.until("one more failure ends the ensemble", lambda lags: _state(lags) == "critical")
        level1.until("the group has stopped", lambda lags: lags[f"work/{work}"].condition == "stop")
        level1.until("delays are published", lambda lags: (lags["shop/r1"].pairs or 0) > 5)
    level1.close()
    group.close()
    assert level1.lags["zk/quorum"].tolerates == 0.0
    assert "5 records behind" in level1.lags[f"work/{work}"].note


def _fresh(lag: Lag | None) -> bool:
    return lag is not None and lag.status is LagStatus.FRESH


def _state(lags: dict[str, Lag]) -> str:
    return lags["zk/quorum"].condition
