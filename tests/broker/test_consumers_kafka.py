"""The guarded Kafka consumer against a real broker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from structlog.testing import capture_logs
from tests.support.roundtrip import create_topic

from snowshed.consumers import Brake, Guard, Outcome
from snowshed.consumers.integrations.confluent_kafka import GuardedConsumer
from snowshed.consumers.testing import decision, set_decisions
from snowshed.schemas.propagation import Criticality, call_context
from snowshed.schemas.records import DecisionKind
from snowshed.streams.broker import Broker

_PARTITIONS = 3
_COUNT = 90
_BROKEN = decision("orders", DecisionKind.BREAKER, p_reject=1.0)


def _settings(kafka: Broker, group: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": kafka.bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 6_000,
        "max.poll.interval.ms": 6_000,
    }


def _send(kafka: Broker, topic: str, count: int = _COUNT, headers: Any = None) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 5})
    for number in range(count):
        producer.produce(topic, str(number).encode(), partition=number % _PARTITIONS, headers=headers)
    assert producer.flush(30) == 0


def _send_expiring(kafka: Broker, topic: str, milliseconds: bytes, age: float) -> None:
    """One message with so much time left `age` seconds ago."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    sent = int((time.time() - age) * 1e3)
    producer.produce(topic, b"-1", partition=0, headers=[("snowshed-deadline", milliseconds)], timestamp=sent)
    assert producer.flush(30) == 0


def _read(consumer: GuardedConsumer, seen: list[tuple[int, int]], until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not until():
        assert time.monotonic() < deadline, seen
        with consumer.take(0.1) as message:
            if message is not None:
                seen.append((message.partition() or 0, int(message.value() or b"")))


def _fail(consumer: GuardedConsumer) -> None:
    while True:
        with consumer.take(1.0) as message:
            if message is not None:
                raise ZeroDivisionError


def _in_order(seen: list[tuple[int, int]]) -> dict[int, list[int]]:
    return {partition: [number for at, number in seen if at == partition] for partition in range(_PARTITIONS)}


_ALL = {partition: list(range(partition, _COUNT, _PARTITIONS)) for partition in range(_PARTITIONS)}


def _committed(kafka: Broker, topic: str, group: str) -> list[int]:
    consumer = Consumer(_settings(kafka, group))
    try:
        held = consumer.committed([TopicPartition(topic, number) for number in range(_PARTITIONS)], timeout=30)
        return [one.offset for one in held]
    finally:
        consumer.close()


def test_what_is_refused_is_read_later_in_order_and_once(kafka: Broker, prefix: str) -> None:
    create_topic(kafka.bootstrap, prefix, _PARTITIONS)
    _send(kafka, prefix)
    guard = Guard("orders")
    seen: list[tuple[int, int]] = []
    with GuardedConsumer(_settings(kafka, prefix), guard) as consumer:
        consumer.subscribe([prefix])
        for stop in (10, 40, 60):
            _read(consumer, seen, lambda stop=stop: len(seen) >= stop)  # type: ignore[misc]
            with set_decisions(guard, _BROKEN):
                _read(consumer, seen, lambda: consumer.is_paused)
            assert len(seen) == stop
        _read(consumer, seen, lambda: len(seen) >= _COUNT and not consumer.is_paused)
    assert _in_order(seen) == _ALL
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: _COUNT}
    assert _committed(kafka, prefix, prefix) == [_COUNT // _PARTITIONS] * _PARTITIONS


def test_a_rate_decision_sets_the_pace(kafka: Broker, prefix: str) -> None:
    create_topic(kafka.bootstrap, prefix, _PARTITIONS)
    _send(kafka, prefix)
    guard = Guard("orders")
    limit = decision("orders", DecisionKind.RATE, rate_multiplier=0.5, per_instance_fallback=40.0, ttl=60.0)
    seen: list[tuple[int, int]] = []
    with set_decisions(guard, limit), GuardedConsumer(_settings(kafka, prefix), guard) as consumer:
        consumer.subscribe([prefix])
        _read(consumer, seen, lambda: len(seen) >= 1)
        started = time.monotonic()
        _read(consumer, seen, lambda: len(seen) >= _COUNT)
        pace = (_COUNT - 1) / (time.monotonic() - started)
    assert _in_order(seen) == _ALL
    assert pace < 80, "a burst of the bucket's depth comes on top of the rate"
    assert guard.stats.rejected


def test_a_member_that_is_refused_for_long_stays_in_its_group(kafka: Broker, prefix: str) -> None:
    create_topic(kafka.bootstrap, prefix, _PARTITIONS)
    _send(kafka, prefix)
    guard = Guard("orders")
    revoked: list[Any] = []
    seen: list[tuple[int, int]] = []
    with GuardedConsumer(_settings(kafka, prefix), guard) as consumer:
        consumer.consumer.subscribe([prefix], on_revoke=lambda _, partitions: revoked.extend(partitions))
        with set_decisions(guard, decision("orders", DecisionKind.BREAKER, p_reject=1.0, ttl=60.0)):
            _read(consumer, seen, lambda: consumer.is_paused)
            longer_than_allowed = time.monotonic() + 7.5
            _read(consumer, seen, lambda: time.monotonic() > longer_than_allowed)
        assert (seen, revoked) == ([], [])
        assert guard.stats.rejected[Brake.BREAKER] < 30, "a partition that is paused is not asked about"
        _read(consumer, seen, lambda: len(seen) >= _COUNT)
    assert _in_order(seen) == _ALL


def test_a_member_that_joins_meanwhile_takes_over_what_was_refused(kafka: Broker, prefix: str) -> None:
    create_topic(kafka.bootstrap, prefix, _PARTITIONS)
    _send(kafka, prefix)
    refusing, open_ = Guard("orders"), Guard("orders")
    seen: list[tuple[int, int]] = []
    with GuardedConsumer(_settings(kafka, prefix), refusing) as first:
        first.subscribe([prefix])
        _read(first, seen, lambda: len(seen) >= 10)
        with (
            set_decisions(refusing, decision("orders", DecisionKind.BREAKER, p_reject=1.0, ttl=60.0)),
            GuardedConsumer(_settings(kafka, prefix), open_) as second,
        ):
            second.subscribe([prefix])
            before = len(seen)
            while not second.consumer.assignment() or len(seen) < before + 10:
                with first.take(0.05) as message:
                    assert message is None
                with second.take(0.05) as message:
                    if message is not None:
                        seen.append((message.partition() or 0, int(message.value() or b"")))
        _read(first, seen, lambda: len(seen) >= _COUNT)
    assert _in_order(seen) == _ALL


def test_a_message_whose_handling_fails_comes_again(kafka: Broker, prefix: str) -> None:
    create_topic(kafka.bootstrap, prefix, _PARTITIONS)
    _send(kafka, prefix)
    guard = Guard("orders")
    seen: list[tuple[int, int]] = []
    with GuardedConsumer(_settings(kafka, prefix), guard) as consumer:
        consumer.subscribe([prefix])
        with pytest.raises(ZeroDivisionError):
            _fail(consumer)
        _read(consumer, seen, lambda: len(seen) >= _COUNT)
    assert _in_order(seen) == _ALL
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: _COUNT, Outcome.IGNORED: 1}


