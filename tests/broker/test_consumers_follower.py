"""The follower against a real broker."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from statistics import quantiles
from typing import Any

import pytest
from confluent_kafka import Producer
from tests.support.roundtrip import create_topic

from snowshed.consumers import Delivery, Follower
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import Notice
from snowshed.streams.broker import Broker, LocalKafka

_CODEC = Codec()


def _notice(number: int) -> Notice:
    return Notice(
        notice_id=f"n{number}",
        incident_id="i",
        domain="shop",
        severity="warning",
        title="t",
        text="x",
        issued_at=float(number),
    )


def _send(bootstrap: str, topic: str, *numbers: int, partition: int = 0) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    for number in numbers:
        producer.produce(topic, _CODEC.encode(_notice(number)), key=f"k{number}".encode(), partition=partition)
    assert producer.flush(30) == 0


class _Seen:
    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self._changed = threading.Condition()

    def __call__(self, delivery: Delivery) -> None:
        with self._changed:
            self.deliveries.append(delivery)
            self._changed.notify_all()

    def wait(self, count: int, timeout: float = 30) -> list[Delivery]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.deliveries) >= count, timeout), self.deliveries
        return self.deliveries

    @property
    def ids(self) -> list[str]:
        return [d.record.notice_id if isinstance(d.record, Notice) else "" for d in self.deliveries]


@contextmanager
def _following(bootstrap: str, *topics: str, apply: Callable[[Delivery], None]) -> Generator[Follower]:
    follower = Follower(KafkaConnection(bootstrap), topics, apply, name="test")
    follower.start()
    try:
        yield follower
    finally:
        follower.stop()


def _eventually(condition: Callable[[], bool], timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_whole_topics_are_read_from_their_beginning_and_followed(kafka: Broker, prefix: str) -> None:
    """History first, then what comes after it; `caught_up` marks the border."""
    create_topic(kafka.bootstrap, prefix, 3)
    _send(kafka.bootstrap, prefix, 1, 2, partition=2)
    seen = _Seen()
    with _following(kafka.bootstrap, prefix, apply=seen) as follower:
        assert follower.wait_caught_up(30)
        assert seen.ids == ["n1", "n2"]
        assert time.monotonic() - follower.last_progress < 10
        started = time.monotonic()
        _send(kafka.bootstrap, prefix, 3, partition=0)
        last = seen.wait(3)[-1]
        assert time.monotonic() - started < 5
    assert (last.topic, last.partition, last.offset, last.key) == (prefix, 0, 0, "k3")
    assert last.timestamp == pytest.approx(time.time(), abs=60)


def test_a_topic_and_a_partition_made_later_are_picked_up(kafka: Broker, prefix: str) -> None:
    """A follower may be started before anything else of Snowshed."""
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewPartitions

    seen = _Seen()
    with _following(kafka.bootstrap, prefix, apply=seen) as follower:
        assert follower.wait_caught_up(30), "a topic that does not exist has nothing to wait for"
        create_topic(kafka.bootstrap, prefix, 1)
        _send(kafka.bootstrap, prefix, 1)
        seen.wait(1)
        admin: Any = AdminClient({"bootstrap.servers": kafka.bootstrap})
        admin.create_partitions([NewPartitions(prefix, 2)])[prefix].result(30)
        _eventually(lambda: _can_send(kafka.bootstrap, prefix, 2, partition=1))
        seen.wait(2)
    assert seen.ids[:2] == ["n1", "n2"]


def _can_send(bootstrap: str, topic: str, number: int, *, partition: int) -> bool:
    from confluent_kafka import KafkaException

    try:
        _send(bootstrap, topic, number, partition=partition)
    except KafkaException:
        return False
    return True


def test_unreadable_messages_and_tombstones_stop_nothing(kafka: Broker, prefix: str) -> None:
    create_topic(kafka.bootstrap, prefix)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(prefix, b"not ours", key=b"a")
    producer.produce(prefix, b"also not ours", key=b"a")
    producer.produce(prefix, None, key=b"gone")
    producer.flush(30)
    _send(kafka.bootstrap, prefix, 7)
    seen = _Seen()
    with _following(kafka.bootstrap, prefix, apply=seen) as follower:
        assert follower.wait_caught_up(30)
        assert [(d.key, d.record) for d in seen.deliveries] == [("gone", None), ("k7", _notice(7))]
        assert follower.skipped == {"NotOurs": 2}


def test_an_apply_that_raises_is_counted_and_following_goes_on(kafka: Broker, prefix: str) -> None:
    create_topic(kafka.bootstrap, prefix)
    _send(kafka.bootstrap, prefix, 1, 2)
    seen = _Seen()

    def apply(delivery: Delivery) -> None:
        if delivery.key == "k1":
            raise LookupError
        seen(delivery)

    with _following(kafka.bootstrap, prefix, apply=apply) as follower:
        assert follower.wait_caught_up(30)
        assert seen.ids == ["n2"]
        assert follower.skipped == {"LookupError": 1}


def test_aborted_transactions_are_never_seen(kafka: Broker, prefix: str) -> None:
    create_topic(kafka.bootstrap, prefix)
    for number, commit in ((1, False), (2, True)):
        producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": prefix})
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(prefix, _CODEC.encode(_notice(number)), key=b"k")
        producer.flush(30)
        (producer.commit_transaction if commit else producer.abort_transaction)(30)
    seen = _Seen()
    with _following(kafka.bootstrap, prefix, apply=seen) as follower:
        assert follower.wait_caught_up(30)
        assert seen.ids == ["n2"]


def _transactional(bootstrap: str, topic: str) -> Producer:
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": topic, "linger.ms": 0, "log_level": 0})
    producer.init_transactions(30)
    return producer


def _transact(producer: Producer, topic: str, number: int) -> None:
    producer.begin_transaction()
    producer.produce(topic, _CODEC.encode(_notice(number)), key=b"k", partition=0)
    producer.commit_transaction(30)


@contextmanager
def _transacting(bootstrap: str, topic: str) -> Generator[None]:
    """Commits a small transaction every few milliseconds, so that partition 0 is never at rest."""
    stopping = threading.Event()
    producer = _transactional(bootstrap, topic)

    def run() -> None:
        number = 0
        while not stopping.wait(0.003):
            _transact(producer, topic, number := number + 1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(60)


def _ages(follower: Follower, seconds: float) -> list[float]:
    """How long ago the follower knew everything, looked at again and again."""
    ages: list[float] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.02)
        ages.append(time.monotonic() - follower.last_progress)
    return ages


def test_a_partition_that_never_rests_is_caught_up_with_and_stays_current(kafka: Broker, prefix: str) -> None:
    """The broker reports an end only after a while of silence, which a busy partition never grants."""
    create_topic(kafka.bootstrap, prefix, 3)
    with _transacting(kafka.bootstrap, prefix), _following(kafka.bootstrap, prefix, apply=_Seen()) as follower:
        assert follower.wait_caught_up(5)
        deciles = quantiles(_ages(follower, 5), n=10)
    assert deciles[-1] < 1.0, deciles


def test_an_open_transaction_hides_nothing_that_is_committed(kafka: Broker, prefix: str) -> None:
    """Its records lie before the high watermark, yet there is nothing to read until it ends."""
    create_topic(kafka.bootstrap, prefix)
    producer = _transactional(kafka.bootstrap, prefix)
    with _following(kafka.bootstrap, prefix, apply=_Seen()) as follower:
        assert follower.wait_caught_up(30)
        producer.begin_transaction()
        producer.produce(prefix, _CODEC.encode(_notice(1)), key=b"k")
        producer.flush(30)
        deciles = quantiles(_ages(follower, 3), n=10)
        producer.abort_transaction(30)
    assert deciles[-1] < 1.5, deciles


def test_an_end_that_waits_behind_records_counts_after_them(kafka: Broker, prefix: str) -> None:
    """A slow `apply` lets the broker's report of the end arrive together with the records before it."""
    create_topic(kafka.bootstrap, prefix)
    producer = _transactional(kafka.bootstrap, prefix)
    _transact(producer, prefix, 1)
    seen, proceed = _Seen(), threading.Event()

    def apply(delivery: Delivery) -> None:
        seen(delivery)
        assert proceed.wait(30)

    with _following(kafka.bootstrap, prefix, apply=apply) as follower:
        seen.wait(1)
        _transact(producer, prefix, 2)
        time.sleep(1.5)
        proceed.set()
        seen.wait(2)
        after_both = time.monotonic() + 1
        _eventually(lambda: follower.last_progress > after_both, timeout=10)
        assert seen.ids == ["n1", "n2"]


