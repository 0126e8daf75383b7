"""Records a stretch of the log from Kafka."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import BrokerUnavailable
from snowshed.schemas.topics import AGENTS, Topics
from snowshed.streams.folding import Message
from snowshed.streams.replay.recording import Recorded

__all__ = ["capture", "captured_topics"]

_TIMEOUT = 10.0


def captured_topics() -> tuple[str, ...]:
    """Short names of what a replay needs: every agent's journal and input.

    Journals come first: a log that grows while it is captured then has the input of every journalled batch.
    """
    return (*(f"journal.{agent}" for agent in AGENTS), *AGENTS.values())


def capture(
    connection: KafkaConnection, topics: Topics, short_names: Sequence[str] | None = None
) -> Iterator[Recorded]:
    """Everything that stands committed on the topics now, topic by topic.

    Raises:
        BrokerUnavailable: no broker answered.
    """
    consumer = Consumer(
        connection.librdkafka(
            {
                "group.id": f"{topics.prefix}.capture",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "log_level": 2,
            }
        )
    )
    try:
        for short in short_names or captured_topics():
            yield from _topic(consumer, topics, short)
    except KafkaException as error:
        raise BrokerUnavailable(f"the log could not be read from {connection.bootstrap}: {error}") from error
    finally:
        consumer.close()


def _topic(consumer: Consumer, topics: Topics, short: str) -> Iterator[Recorded]:
    name = topics.full(short)
    # The ends of this moment: a topic that is written to all the time is never seen to end.
    ends = {partition: _end(consumer, name, partition) for partition in _partitions(consumer, name)}
    waiting = {partition for partition, end in ends.items() if end > 0}
    consumer.assign([TopicPartition(name, partition, 0) for partition in sorted(waiting)])
    while waiting:
        message = consumer.poll(_TIMEOUT)
        if message is None:
            raise BrokerUnavailable(f"{name} could not be read to its end: partitions {sorted(waiting)} do not answer")
        error, partition, offset = message.error(), message.partition() or 0, message.offset() or 0
        if error is None:
            if offset < ends[partition]:
                place = Message(offset, message.timestamp()[1] / 1000, message.key(), message.value())
                yield Recorded(short, partition, place)
            if offset >= ends[partition] - 1:
                waiting.discard(partition)
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's public name
            waiting.discard(partition)
        else:
            raise KafkaException(error)
    consumer.unassign()


def _partitions(consumer: Consumer, name: str) -> list[int]:
    return sorted(consumer.list_topics(name, timeout=_TIMEOUT).topics[name].partitions)


def _end(consumer: Consumer, name: str, partition: int) -> int:
    _, end = consumer.get_watermark_offsets(TopicPartition(name, partition), _TIMEOUT)
    return end
