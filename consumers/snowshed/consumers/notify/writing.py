"""Writes what became of notices: the state that a restart begins from, and the letters of those that were given up."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from confluent_kafka import KafkaError, Message, Producer

from snowshed.consumers.notify.desk import Source
from snowshed.consumers.outward.permission import check_permission
from snowshed.schemas.cloudevents import headers
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.records import DeadLetter, NoticeDelivery, Record
from snowshed.schemas.topics import MAX_RECORD_BYTES, Topics

__all__ = ["NOTIFIER", "DeliveryWriter"]

log = structlog.get_logger()

NOTIFIER = "/snowshed/notifier"
"""What names itself as the source of these records."""


class DeliveryWriter:
    """The writer of one notifier.

    Args:
        connection: where Kafka is.
        topics: full topic names.
        codec: writes records.
    """

    def __init__(self, connection: KafkaConnection, topics: Topics, codec: Codec) -> None:
        self._topics, self._codec = topics, codec
        self._failure: KafkaError | None = None
        self._producer = Producer(
            connection.librdkafka(
                {
                    "enable.idempotence": True,
                    "partitioner": "murmur2_random",
                    "linger.ms": 0,
                    # What was delivered must be recorded, however long that takes: a repetition is worse than waiting.
                    "message.timeout.ms": 0,
                    "message.max.bytes": MAX_RECORD_BYTES,
                    "log_level": 3,
                }
            )
        )

    def record(self, delivery: NoticeDelivery, then: Callable[[], None]) -> None:
        """Write that a delivery has ended; `then` is called from `serve` once it stands in the log."""

        def acknowledged(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                then()
            else:
                log.error("delivery_not_recorded", notice=delivery.notice_id, reason=str(error))
                self._failure = error

        key = f"{delivery.notice_id}|{delivery.channel}"
        self._write("deliveries", key, delivery, delivery.at, acknowledged)

    def set_aside(self, source: Source, error: str, reason: str, now: float) -> None:
        """Write the dead letter of a record."""
        topic, partition = source.place
        letter = DeadLetter(
            topic=topic,
            partition=partition,
            offset=source.offset,
            timestamp=source.timestamp,
            key=source.key,
            value=source.value,
            error=error,
            reason=reason,
            rejected_at=now,
            key_size=len(source.key or b""),
            value_size=len(source.value or b""),
        )
        self._write("dead-letters", f"{topic}-{partition}-{source.offset}", letter, now, None)

    def serve(self) -> None:
        """Hear what has been acknowledged.

        Raises:
            ConfigurationError: the broker denies a permission, so that nothing that is delivered can be recorded.
        """
        self._producer.poll(0)
        if self._failure is not None:
            check_permission(self._failure, "notifier")

    def flush(self, seconds: float) -> bool:
        """Wait until everything stands in the log; whether it does."""
        return self._producer.flush(seconds) == 0

    def close(self) -> None:
        """Let go of the client and its threads."""
        del self._producer

    def _write(
        self,
        short: str,
        key: str,
        record: Record,
        at: float,
        acknowledged: Callable[[KafkaError | None, Message], None] | None,
    ) -> None:
        self._producer.produce(
            self._topics.full(short),
            self._codec.encode(record),
            key,
            headers=[*headers(record, event_id=key, source=NOTIFIER, time=at)],
            on_delivery=acknowledged,
        )
