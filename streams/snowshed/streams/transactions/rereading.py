"""Reads single records again from where they stand in the log."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from typing import Self, cast

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.fetching import fetch
from snowshed.streams.transactions.letters import Headers

__all__ = ["Rereader", "headers_at"]

log = structlog.get_logger()

_FETCH = 1_000
_QUEUE_KILOBYTES = 16_384
_HEADERS_SECONDS = 2.0
"""How long a batch waits for the headers of its letters; they are worth less than the partition going on."""


class Rereader:
    """A consumer outside every group that goes where it is told to; use it as a context.

    Args:
        connection: where the broker is.
        group: a name that the client insists on; nothing is asked of the group and nothing committed to it.
    """

    def __init__(self, connection: KafkaConnection, group: str) -> None:
        self._consumer = Consumer(
            connection.librdkafka(
                {
                    "group.id": group,
                    "isolation.level": "read_committed",
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "auto.offset.reset": "earliest",
                    "fetch.wait.max.ms": 50,
                    "queued.max.messages.kbytes": _QUEUE_KILOBYTES,
                    "log_level": 2,
                }
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._consumer.close()

    def read(self, topic: str, partition: int, offsets: Collection[int], *, patience: float) -> Iterator[Message]:
        """The committed records at `offsets` of one partition, as far as they are still there.

        Args:
            topic: full name.
            partition: the partition.
            offsets: at least one.
            patience: seconds after which it gives up; what has not been read then is missing as well.

        Raises:
            KafkaException: the broker refuses.
        """
        wanted, last = frozenset(offsets), max(offsets)
        self._consumer.assign([TopicPartition(topic, partition, min(offsets))])
        for message in self._onwards(time.monotonic() + patience):
            offset = cast("int", message.offset())
            if offset in wanted:
                yield message
            if offset >= last:
                return

    def _onwards(self, deadline: float) -> Iterator[Message]:
        """Records until the partition's end or the deadline."""
        while time.monotonic() < deadline:
            for message in fetch(self._consumer, _FETCH, 0.1):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's public name
                    return
                elif not error.retriable():
                    raise KafkaException(error)


def headers_at(
    connection: KafkaConnection, group: str, topic: str, partition: int, offsets: Collection[int]
) -> Mapping[int, Headers]:
    """The headers of the records at `offsets`, as far as they can be read; none without a question when there are none.

    Lanes keep no headers of what they read, because taking them from the client costs several times as much as taking
    a record does, and only dead letters have a use for them.
    """
    if not offsets:
        return {}
    found: dict[int, Headers] = {}
    try:
        with Rereader(connection, group) as reader:
            for message in reader.read(topic, partition, offsets, patience=_HEADERS_SECONDS):
                found[cast("int", message.offset())] = cast("Headers", message.headers() or ())
    except (KafkaException, UnicodeDecodeError) as error:
        log.warning("headers_unreadable", topic=topic, partition=partition, reason=str(error))
    if missing := len(offsets) - len(found):
        log.warning("letters_without_headers", topic=topic, partition=partition, letters=missing)
    return found
