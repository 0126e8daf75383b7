"""Reads topics from the outside, whole, as any other client of the broker would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from snowshed.schemas.connection import KafkaConnection

__all__ = ["Read", "committed", "ends", "read"]

_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Read:
    """One record as it stands in the log."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def ends(connection: KafkaConnection, topics: list[str], *, stable: bool) -> dict[tuple[str, int], int]:
    """Every partition's end, or, when `stable`, the offset up to which no transaction is open."""
    admin = AdminClient(connection.librdkafka({"log_level": 0}))
    listed = admin.list_topics(timeout=_TIMEOUT).topics
    places = [TopicPartition(name, number) for name in topics if name in listed for number in listed[name].partitions]
    level = IsolationLevel.READ_COMMITTED if stable else IsolationLevel.READ_UNCOMMITTED
    latest = cast("Any", OffsetSpec).latest()  # the client's code has no annotations here
    asked: Any = cast("Any", admin).list_offsets(
        dict.fromkeys(places, latest), isolation_level=level, request_timeout=_TIMEOUT
    )
    answers: Mapping[TopicPartition, Any] = asked
    return {(place.topic, place.partition): answer.result().offset for place, answer in answers.items()}


def committed(connection: KafkaConnection, group: str, topic: str, partitions: int) -> dict[int, int]:
    """The group's committed offsets, 0 where there is none."""
    consumer = Consumer(
        connection.librdkafka({"group.id": group, "log_level": 0, "isolation.level": "read_uncommitted"})
    )
    try:
        answers = consumer.committed([TopicPartition(topic, number) for number in range(partitions)], _TIMEOUT)
        return {answer.partition: max(answer.offset, 0) for answer in answers}
    finally:
        consumer.close()


def read(connection: KafkaConnection, topic: str) -> Iterator[Read]:
    """All committed records of a topic up to its present end, partition by partition in order."""
    consumer = Consumer(
        connection.librdkafka(
            {
                "group.id": f"{topic}-reader",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
    )
    try:
        waiting = set(consumer.list_topics(topic, timeout=_TIMEOUT).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, partition, 0) for partition in waiting])
        while waiting:
            batch = consumer.consume(2_000, 0.3)
            for message in batch:
                error, partition = message.error(), message.partition() or 0
                if error is None:
                    yield Read(partition, message.offset() or 0, message.key(), message.value())
                elif error.code() == KafkaError._PARTITION_EOF:
                    waiting.discard(partition)
                elif not error.retriable():
                    raise KafkaException(error)
    finally:
        consumer.close()
