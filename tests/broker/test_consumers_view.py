"""Decisions through a real broker, and calls while it is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace

from confluent_kafka import Producer
from tests.support.roundtrip import create_topic

from snowshed.consumers import DecisionView, Guard
from snowshed.consumers.testing import decision
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.records import Decision, DecisionKind
from snowshed.streams.broker import Broker, LocalKafka

_CODEC = Codec()
_BREAKER = decision("orders", DecisionKind.BREAKER, p_reject=0.5)


@contextmanager
def _connected(bootstrap: str, prefix: str) -> Generator[DecisionView]:
    view = DecisionView.connect(KafkaConnection(bootstrap), prefix=prefix)
    try:
        yield view
    finally:
        view.close()


def _decide(bootstrap: str, topic: str, *decisions: Decision, commit: bool = True) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "transactional.id": topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    for one in decisions:
        producer.produce(topic, _CODEC.encode(one), key=f"{one.scope}|{one.kind.value}".encode())
    producer.flush(30)
    (producer.commit_transaction if commit else producer.abort_transaction)(30)


def _fresh(seq: int, p_reject: float, ttl: float = 60.0) -> Decision:
    return replace(_BREAKER, seq=seq, p_reject=p_reject, ttl=ttl, issued_at=time.time())


def _eventually(condition: Callable[[], bool], timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_committed_decisions_are_obeyed_within_a_second_and_aborted_ones_never(kafka: Broker, prefix: str) -> None:
    topic = f"{prefix}.decisions"
    create_topic(kafka.bootstrap, topic, 4)
    _decide(kafka.bootstrap, topic, _fresh(1, 0.1))
    with _connected(kafka.bootstrap, prefix) as view:
        assert view.wait_caught_up(30)
        assert view.for_scope("orders").p_reject == 0.1
        _decide(kafka.bootstrap, topic, _fresh(9, 1.0), commit=False)
        _decide(kafka.bootstrap, topic, _fresh(2, 0.2))
        committed = time.monotonic()
        _eventually(lambda: view.for_scope("orders").p_reject == 0.2)
        assert time.monotonic() - committed < 2
        assert view.for_scope("orders").newest == (1, 2)


def test_old_decisions_found_at_the_start_are_not_obeyed(kafka: Broker, prefix: str) -> None:
    """A compacted topic keeps the last word on every key, however long ago it was said."""
    topic = f"{prefix}.decisions"
    create_topic(kafka.bootstrap, topic, 4)
    _decide(kafka.bootstrap, topic, replace(_BREAKER, issued_at=time.time() - 3600))
    with _connected(kafka.bootstrap, prefix) as view:
        assert view.wait_caught_up(30)
        assert view.for_scope("orders").decisions == ()
        assert view.for_scope("orders").newest == (1, 1)


def test_calls_go_on_without_delay_while_the_broker_is_away_and_decisions_fade() -> None:
    with LocalKafka() as broker:
        create_topic(broker.bootstrap, "snowshed.decisions", 4)
        with _connected(broker.bootstrap, "snowshed") as view:
            assert view.wait_caught_up(30)
            guard = Guard("orders", view=view, rng=lambda: 0.99)
            _decide(broker.bootstrap, "snowshed.decisions", _fresh(1, 0.8, ttl=4.0))
            _eventually(lambda: guard.effective.p_reject == 0.8)
            broker.kill()
            slowest, fading = 0.0, set[float]()
            deadline = time.monotonic() + 9
            while time.monotonic() < deadline:
                started = time.perf_counter()
                with guard("read"):
                    pass
                slowest = max(slowest, time.perf_counter() - started)
                fading.add(guard.effective.p_reject)
                time.sleep(0.01)
            assert slowest < 0.25, "a call waited for Kafka"
            assert guard.effective.p_reject == 0.0
            assert any(0.1 < p < 0.7 for p in fading), "it ended abruptly"
            assert guard.stats.rejected == {}
            broker.restart()
            _eventually(lambda: view.connected)
            _decide(broker.bootstrap, "snowshed.decisions", _fresh(2, 0.3))
            _eventually(lambda: guard.effective.p_reject == 0.3)
