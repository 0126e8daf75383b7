"""Writes records to a broker and reads them back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

__all__ = ["create_topic", "produce", "read_committed", "transact"]

_TIMEOUT = 30.0


def create_topic(bootstrap: str, topic: str, partitions: int = 1) -> None:
    """Create a topic and wait until it exists."""
    client: Any = AdminClient({"bootstrap.servers": bootstrap})
    client.create_topics([NewTopic(topic, partitions, 1)])[topic].result(_TIMEOUT)


def produce(bootstrap: str, topic: str, values: Sequence[str]) -> None:
    """Write the values to partition 0 and wait until all are acknowledged."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    for value in values:
        producer.produce(topic, value.encode(), partition=0)
    assert producer.flush(_TIMEOUT) == 0


def transact(bootstrap: str, topic: str, values: Sequence[str], *, commit: bool) -> None:
    """Write the values in one transaction and end it."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "transactional.id": f"test-{topic}"})
    producer.init_transactions(_TIMEOUT)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value.encode(), partition=0)
    producer.flush(_TIMEOUT)
    end = producer.commit_transaction if commit else producer.abort_transaction
    end(_TIMEOUT)


def read_committed(bootstrap: str, topic: str, count: int) -> list[str]:
    """The first values of a topic that no open or aborted transaction holds; fewer when the time is up."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"test-{uuid4().hex}",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([topic])
    values: list[str] = []
    deadline = time.monotonic() + _TIMEOUT
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            values.append((message.value() or b"").decode())
    consumer.close()
    return values