def test_a_messages_class_is_that_of_its_headers(kafka: Broker, prefix: str) -> None:
    create_topic(kafka.bootstrap, prefix, _PARTITIONS)
    _send(kafka, prefix, 1, headers=[("snowshed-criticality", b"3")])
    guard = Guard("orders")
    with GuardedConsumer(_settings(kafka, prefix), guard) as consumer:
        consumer.subscribe([prefix])
        seen: list[tuple[int, int]] = []
        with set_decisions(guard, decision("orders", DecisionKind.DEGRADE, degrade_level=3, ttl=60.0)):
            _read(consumer, seen, lambda: consumer.is_paused)
        classes: list[Criticality] = []
        while not classes:
            with consumer.take(1.0) as message:
                if message is not None:
                    classes.append(call_context().criticality)
    assert (seen, classes) == ([], [Criticality.SHEDDABLE])


@pytest.mark.parametrize(("milliseconds", "age"), [(b"0", 0.0), (b"5000", 60.0)])
def test_a_message_whose_deadline_has_passed_holds_up_nothing(
    kafka: Broker, prefix: str, milliseconds: bytes, age: float
) -> None:
    create_topic(kafka.bootstrap, prefix, _PARTITIONS)
    _send_expiring(kafka, prefix, milliseconds, age)
    _send(kafka, prefix)
    guard = Guard("orders")
    seen: list[tuple[int, int]] = []
    with (
        capture_logs() as logs,
        GuardedConsumer(_settings(kafka, prefix), guard) as consumer,
    ):
        consumer.subscribe([prefix])
        _read(consumer, seen, lambda: len(seen) >= _COUNT)
    assert _in_order(seen) == _ALL
    assert guard.stats.rejected == {Brake.DEADLINE: 1}
    assert [(line["topic"], line["partition"], line["offset"]) for line in logs] == [(prefix, 0, 0)]
    assert _committed(kafka, prefix, prefix) == [_COUNT // _PARTITIONS + 1, *[_COUNT // _PARTITIONS] * 2]


def test_a_message_whose_deadline_has_passed_is_handed_over_until_that_succeeds(kafka: Broker, prefix: str) -> None:
    create_topic(kafka.bootstrap, prefix, _PARTITIONS)
    _send_expiring(kafka, prefix, b"0", 0.0)
    expired: list[bytes | None] = []

    def keep(message: Message) -> None:
        expired.append(message.value())
        if len(expired) == 1:
            raise ZeroDivisionError

    with GuardedConsumer(_settings(kafka, prefix), Guard("orders"), on_expired=keep) as consumer:
        consumer.subscribe([prefix])
        with pytest.raises(ZeroDivisionError):
            _read(consumer, [], lambda: len(expired) >= 1)
        _read(consumer, [], lambda: len(expired) >= 2)
    assert expired == [b"-1", b"-1"]
    assert _committed(kafka, prefix, prefix)[0] == 1


def test_a_message_in_time_knows_how_much_is_left(kafka: Broker, prefix: str) -> None:
    create_topic(kafka.bootstrap, prefix, _PARTITIONS)
    _send_expiring(kafka, prefix, b"60000", 30.0)
    left: list[float] = []
    with GuardedConsumer(_settings(kafka, prefix), Guard("orders")) as consumer:
        consumer.subscribe([prefix])
        while not left:
            with consumer.take(1.0) as message:
                if message is not None:
                    left.append(call_context().remaining(time.monotonic()) or 0.0)
    assert 0.0 < left[0] <= 30.0
