"""With the documented permissions everything works, and without any one of them something does not."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions
from tests.support.certificates import make_certificates
from tests.support.core_rig import wait_until
from tests.support.engine import container_engine
from tests.support.fleet import Running
from tests.support.secured import ADMIN, SecuredKafka, secured_container, user_properties

from snowshed.consumers import DecisionView
from snowshed.consumers.testing import decision
from snowshed.producers import Transport
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import BrokerUnavailable, ConfigurationError
from snowshed.schemas.records import DeadLetter, DecisionKind, Heartbeat
from snowshed.schemas.topics import Topics
from snowshed.streams.broker import free_ports, wait_ready
from snowshed.streams.permissions import Grant, granted
from snowshed.streams.provision import provision
from snowshed.streams.transactions.protocol import read_broker_limits

pytestmark = pytest.mark.timeout(600)
_LATE = 90.0
"""Seconds that a starved machine may take for one step."""

_NEEDED = [grant for grant in granted("worker", "p", "p") if grant.resource != "cluster"]


@pytest.fixture(scope="module")
def secured() -> Generator[SecuredKafka]:
    with SecuredKafka() as running:
        yield running


def environment(connection: KafkaConnection, prefix: str) -> dict[str, str]:
    """The connection and names as a process of ours takes them."""
    properties = {
        f"SNOWSHED_KAFKA__{name.upper().replace('.', '_')}": value for name, value in connection.properties.items()
    }
    names = {"SNOWSHED_BOOTSTRAP": connection.bootstrap, "SNOWSHED_PREFIX": prefix, "SNOWSHED_APP": prefix}
    return {**os.environ, **names, **properties}


@contextmanager
def running_worker(secured: SecuredKafka, prefix: str, folder: Path, protocol: str = "auto") -> Generator[Running]:
    """A worker that makes its topics itself."""
    connection, [port] = secured.connection("worker"), free_ports(1)
    settings = {"GROUP_PROTOCOL": protocol, "REPLICATION": "1", "PARTITIONS": "1", "WEB_PORT": str(port)}
    log = folder / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "snowshed.streams.cli", "worker"],
            env={**environment(connection, prefix), **{f"SNOWSHED_{name}": each for name, each in settings.items()}},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    worker = Running("worker", process, log, f"http://127.0.0.1:{port}")
    try:
        yield worker
    finally:
        worker.stop()


def heartbeat() -> Heartbeat:
    return Heartbeat(node="n", service="s", seq=1.0, sent_at=time.time(), monotonic=time.monotonic(), interval=0.5)


def reported(secured: SecuredKafka, topics: Topics, timeout: float = _LATE) -> bool:
    """Whether a heartbeat of the reporter reaches the broker."""
    transport = Transport(secured.connection("reporter"), topics=topics)
    transport.send("heartbeats", "n", heartbeat())
    transport.flush(timeout)
    delivered = transport.stats().delivered
    transport.close(1)
    return delivered == 1


def letter(topics: Topics) -> bytes:
    """A dead letter of a heartbeat."""
    return Codec().encode(
        DeadLetter(
            topic=topics.full("heartbeats"),
            partition=0,
            offset=0,
            timestamp=time.time(),
            key=b"k",
            value=b"v",
            error="NotOurs",
            reason="for a test",
            rejected_at=time.time(),
        )
    )


def snowshed(secured: SecuredKafka, prefix: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as the operator."""
    return subprocess.run(
        [sys.executable, "-m", "snowshed.streams.cli", *words],
        env=environment(secured.connection("operator"), prefix),
        capture_output=True,
        text=True,
        timeout=_LATE,
        check=False,
    )


def write(secured: SecuredKafka, user: str, topic: str, value: bytes, key: str) -> None:
    producer = Producer(secured.connection(user).librdkafka({"partitioner": "murmur2_random"}))
    producer.produce(topic, value, key)
    assert producer.flush(_LATE) == 0


def obeys(secured: SecuredKafka, topics: Topics, timeout: float) -> bool:
    """Whether a guard's view hears of a decision within seconds."""
    breaker = decision("orders", DecisionKind.BREAKER, p_reject=0.5, ttl=_LATE)
    view = DecisionView.connect(secured.connection("guard"), prefix=topics.prefix)
    try:
        view.wait_caught_up(timeout)
        write(secured, ADMIN, topics.full("decisions"), Codec().encode(breaker), "orders")
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and not view.for_scope("orders").p_reject:
            time.sleep(0.05)
        return view.for_scope("orders").p_reject > 0
    finally:
        view.close()


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_the_documented_permissions_are_enough(
    protocol: str, secured: SecuredKafka, prefix: str, tmp_path: Path
) -> None:
    secured.grant_documented(prefix, prefix)
    topics = Topics(prefix, partitions=1, replication=1)
    with running_worker(secured, prefix, tmp_path, protocol) as worker:
        wait_until(lambda: worker.answers("/readyz"), _LATE, what="the worker is ready")
        assert reported(secured, topics)
        write(secured, "reporter", topics.full("heartbeats"), b"no record", "n")
        wait_until(
            lambda: '"node":"n"' in snowshed(secured, prefix, "watch", "--once", "--json").stdout,
            _LATE,
            what="the operator sees the node",
        )
        wait_until(
            lambda: "NotOurs" in snowshed(secured, prefix, "dead-letters", "list").stdout,
            _LATE,
            what="the operator sees the dead letter",
        )
        succeed(secured, prefix, "dead-letters", "retry", "--all-matching")
        succeed(secured, prefix, "record", "--out", str(tmp_path / "recording.jsonl"))
        succeed(secured, prefix, "replay", "--from-kafka")
        assert obeys(secured, topics, _LATE)  # last, because a decision of no worker's is no longer proven
        assert worker.stop(60) == 0
    add_a_partition(secured, topics.full("heartbeats"))
    succeed(secured, prefix, "reset", "--yes")


