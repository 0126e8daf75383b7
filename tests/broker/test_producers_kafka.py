"""Telemetry through a real broker, and through one that is not there yet."""

import socket
import subprocess
import sys
import time
from contextlib import suppress
from math import isnan
from threading import Thread
from typing import Any, Self

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from snowshed.producers import HeartbeatEmitter, MarkerReporter, Node, Outcome, Telemetry, TimingRecorder, Transport
from snowshed.schemas.cloudevents import event_id
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.records import Heartbeat, Marker, NodeStatus, Record, TimingBatch
from snowshed.schemas.topics import Topics, partition_for
from snowshed.streams.broker import Broker

pytestmark = pytest.mark.broker

_NODE = Node(name="shop-1", service="shop")
_INPUTS = ("heartbeats", "timings", "markers")


@pytest.fixture
def topics(kafka: Broker, prefix: str) -> Topics:
    """The producers' topics, made for this test alone."""
    topics = Topics(prefix, 4)
    client: Any = AdminClient({"bootstrap.servers": kafka.bootstrap})
    new = [NewTopic(topics.full(name), 4, 1, config={"message.timestamp.type": "LogAppendTime"}) for name in _INPUTS]
    for created in client.create_topics(new).values():
        created.result(30)
    return topics


def _read(kafka: Broker, topics: Topics, count: int, timeout: float = 30.0) -> list[Any]:
    """The first `count` messages on the producers' topics."""
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap, "group.id": topics.prefix, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topics.full(name) for name in _INPUTS])
    until, messages = time.monotonic() + timeout, list[Any]()
    while len(messages) < count and time.monotonic() < until:
        messages += [message for message in consumer.consume(500, 0.2) if message.error() is None]
    consumer.close()
    return messages


def _records(messages: list[Any]) -> list[Record]:
    codec = Codec()
    return [codec.decode(message.value()) for message in messages]


class _Gate:
    """An address that refuses connections until it is opened, and then leads to the broker."""

    def __init__(self, bootstrap: str) -> None:
        host, port = bootstrap.split(",", maxsplit=1)[0].rsplit(":", 1)
        self._target = (host, int(port))
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def open(self) -> None:
        self._socket.listen()
        Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._socket, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._socket.accept()
                far = socket.create_connection(self._target)
                self._ends += [near, far]
                for pair in ((near, far), (far, near)):
                    Thread(target=self._carry, args=pair, daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)


def test_what_is_sent_is_what_is_read(kafka: Broker, topics: Topics) -> None:
    transport = Transport(KafkaConnection(kafka.bootstrap), topics=topics, source="shop-1")
    with Telemetry(_NODE, transport, interval=0.05, window=60.0) as telemetry:
        telemetry.recorder.observe("orders", "GET", 0.01, outcome=Outcome.TIMEOUT)
        telemetry.markers.written("orders", "pg-1", version=1, written_at=1.0, row_period=0.5)
        assert transport.flush(20)
    stats = transport.stats()
    assert (stats.lost, stats.queued) == (0, 0)
    assert stats.delivered == stats.accepted
    messages = _read(kafka, topics, stats.accepted)
    assert len(messages) == stats.accepted
    records = _records(messages)
    (batch,) = [record for record in records if isinstance(record, TimingBatch)]
    assert (batch.timeout, batch.reporter) == ((1.0,), "shop-1")
    (marker,) = [record for record in records if isinstance(record, Marker)]
    assert (marker.dataset, marker.version) == ("orders", 1.0)
    beats = [record for record in records if isinstance(record, Heartbeat)]
    assert beats[-1].status is NodeStatus.LEAVING
    assert [beat.seq for beat in beats] == list(range(len(beats)))


def test_keys_lie_where_kafkas_own_clients_put_them_and_every_event_has_an_id(kafka: Broker, topics: Topics) -> None:
    transport = Transport(KafkaConnection(kafka.bootstrap), topics=topics)
    for i in range(40):
        MarkerReporter(_NODE, transport).written(f"set-{i}", "pg-1", version=i, written_at=1.0, row_period=0.5)
    assert transport.close(20)
    messages = _read(kafka, topics, 40)
    assert {message.partition() for message in messages} == set(range(4))
    assert all(message.partition() == partition_for(message.key(), 4) for message in messages)
    assert len({event_id(message.headers()) for message in messages} - {""}) == 40


