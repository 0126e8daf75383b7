"""What is written after an abort is there, even if the abort struck records that were on their way."""

from __future__ import annotations

import threading
import time

from confluent_kafka import Consumer, TopicPartition
from tests.support.core_rig import wait_until
from tests.support.proxy import proxied_kafka
from tests.support.roundtrip import create_topic, read_committed

from snowshed.schemas.connection import KafkaConnection
from snowshed.streams.transactions.events import BatchStep
from snowshed.streams.transactions.producer import LaneProducer, Write


def write(value: bytes, topic: str) -> Write:
    return Write(topic, 0, b"key", value, [])


def test_a_record_written_after_an_abort_is_not_taken_for_one_that_the_abort_struck(prefix: str) -> None:
    def ignored(_step: BatchStep) -> None:
        """How far a batch has come."""

    with proxied_kafka() as (kafka, proxy):
        create_topic(kafka.bootstrap, prefix)
        consumer = Consumer(
            {"bootstrap.servers": kafka.bootstrap, "group.id": prefix, "isolation.level": "read_uncommitted"}
        )
        offsets, group = [TopicPartition(prefix, 0, 1)], consumer.consumer_group_metadata()
        lane = LaneProducer(KafkaConnection(proxy.address), prefix, timeout=30.0, abandon=threading.Event())
        lane.fence()
        lane.commit([write(b"before", prefix)], offsets, group, ignored)

        # The broker appends the second record, and its answer is lost.
        client = lane._producer  # pyright: ignore[reportPrivateUsage] - only an abort in mid-air shows it
        client.begin_transaction()
        client.produce(prefix, b"struck 1", b"key", 0)
        assert client.flush(10) == 0
        proxy.switch("oneway_up")
        client.produce(prefix, b"struck 2", b"key", 0)
        wait_until(lambda: end(consumer, prefix) == 4, what="the broker has appended it")
        proxy.switch("reset")
        time.sleep(0.2)
        proxy.switch("pass")
        del client
        lane.abort()

        lane.commit([write(b"after", prefix)], offsets, group, ignored)
        lane.commit([write(b"later", prefix)], offsets, group, ignored)
        lane.close()
        consumer.close()
        assert read_committed(kafka.bootstrap, prefix, 3) == ["before", "after", "later"]


def end(consumer: Consumer, topic: str) -> int:
    """The offset behind the last record, committed or not."""
    return consumer.get_watermark_offsets(TopicPartition(topic, 0), 10)[1]