def succeed(secured: SecuredKafka, prefix: str, *words: str) -> None:
    done = snowshed(secured, prefix, *words)
    assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr}"


def add_a_partition(secured: SecuredKafka, topic: str) -> None:
    admin: Any = AdminClient(secured.connection(ADMIN).librdkafka())
    admin.create_partitions([NewPartitions(topic, 2)])[topic].result(_LATE)


@pytest.mark.parametrize("missing", _NEEDED, ids=lambda grant: f"{grant.resource}-{grant.operation}")
def test_a_worker_needs_each_of_its_permissions(
    missing: Grant, secured: SecuredKafka, prefix: str, tmp_path: Path
) -> None:
    secured.grant_documented(prefix, prefix)
    topics = Topics(prefix, partitions=1, replication=1)
    if missing.operation != "Create":
        provision(secured.connection(ADMIN), topics)
    secured.withdraw("worker", the("worker", prefix, missing.resource, missing.operation))
    with running_worker(secured, prefix, tmp_path) as worker:
        if missing.operation != "Create":
            assert reported(secured, topics)
        assert worker.process.wait(_LATE) != 0
        assert "authorization failed" in worker.tail(1000).lower()


@pytest.mark.parametrize(
    ("role", "missing", "words"),
    [
        ("recorder", ("group", "Describe"), ["dead-letters", "list"]),
        ("recorder", ("topic", "Read"), ["dead-letters", "list"]),
        ("retrier", ("transactional-id", "Write"), ["dead-letters", "retry", "--all-matching"]),
        ("resetter", ("group", "Read"), ["reset", "--yes"]),
        ("resetter", ("transactional-id", "Write"), ["reset", "--yes"]),
        ("resetter", ("topic", "Alter"), ["reset", "--yes"]),
    ],
)
def test_an_operator_needs_permissions_too(
    role: str, missing: tuple[str, str], words: list[str], secured: SecuredKafka, prefix: str
) -> None:
    topics = Topics(prefix, partitions=1, replication=1)
    provision(secured.connection(ADMIN), topics)
    write(secured, ADMIN, topics.full("dead-letters"), letter(topics), "k")
    add_a_partition(secured, topics.full("heartbeats"))
    needed = list(granted(role, prefix, prefix))
    secured.grant("operator", [grant for grant in needed if (grant.resource, grant.operation) != missing])
    # Not at once, because a client may be done before it hears that it may not look up its group.
    wait_until(lambda: snowshed(secured, prefix, *words).returncode == 1, _LATE, what="it is refused")
    secured.grant("operator", needed)
    succeed(secured, prefix, *words)


def the(role: str, prefix: str, resource: str, operation: str) -> Grant:
    """The one grant of a role for this operation on this kind of resource."""
    [grant] = [
        each for each in granted(role, prefix, prefix) if (each.resource, each.operation) == (resource, operation)
    ]
    return grant


def test_a_worker_that_may_not_describe_the_configuration_does_without(secured: SecuredKafka, prefix: str) -> None:
    secured.grant_documented(prefix, prefix)
    assert read_broker_limits(secured.connection("worker"))
    secured.withdraw("worker", the("worker", prefix, "cluster", "DescribeConfigs"))
    assert read_broker_limits(secured.connection("worker")) == {}


@pytest.mark.parametrize("user", ["reporter", "guard", "operator"])
def test_the_others_can_do_nothing_without_their_permissions(user: str, secured: SecuredKafka, prefix: str) -> None:
    topics = Topics(prefix, partitions=1, replication=1)
    provision(secured.connection(ADMIN), topics)
    match user:
        case "reporter":
            assert not reported(secured, topics, 3)
        case "guard":
            assert not obeys(secured, topics, 5)
        case _:
            assert "authorization failed" in snowshed(secured, prefix, "reset", "--yes").stderr.lower()


def test_one_role_does_not_give_what_another_has(secured: SecuredKafka, prefix: str) -> None:
    secured.grant_documented(prefix, prefix)
    topics = Topics(prefix, partitions=1, replication=1)
    provision(secured.connection(ADMIN), topics)
    failed: list[bool] = []
    for user, short in (("reporter", "decisions"), ("guard", "decisions"), ("guard", "heartbeats")):
        producer = Producer(secured.connection(user).librdkafka({"log_level": 0, "message.timeout.ms": 10_000}))
        producer.produce(topics.full(short), b"forged", on_delivery=lambda error, _: failed.append(error is not None))
        producer.flush(60)
    assert failed == [True, True, True]


@pytest.mark.container
def test_a_broker_in_a_container_can_be_secured_the_same_way(prefix: str, tmp_path: Path) -> None:
    make_certificates(tmp_path)
    topics = Topics(prefix, partitions=1, replication=1)
    with container_engine() as image, secured_container(image, tmp_path) as kafka:
        wait_ready(kafka.bootstrap, timeout=_LATE, client=user_properties(ADMIN, tmp_path))
        assert provision(KafkaConnection(kafka.bootstrap, user_properties(ADMIN, tmp_path)), topics)
        with pytest.raises(ConfigurationError, match="Authorization failed"):
            provision(KafkaConnection(kafka.bootstrap, user_properties("guard", tmp_path)), topics)
        with pytest.raises(BrokerUnavailable):
            wait_ready(kafka.bootstrap, timeout=2)
