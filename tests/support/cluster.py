"""Three Kafka nodes on one machine, any of which can be killed, stopped and started."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from confluent_kafka import Consumer, ElectionType, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata, PartitionMetadata

from snowshed.schemas.errors import BrokerUnavailable
from snowshed.streams.broker import LocalKafka, free_ports

__all__ = ["LocalCluster"]

_NODES = (1, 2, 3)
_INTERNAL_PARTITIONS = 6
_OFFSETS, _TRANSACTIONS = "__consumer_offsets", "__transaction_state"
_PATIENCE = 180.0
"""Seconds that three starting JVMs may take on two busy cores."""

_SETTINGS = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "offsets.topic.num.partitions": str(_INTERNAL_PARTITIONS),
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "transaction.state.log.num.partitions": str(_INTERNAL_PARTITIONS),
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "broker.session.timeout.ms": "6000",
    "auto.leader.rebalance.enable": "false",  # leaders move when a test says so
    "replica.lag.time.max.ms": "6000",  # a dead follower holds up writes that long if it dies before its session does
}


class LocalCluster:
    """Three combined nodes, brokers and controllers, as child processes; a context manager that starts and ends them.

    Topics have three copies of which two must be written. The internal topics exist once the cluster has started.

    Args:
        extra: broker settings of every node that replace ours.
    """

    def __init__(self, extra: Mapping[str, str] | None = None) -> None:
        self._folder = TemporaryDirectory(prefix="snowshed-cluster-", ignore_cleanup_errors=True)
        ports = free_ports(2 * len(_NODES))
        self._controllers: dict[int, int] = dict(zip(_NODES, ports[: len(_NODES)], strict=True))
        self._clients: dict[int, int] = dict(zip(_NODES, ports[len(_NODES) :], strict=True))
        self.nodes: Mapping[int, LocalKafka] = {node: self._node(node, extra or {}) for node in _NODES}
        """The nodes by their ids, running or not."""
        self._admin: AdminClient | None = None

    def _node(self, node: int, extra: Mapping[str, str]) -> LocalKafka:
        voters = ",".join(f"{each}@127.0.0.1:{port}" for each, port in self._controllers.items())
        return LocalKafka(
            Path(self._folder.name) / str(node),
            port=self._clients[node],
            controller_port=self._controllers[node],
            extra={**_SETTINGS, "node.id": str(node), "controller.quorum.voters": voters, **extra},
        )

    @property
    def bootstrap(self) -> str:
        """The addresses of all nodes."""
        return ",".join(f"127.0.0.1:{port}" for port in self._clients.values())

    @property
    def running(self) -> tuple[int, ...]:
        """The ids of the nodes whose process lives."""
        return tuple(node for node, kafka in self.nodes.items() if kafka.pid is not None)

    def __enter__(self) -> Self:
        try:
            self._start_all()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def _start_all(self) -> None:
        with ThreadPoolExecutor(len(_NODES)) as pool:
            list(pool.map(LocalKafka.prepare, self.nodes.values()))
        for kafka in self.nodes.values():
            kafka.launch()
        for kafka in self.nodes.values():
            kafka.wait_ready(_PATIENCE, brokers=len(_NODES))
        self._make_internal_topics()

    def _make_internal_topics(self) -> None:
        """Ask for a coordinator of each kind, which makes the topic that they keep their state in."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "transactional.id": "cluster", "log_level": 0})
        producer.init_transactions(_PATIENCE)
        # Not by the admin client: librdkafka aborts the process when a node is lost during its calls about groups.
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "cluster", "log_level": 0})
        asked = [TopicPartition(_TRANSACTIONS, 0)]
        self._wait(lambda: bool(consumer.committed(asked, 30)), what="a group coordinator serves")
        consumer.close()
        self.wait_settled()

    def close(self) -> None:
        """Kill all nodes and remove what they wrote; an orderly stop would wait for a quorum that is leaving too."""
        for kafka in self.nodes.values():
            kafka.kill()
        self._folder.cleanup()

    def kill(self, node: int) -> None:
        """End a node by SIGKILL."""
        self.nodes[node].kill()

    def stop(self, node: int, grace: float = 60.0) -> None:
        """Stop a node in order: it hands its partitions over first."""
        self.nodes[node].stop(grace)

    def start(self, *nodes: int) -> None:
        """Start nodes on their old data, at once, and wait until they serve clients and have caught up."""
        for node in nodes:
            self.nodes[node].launch()
        for node in nodes:
            self.nodes[node].wait_ready(_PATIENCE, brokers=len(self.running))
        self.wait_settled()

    def leaders(self, topic: str) -> dict[int, int]:
        """The node that leads each partition, -1 where none does."""
        # Each call may ask another node, and one that has just started may not have heard of the topic yet.
        led: dict[int, int] = {}
        self._wait(lambda: bool(led.update(self._led(topic)) or led), what=f"the asked node knows topic {topic}")
        return led

    def _led(self, topic: str) -> dict[int, int]:
        known = self._metadata().topics.get(topic)
        return {} if known is None else {number: partition.leader for number, partition in known.partitions.items()}

    def group_coordinator(self, group: str) -> int:
        """The node that coordinates a consumer group."""
        return self._coordinator(_OFFSETS, group)

    def transaction_coordinator(self, transactional_id: str) -> int:
        """The node that coordinates the transactions of an id."""
        return self._coordinator(_TRANSACTIONS, transactional_id)

    def _coordinator(self, topic: str, name: str) -> int:
        leaders = self.leaders(topic)
        return leaders[abs(_java_hash(name)) % len(leaders)]

    def elect_preferred(self) -> None:
        """Give every partition's lead to the first of its copies, as it was before nodes were lost."""
        self._wait(self._preferred, what="the first copy of every partition leads")

    def _preferred(self) -> bool:
        # Asked again each time: the controller may learn later than we that a copy has caught up. No time-out is given,
        # because the client's C code refuses the one that its documentation offers for this call.
        self._client.elect_leaders(ElectionType.PREFERRED).result(_PATIENCE)
        return all(one.leader == one.replicas[0] for one in self._partitions())

    def wait_settled(self, timeout: float = _PATIENCE) -> None:
        """Wait until every partition is led and every running node has caught up with those it copies."""
        self._wait(lambda: not self._behind(), timeout, what="every copy on a running node is in sync")

    def _behind(self) -> bool:
        running = set(self.running)
        return any(
            one.leader not in running or not running & set(one.replicas) <= set(one.isrs) for one in self._partitions()
        )

    def _partitions(self) -> list[PartitionMetadata]:
        return [one for topic in self._metadata().topics.values() for one in topic.partitions.values()]

    def _metadata(self) -> ClusterMetadata:
        return self._client.list_topics(timeout=30)

    @property
    def _client(self) -> AdminClient:
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return self._admin

    @staticmethod
    def _wait(condition: Callable[[], bool], timeout: float = _PATIENCE, *, what: str) -> None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                if condition():
                    return
            except KafkaException:  # a node that was just lost
                pass
            if time.monotonic() > deadline:
                raise BrokerUnavailable(f"not within {timeout:.0f} s: {what}")
            time.sleep(0.1)


def _java_hash(text: str) -> int:
    """Java's `String.hashCode`, which Kafka finds coordinators by."""
    value = 0
    for (unit,) in struct.iter_unpack(">H", text.encode("utf-16-be")):
        value = (31 * value + unit) & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
