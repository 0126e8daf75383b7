"""Against a port where nobody listens: telemetry must cost its host nothing."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from math import isnan

import pytest
from structlog.testing import capture_logs

from snowshed.producers import HeartbeatEmitter, Node, TimingRecorder, Transport
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.records import Heartbeat

_NODE = Node(name="shop-1", service="shop")


def _beat(seq: int) -> Heartbeat:
    return Heartbeat(
        node="shop-1", service="shop", seq=float(seq), sent_at=time.time(), monotonic=time.monotonic(), interval=0.5
    )


@pytest.fixture
def dead() -> Iterator[KafkaConnection]:
    """An address that refuses connections, since it is bound but not listened on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield KafkaConnection(f"127.0.0.1:{bound.getsockname()[1]}")


def test_without_a_broker_a_hundred_thousand_records_pass_quickly_and_the_oldest_are_dropped(
    dead: KafkaConnection,
) -> None:
    transport = Transport(dead, capacity=500)
    record = _beat(0)
    started = time.process_time()
    for _ in range(100_000):
        transport.send("heartbeats", "shop-1", record)
    assert time.process_time() - started < 5.0
    stats = transport.stats()
    assert stats.accepted == 100_000
    assert stats.lost >= 100_000 - 500 - 1_000 - 1
    assert stats.delivered == 0
    assert stats.queued <= 500
    assert isnan(stats.round_trip)
    transport.close(0.0)


def test_without_a_broker_flushing_and_closing_take_no_longer_than_allowed(dead: KafkaConnection) -> None:
    transport = Transport(dead)
    transport.send("heartbeats", "shop-1", _beat(0))
    started = time.monotonic()
    assert not transport.flush(0.2)
    assert not transport.close(0.2)
    assert time.monotonic() - started < 5.0


def test_without_a_broker_the_log_says_so_once(dead: KafkaConnection) -> None:
    with capture_logs() as logs:
        transport = Transport(dead, capacity=10)
        for seq in range(5_000):
            transport.send("heartbeats", "shop-1", _beat(seq))
        transport.flush(0.5)
        transport.close(0.1)
    assert [entry["event"] for entry in logs if entry["log_level"] != "debug"] == ["kafka_unreachable"]


def test_without_a_broker_calls_are_observed_as_quickly_as_ever(dead: KafkaConnection) -> None:
    transport = Transport(dead, capacity=100)
    recorder = TimingRecorder(_NODE, transport, window=0.01)
    started = time.process_time()
    for i in range(100_000):
        recorder.observe("orders", f"op-{i % 7}", 0.01)
    assert time.process_time() - started < 5.0
    recorder.stop()
    transport.close(0.0)
    assert transport.stats().delivered == 0


def test_a_record_that_cannot_be_encoded_is_counted_and_does_not_hold_up_the_rest(dead: KafkaConnection) -> None:
    with capture_logs() as logs:
        transport = Transport(dead)
        transport.send("no-such-topic", "shop-1", _beat(0))
        transport.send("heartbeats", "shop-1", _beat(1))
        transport.flush(0.3)
        transport.close(0.1)
    assert transport.stats().lost == 1
    assert "telemetry_not_sent" in {entry["event"] for entry in logs}


def test_a_property_that_librdkafka_refuses_is_logged_and_does_not_fail_the_host() -> None:
    with capture_logs() as logs:
        transport = Transport(KafkaConnection("127.0.0.1:1", {"no.such.property": "1"}))
        transport.send("heartbeats", "shop-1", _beat(0))
        assert not transport.flush(0.2)
        transport.close(0.1)
    (entry,) = [entry for entry in logs if entry["event"] == "telemetry_disabled"]
    assert "no.such.property" in entry["reason"]


def test_what_is_sent_after_closing_starts_nothing(dead: KafkaConnection) -> None:
    transport = Transport(dead)
    transport.close(0.0)
    transport.send("heartbeats", "shop-1", _beat(0))
    assert not transport.flush(0.1)
    assert transport.stats().queued == 1


_FORKING = """
import os, sys, time
from snowshed.producers import *
from snowshed.schemas.connection import KafkaConnection
transport = Transport(KafkaConnection("127.0.0.1:1"))
telemetry = Telemetry(Node.here("shop"), transport).start()
telemetry.recorder.observe("orders", "GET", 0.01)
while not transport.stats().accepted or transport.stats().queued: time.sleep(0.001)
child = os.fork()
if child == 0:
    assert transport.stats().accepted == 0
    assert telemetry.heartbeat.node.name.endswith(f":{os.getpid()}")
    telemetry.recorder.observe("orders", "GET", 0.01)
    telemetry.recorder.flush()
    assert transport.stats().accepted == 1
    telemetry.heartbeat.start()
    while transport.stats().accepted < 2: time.sleep(0.001)
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_goes_on_under_its_own_name_and_both_end_in_time() -> None:
    started = time.monotonic()
    run = subprocess.run([sys.executable, "-c", _FORKING], capture_output=True, text=True, check=False, timeout=40)
    assert (run.returncode, run.stdout.splitlines()[-1]) == (0, "7"), run.stderr
    assert "#producer-" not in run.stderr, "librdkafka's own log lines belong in structlog"
    assert time.monotonic() - started < 20


def test_a_node_keeps_a_given_name_in_front_of_a_childs_process_id() -> None:
    node = Node(name="shop-1", service="shop", pid=1)
    assert node.in_child().name == f"shop-1:{os.getpid()}"


def test_the_heart_beats_on_without_a_broker(dead: KafkaConnection) -> None:
    transport = Transport(dead)
    with HeartbeatEmitter(_NODE, transport, interval=0.01) as heartbeat:
        heartbeat.tick()
    assert transport.stats().accepted >= 1
    transport.close(0.0)