def test_a_broker_that_goes_and_comes_back_is_waited_for() -> None:
    """Progress stops while it is away; afterwards everything arrives once and in order."""
    with LocalKafka() as broker:
        create_topic(broker.bootstrap, "t")
        _send(broker.bootstrap, "t", 1)
        seen = _Seen()
        with _following(broker.bootstrap, "t", apply=seen) as follower:
            assert follower.wait_caught_up(30)
            broker.kill()
            _eventually(lambda: not follower.connected)
            before = follower.last_progress
            broker.restart()
            _eventually(lambda: follower.connected)
            _eventually(lambda: follower.last_progress > before)
            _send(broker.bootstrap, "t", 2)
            seen.wait(2)
            assert seen.ids == ["n1", "n2"]


def test_a_dead_address_is_no_error_and_a_wrong_property_is() -> None:
    follower = Follower(KafkaConnection("127.0.0.1:9"), ["t"], lambda _: None)
    started = time.monotonic()
    follower.start()
    assert time.monotonic() - started < 1
    assert not follower.connected
    assert not follower.wait_caught_up(0.3)
    follower.stop()
    wrong = Follower(KafkaConnection("127.0.0.1:9", {"security.protocol": "carrier-pigeon"}), ["t"], lambda _: None)
    with pytest.raises(ConfigurationError, match="carrier-pigeon"):
        wrong.start()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_follows_by_itself(kafka: Broker, prefix: str) -> None:
    """A pre-forking server imports the application, and its follower, before it forks."""
    create_topic(kafka.bootstrap, prefix)
    _send(kafka.bootstrap, prefix, 1)
    seen = _Seen()
    with _following(kafka.bootstrap, prefix, apply=seen) as follower:
        assert follower.wait_caught_up(30)
        child = os.fork()
        if child == 0:
            caught_up = follower.wait_caught_up(20)
            os._exit(0 if caught_up and seen.ids == ["n1", "n1"] else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
