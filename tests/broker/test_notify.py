"""Notices from Kafka to people: each once, whatever happens to the notifier or to its receivers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Producer
from tests.support.core_rig import Rig, wait_until
from tests.support.noticing import incident, notice
from tests.support.receivers import HttpReceiver, Received, Reply, http_receiver

from snowshed.consumers.notify import Notifier
from snowshed.consumers.notify.settings import settings_of
from snowshed.consumers.outward.table import Table
from snowshed.schemas.codec import Codec
from snowshed.schemas.records import DeadLetter, DeliveryStatus, IncidentStatus, NoticeDelivery, Record
from snowshed.streams.broker import Broker


@pytest.fixture
def rig(kafka: Broker, prefix: str) -> Rig:
    return Rig(kafka.bootstrap, prefix, partitions=2)


@pytest.fixture
def receiver() -> Generator[HttpReceiver]:
    with http_receiver() as found:
        yield found


def write(rig: Rig, *records: tuple[str, str, Record | bytes]) -> None:
    producer = Producer({"bootstrap.servers": rig.bootstrap, "partitioner": "murmur2_random"})
    for short, key, record in records:
        value = record if isinstance(record, bytes) else Codec().encode(record)
        producer.produce(rig.topics.full(short), value, key)
    assert producer.flush(30) == 0


def opened(rig: Rig, *names: str) -> None:
    now = time.time()
    for name in names:
        told = notice(name, issued_at=now)
        write(rig, ("incidents", name, incident(name, opened_at=now)), ("notices", name, told))


def closed(rig: Rig, name: str) -> None:
    now = time.time()
    ended = incident(name, opened_at=now - 1, status=IncidentStatus.CLOSED, closed_at=now)
    write(rig, ("incidents", name, ended), ("notices", name, notice(name, "closed", issued_at=now)))


@contextmanager
def notifier(rig: Rig, channel: dict[str, object]) -> Generator[Notifier]:
    """A notifier in this process with one channel for everything."""
    table: dict[str, object] = {"channels": {"hook": channel}, "routes": [{"channels": "hook"}]}
    found = Notifier(
        rig.connection, rig.topics, settings_of(Table(table, "test")), explain=lambda one, _: f"why {one.incident_id}"
    )
    stop = threading.Event()
    thread = threading.Thread(target=found.run, args=(stop,))
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def ids(received: list[Received]) -> list[str]:
    return [one["id"] for request in list(received) for one in request.json["notices"]]


def deliveries(rig: Rig, expect: int) -> Iterator[NoticeDelivery]:
    for record in rig.read("deliveries", expect=expect):
        assert isinstance(record, NoticeDelivery)
        yield record


def test_notices_are_told_once_with_their_explanation_and_not_again_after_a_restart(
    rig: Rig, receiver: HttpReceiver
) -> None:
    hook: dict[str, object] = {"type": "webhook", "url": receiver.url}
    with notifier(rig, hook):
        opened(rig, "a", "b")
        wait_until(lambda: len(receiver.received) == 2, what="both are told")
    assert sorted(ids(receiver.received)) == ["a-opened", "b-opened"]
    assert receiver.received[0].json["notices"][0]["explanation"].startswith("why ")
    assert {one.status for one in deliveries(rig, 2)} == {DeliveryStatus.SENT}
    with notifier(rig, hook):
        closed(rig, "a")
        wait_until(lambda: len(receiver.received) == 3, what="the end is told")
    last = receiver.received[2].json["notices"][0]
    assert (last["id"], last["severity"], last["phase"]) == ("a-closed", "critical", "closed")


def test_a_receiver_that_fails_is_tried_again_and_one_that_refuses_leaves_a_letter(
    rig: Rig, receiver: HttpReceiver
) -> None:
    def answer(request: Received) -> Reply:
        if "b-opened" in request.headers["Idempotency-Key"]:
            return Reply(403, b"not for you")
        return Reply(503 if len(receiver.received) == 1 else 200, b"")

    receiver.answer = answer
    with notifier(rig, {"type": "webhook", "url": receiver.url}):
        opened(rig, "a")
        wait_until(lambda: len(receiver.received) == 2, what="it is tried again")
        opened(rig, "b")
        wait_until(lambda: len(receiver.received) == 3, what="the other is tried")
        write(rig, ("notices", "c", b"no record"))
        [*letters] = rig.read("dead-letters", expect=2)
    assert {request.headers["Idempotency-Key"] for request in receiver.received[:2]} == {"a-opened"}
    reasons = {letter.error: letter.reason for letter in letters if isinstance(letter, DeadLetter)}
    assert reasons["GivenUp"].startswith("channel hook: ")
    assert reasons["GivenUp"].endswith("HTTP 403: not for you")
    assert "NotOurs" in reasons
    assert {one.notice_id: one.status for one in deliveries(rig, 2)} == {
        "a-opened": DeliveryStatus.SENT,
        "b-opened": DeliveryStatus.GIVEN_UP,
    }


def test_an_open_incident_stays_an_alert_until_it_closes(rig: Rig, receiver: HttpReceiver) -> None:
    with notifier(rig, {"type": "alertmanager", "url": receiver.url, "resend": 1}):
        opened(rig, "a")
        wait_until(lambda: len(receiver.received) >= 3, what="it is sent again and again")
        closed(rig, "a")
        wait_until(lambda: ends(receiver.received[-1]) <= time.time(), what="it ends")
        told = len(receiver.received)
        opened(rig, "b")
        wait_until(lambda: len(receiver.received) >= told + 3, what="only the other is sent again")
    assert {one["labels"]["incident"] for request in receiver.received[told:] for one in request.json} == {"b"}
    labels = [str(one["labels"]) for request in receiver.received[:told] for one in request.json]
    assert len(set(labels)) == 1


def ends(request: Received) -> float:
    from datetime import datetime

    return datetime.fromisoformat(request.json[0]["endsAt"]).timestamp()


@contextmanager
def process(rig: Rig, config: Path) -> Generator[subprocess.Popen[bytes]]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SNOWSHED_")}
    child = subprocess.Popen(
        [sys.executable, "-m", "snowshed.streams.cli", "notify", "run", "--config", str(config)],
        env=own | {"SNOWSHED_BOOTSTRAP": rig.bootstrap, "SNOWSHED_PREFIX": rig.prefix},
    )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(30)


def test_a_notifier_killed_before_it_could_record_sends_the_same_key_again_and_nothing_else(
    rig: Rig, receiver: HttpReceiver, tmp_path: Path
) -> None:
    config = tmp_path / "notify.toml"
    config.write_text(f'[channels.hook]\ntype = "webhook"\nurl = "{receiver.url}"\n[[routes]]\nchannels = "hook"\n')
    children: list[subprocess.Popen[bytes]] = []

    def answer(request: Received) -> Reply:
        if "b-opened" in request.headers["Idempotency-Key"] and len(children) == 1:
            children[0].kill()
            children[0].wait()
        return Reply()

    receiver.answer = answer
    with process(rig, config) as first:
        children.append(first)
        opened(rig, "a")
        [*_] = deliveries(rig, 1)
        opened(rig, "b")
        wait_until(lambda: first.poll() == -signal.SIGKILL, what="it is killed while it sends")
    with process(rig, config) as second:
        children.append(second)
        opened(rig, "c")
        [*_] = deliveries(rig, 3)
    assert second.returncode == 0
    assert sorted(ids(receiver.received)) == ["a-opened", "b-opened", "b-opened", "c-opened"]
