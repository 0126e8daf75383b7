"""Kafka's own quorum of three controllers that loses one member, its majority, and gets it back; and a secured one."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from tests.support.cluster import LocalCluster
from tests.support.core_rig import wait_until
from tests.support.secured import ADMIN, SecuredKafka

from snowshed.producers.collectors.base import Clock, QuorumSeen
from snowshed.producers.collectors.kraft import KRaft, KRaftTarget, kraft_collector
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable
from snowshed.streams.permissions import Grant
from snowshed.streams.quorum import QuorumHealth, QuorumStatus, judge

pytestmark = pytest.mark.timeout(600)
_LATE = 60.0


@contextmanager
def _watching(connection: KafkaConnection) -> Generator[KRaft]:
    collector = kraft_collector(KRaftTarget("kafka", tuple(connection.bootstrap.split(","))), connection)
    try:
        yield collector
    finally:
        collector.close()


def _health(collector: KRaft) -> QuorumHealth:
    [seen] = collector.collect(Clock())
    assert isinstance(seen, QuorumSeen)
    return judge(seen.voters, seen.reports, now=time.time(), patience=3.0)


def test_a_cluster_is_judged_through_the_loss_of_its_quorum() -> None:
    with LocalCluster() as cluster, _watching(KafkaConnection(cluster.bootstrap)) as collector:

        def becomes(wanted: QuorumStatus) -> None:
            wait_until(lambda: _health(collector).status is wanted, _LATE, what=f"the quorum is {wanted.value}")

        becomes(QuorumStatus.HEALTHY)
        health = _health(collector)
        assert (health.voters, health.tolerates, health.inside) == (3, 1, ("1", "2", "3"))
        [leader] = health.leaders
        first, second = (node for node in cluster.running if str(node) != leader)
        cluster.kill(first)
        becomes(QuorumStatus.CRITICAL)
        assert str(first) not in _health(collector).inside
        cluster.kill(second)
        becomes(QuorumStatus.UNKNOWN)
        wait_until(lambda: _health(collector).leaders == (), _LATE, what="the last controller leads no more")
        cluster.nodes[first].launch()
        becomes(QuorumStatus.CRITICAL)
        cluster.nodes[second].launch()
        becomes(QuorumStatus.HEALTHY)


def test_a_new_leader_is_found_when_the_leader_is_killed() -> None:
    with LocalCluster() as cluster, _watching(KafkaConnection(cluster.bootstrap)) as collector:
        wait_until(lambda: _health(collector).status is QuorumStatus.HEALTHY, _LATE, what="the quorum is healthy")
        [leader] = _health(collector).leaders
        cluster.kill(int(leader))
        wait_until(lambda: _health(collector).leaders not in {(), (leader,)}, _LATE, what="another controller leads")
        assert _health(collector).status is QuorumStatus.CRITICAL


@pytest.fixture(scope="module")
def secured() -> Generator[SecuredKafka]:
    with SecuredKafka() as running:
        yield running


def test_a_quorum_is_watched_over_tls_by_a_user_who_may_describe_the_cluster(
    secured: SecuredKafka, caplog: pytest.LogCaptureFixture
) -> None:
    with _watching(secured.connection(ADMIN)) as collector, caplog.at_level(logging.INFO, "aiokafka"):
        assert {_health(collector).status for _ in range(3)} == {QuorumStatus.HEALTHY}
        assert caplog.text.count("Authenticated as admin") == 1, "the connection is kept"
    with _watching(secured.connection("reporter")) as collector:
        with pytest.raises(ConfigurationError, match="Grant DESCRIBE on the cluster"):
            _health(collector)
        secured.grant("reporter", [Grant("cluster", "kafka-cluster", "Describe", prefixed=False)])
        wait_until(lambda: _allowed(collector), _LATE, what="the grant has reached the broker")


def _allowed(collector: KRaft) -> bool:
    try:
        return _health(collector).status is QuorumStatus.HEALTHY
    except ConfigurationError:
        return False


def test_what_keeps_a_server_from_answering_is_told(secured: SecuredKafka) -> None:
    good = secured.connection(ADMIN)
    for name, value, said in (
        ("sasl.password", "wrong", r"see the sasl\.\* properties"),
        ("sasl.mechanism", "SCRAM-SHA-256", r"see the sasl\.\* properties"),
        ("ssl.ca.location", "probe", r"see the ssl\.\* properties"),
    ):
        wrong = KafkaConnection(good.bootstrap, {**good.properties, name: value})
        with _watching(wrong) as collector, pytest.raises(ConfigurationError, match=said):
            _health(collector)
    plain = KafkaConnection(good.bootstrap, {})
    with _watching(plain) as collector, pytest.raises(ServerUnavailable):
        _health(collector)


def test_a_question_in_progress_keeps_no_connection_open_when_the_collector_is_closed() -> None:
    """A server that takes the question and does not answer, as one that was stopped does."""
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as pool:
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        collector = kraft_collector(KRaftTarget("kafka", (server,)), KafkaConnection(server))
        asked = pool.submit(collector.collect, Clock())
        taken, _ = silent.accept()
        with taken:
            assert taken.recv(4)
            collector.close()
            with pytest.raises(ServerUnavailable):
                asked.result(10.0)
            while taken.recv(1000):
                pass  # what it had asked; then it has hung up