def test_the_round_trip_bounds_the_way_from_a_records_time_stamp_to_the_log(kafka: Broker, topics: Topics) -> None:
    transport = Transport(KafkaConnection(kafka.bootstrap), topics=topics)
    heartbeat = HeartbeatEmitter(_NODE, transport, interval=0.02)
    assert isnan(transport.round_trip)
    with heartbeat:
        while isnan(transport.round_trip) or transport.stats().delivered < 20:
            assert transport.flush(20)
    transport.close(20)
    messages = _read(kafka, topics, transport.stats().delivered)
    beats = [record for record in _records(messages) if isinstance(record, Heartbeat)]
    # Broker and producer share a clock here, and the broker's has millisecond steps.
    one_way = min(message.timestamp()[1] / 1e3 - beat.sent_at for message, beat in zip(messages, beats, strict=True))
    assert -0.002 <= one_way <= transport.round_trip
    assert transport.round_trip < 5.0
    measured = [beat.round_trip for beat in beats if not isnan(beat.round_trip)]
    assert measured == sorted(measured, reverse=True)


def test_a_broker_that_comes_later_gets_the_newest_telemetry(kafka: Broker, topics: Topics) -> None:
    with _Gate(kafka.bootstrap) as gate:
        transport = Transport(KafkaConnection(gate.address), topics=topics, capacity=50)
        markers = MarkerReporter(_NODE, transport)
        for version in range(3_000):
            markers.written("orders", "pg-1", version=version, written_at=1.0, row_period=0.5)
        assert not transport.flush(1.0)
        assert transport.stats().lost > 0
        gate.open()
        assert transport.flush(60)
    stats = transport.stats()
    transport.close(5)
    assert stats.delivered + stats.lost == 3_000
    versions = [
        record.version for record in _records(_read(kafka, topics, stats.delivered)) if isinstance(record, Marker)
    ]
    assert len(versions) == stats.delivered
    assert versions == sorted(versions)
    assert versions[-50:] == list(range(2_950, 3_000))


def test_an_anomaly_is_on_the_wire_long_before_its_window_ends(kafka: Broker, topics: Topics) -> None:
    transport = Transport(KafkaConnection(kafka.bootstrap), topics=topics)
    recorder = TimingRecorder(_NODE, transport, window=3_600.0)
    for _ in range(20):
        recorder.observe("orders", "GET", 0.01, outcome=Outcome.LOCAL)
    (message,) = _read(kafka, topics, 1)
    (batch,) = _records([message])
    assert isinstance(batch, TimingBatch)
    assert batch.urgent
    recorder.stop()
    transport.close(5)


def test_a_child_forked_while_nothing_is_under_way_reports_for_itself(kafka: Broker, topics: Topics) -> None:
    program = f"""
import os, time
from snowshed.producers import *
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.topics import Topics
transport = Transport(KafkaConnection({kafka.bootstrap!r}), topics=Topics({topics.prefix!r}, 4))
markers = MarkerReporter(Node.here("shop", "shop-1"), transport)
markers.written("orders", "pg-1", version=1, written_at=1.0, row_period=0.5)
assert transport.flush(20)
started = time.monotonic()
child = os.fork()
assert time.monotonic() - started < 0.5
markers.written("orders", "pg-1", version=3 if child else 2, written_at=1.0, row_period=0.5)
assert transport.close(20)
if child:
    assert os.waitpid(child, 0)[1] == 0
    print(child)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=90)
    assert run.returncode == 0, run.stderr
    child = run.stdout.split()[-1]
    markers = [record for record in _records(_read(kafka, topics, 3)) if isinstance(record, Marker)]
    assert {(marker.version, marker.node) for marker in markers} == {
        (1.0, "shop-1"),
        (2.0, f"shop-1:{child}"),
        (3.0, "shop-1"),
    }


def test_a_program_that_just_ends_has_its_last_words_delivered(kafka: Broker, topics: Topics) -> None:
    program = f"""
from snowshed.producers import *
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.topics import Topics
transport = Transport(KafkaConnection({kafka.bootstrap!r}), topics=Topics({topics.prefix!r}, 4))
markers = MarkerReporter(Node.here("shop", "shop-1"), transport)
markers.written("orders", "pg-1", version=1, written_at=1.0, row_period=0.5)
assert transport.flush(20)
telemetry = Telemetry(Node.here("shop", "shop-1"), transport, window=60).start()
telemetry.recorder.observe("orders", "GET", 0.01)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=90)
    assert run.returncode == 0, run.stderr
    records = _records(_read(kafka, topics, 4))
    assert [record.status for record in records if isinstance(record, Heartbeat)] == [NodeStatus.UP, NodeStatus.LEAVING]
    assert sum(isinstance(record, TimingBatch) for record in records) == 1
