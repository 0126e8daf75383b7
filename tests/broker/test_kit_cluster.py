"""The cluster of three nodes does what the tests that lose one rely on."""

from __future__ import annotations

import socket
import struct
from collections.abc import Generator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from tests.support.cluster import LocalCluster
from tests.support.core_rig import wait_until

pytestmark = pytest.mark.timeout(600)
_GROUPS = [f"group-{number}-é{'x' * number}" for number in range(12)]


@pytest.fixture(scope="module")
def shared_cluster() -> Generator[LocalCluster]:
    with LocalCluster() as running:
        yield running


@pytest.fixture
def cluster(shared_cluster: LocalCluster) -> LocalCluster:
    shared_cluster.elect_preferred()
    return shared_cluster


@pytest.fixture
def topic(cluster: LocalCluster, prefix: str) -> str:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    admin.create_topics([NewTopic(prefix, num_partitions=3, replication_factor=-1)])[prefix].result(60)
    cluster.wait_settled()
    return prefix


def write(cluster: LocalCluster, topic: str, count: int) -> int:
    """Write to partition 0; how many were acknowledged."""
    acknowledged: list[int] = []
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "log_level": 0, "message.timeout.ms": 120_000})
    for number in range(count):
        producer.produce(
            topic, str(number), partition=0, on_delivery=lambda error, _: acknowledged.append(1) if not error else None
        )
    producer.flush(120)
    return len(acknowledged)


def end(cluster: LocalCluster, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "reader"})
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), 60)[1]
    finally:
        consumer.close()


def named_coordinator(cluster: LocalCluster, name: str, kind: int) -> int:
    """Whom a broker names as the coordinator of a group (kind 0) or of a transactional id (1): FindCoordinator v1."""
    key = name.encode()
    request = struct.pack(f">hhihh{len(key)}sb", 10, 1, 7, -1, len(key), key, kind)
    address = cluster.bootstrap.split(",")[0].split(":")
    with socket.create_connection((address[0], int(address[1])), 30) as connection, connection.makefile("rb") as answer:
        connection.sendall(struct.pack(">i", len(request)) + request)
        _, _, _, error, message = struct.unpack(">iiihh", answer.read(16))
        answer.read(max(message, 0))
        assert error == 0
        node: int = struct.unpack(">i", answer.read(4))[0]
    return node


def test_coordinators_are_those_that_the_brokers_name(cluster: LocalCluster) -> None:
    named = {group: named_coordinator(cluster, group, 0) for group in _GROUPS}
    assert {group: cluster.group_coordinator(group) for group in _GROUPS} == named
    named = {group: named_coordinator(cluster, group, 1) for group in _GROUPS}
    assert {group: cluster.transaction_coordinator(group) for group in _GROUPS} == named
    assert len(set(named.values())) == 3


def test_a_killed_leader_is_replaced_and_no_acknowledged_record_is_lost(cluster: LocalCluster, topic: str) -> None:
    leader = cluster.leaders(topic)[0]
    before = write(cluster, topic, 100)
    cluster.kill(leader)
    assert leader not in cluster.running
    assert write(cluster, topic, 100) == before == 100
    wait_until(lambda: cluster.leaders(topic)[0] not in {leader, -1}, 120, what="another leader")
    cluster.start(leader)
    assert end(cluster, topic) == 200


def test_a_stopped_node_hands_over_and_takes_its_lead_again(cluster: LocalCluster, topic: str) -> None:
    leader = cluster.leaders(topic)[0]
    coordinated = next(group for group in _GROUPS if cluster.group_coordinator(group) == leader)
    cluster.stop(leader)
    wait_until(lambda: cluster.group_coordinator(coordinated) not in {leader, -1}, 120, what="another coordinator")
    assert write(cluster, topic, 10) == 10
    cluster.start(leader)
    assert cluster.leaders(topic)[0] != leader
    cluster.elect_preferred()
    assert cluster.leaders(topic)[0] == leader == cluster.group_coordinator(coordinated)


def test_the_transaction_coordinator_moves_when_its_node_dies(cluster: LocalCluster, prefix: str) -> None:
    transactional_id = f"{prefix}-0"
    node = cluster.transaction_coordinator(transactional_id)
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "transactional.id": transactional_id, "log_level": 0})
    producer.init_transactions(120)
    cluster.kill(node)
    wait_until(lambda: cluster.transaction_coordinator(transactional_id) not in {node, -1}, 120, what="a new one")
    cluster.start(node)


def test_a_topic_with_two_nodes_lost_refuses_writes_until_one_is_back(cluster: LocalCluster, topic: str) -> None:
    followers = [node for node in cluster.running if node != cluster.leaders(topic)[0]]
    for node in followers:
        cluster.kill(node)
    impatient = Producer({"bootstrap.servers": cluster.bootstrap, "log_level": 0, "message.timeout.ms": 3_000})
    failed: list[object] = []
    impatient.produce(topic, "lost", partition=0, on_delivery=lambda error, _: failed.append(error))
    impatient.flush(60)
    assert failed[0] is not None
    cluster.start(*followers)
    assert write(cluster, topic, 10) == 10
