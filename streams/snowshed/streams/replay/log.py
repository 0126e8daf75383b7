"""Reads partitions of the log as they stand committed, one record after the other."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import NamedTuple, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Raw

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import BrokerUnavailable, ConfigurationError
from snowshed.schemas.fetching import fetch
from snowshed.schemas.topics import Topics
from snowshed.streams.folding import SETTLED, Message

__all__ = ["Bounds", "Headers", "Log", "Record", "open_log"]

_TIMEOUT = 10.0
_FETCH = 1_000
_PATIENCE = 40.0
"""Seconds without progress: longer than a transaction whose writer has died stands open by default."""

Headers = tuple[tuple[str, bytes | None], ...]


class Record(NamedTuple):
    """A record with its headers."""

    message: Message
    headers: Headers


class Bounds(NamedTuple):
    """What a partition has, committed or not."""

    low: int
    end: int


class Log:
    """Partitions of one installation's topics.

    Args:
        connection: where the broker is.
        topics: full topic names.
    """

    def __init__(self, connection: KafkaConnection, topics: Topics) -> None:
        self._connection, self.topics = connection, topics
        self._idle: list[Consumer] = []
        self._asker = self._consumer("read_uncommitted")

    def close(self) -> None:
        """Close all connections."""
        for consumer in (self._asker, *self._idle):
            consumer.close()

    def partitions(self, short: str) -> range:
        """The partitions that a topic has on the broker.

        Raises:
            ConfigurationError: it does not exist.
        """
        name = self.topics.full(short)
        found = len(self._asker.list_topics(name, timeout=_TIMEOUT).topics[name].partitions)
        if not found:
            raise ConfigurationError(
                f"{self._connection.bootstrap} has no topic {name}: create the topics with `snowshed topics --create`, "
                "or name their prefix with --prefix"
            )
        return range(found)

    def bounds(self, short: str, partition: int) -> Bounds:
        """From where to where a partition reaches at this moment."""
        return Bounds(*self._asker.get_watermark_offsets(TopicPartition(self.topics.full(short), partition), _TIMEOUT))

    def read(self, short: str, partition: int, start: int, end: int) -> Iterator[Message]:
        """The committed records from offset `start` up to before `end`; of a journal, only its entries."""
        found = (_plain(raw) for raw in self._raw(short, partition, start, end))
        if not short.startswith("journal."):
            return found
        return (message for message in found if message.value is not None or message.key != SETTLED)

    def read_whole(self, short: str, partition: int, start: int, end: int) -> Iterator[Record]:
        """As `read`, with headers."""
        return (Record(_plain(raw), _headers(raw)) for raw in self._raw(short, partition, start, end))

    def _raw(self, short: str, partition: int, start: int, end: int) -> Iterator[Raw]:
        if start >= end:
            return
        place = TopicPartition(self.topics.full(short), partition, start)
        consumer = self._idle.pop() if self._idle else self._consumer("read_committed")
        try:
            # Otherwise the client asks where the topic is with its timer, once a second.
            consumer.list_topics(place.topic, timeout=_TIMEOUT)
            consumer.assign([place])
            yield from self._until(consumer, place, end)
        finally:
            consumer.unassign()
            self._idle.append(consumer)

    def _until(self, consumer: Consumer, place: TopicPartition, end: int) -> Iterator[Raw]:
        """What comes before `end`, which may be held back by a transaction for a while."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            for raw in fetch(consumer, _FETCH, 0.2):
                deadline = time.monotonic() + _PATIENCE
                error, offset = raw.error(), raw.offset() or 0
                if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's public name
                    raise KafkaException(error)
                if error is None and offset < end:
                    yield raw
                if offset >= end - (error is None):
                    return
        raise BrokerUnavailable(
            f"{place.topic}[{place.partition}] could not be read up to offset {end} within {_PATIENCE:.0f} s: "
            "a transaction stands open on it, or its broker does not answer; see `snowshed doctor`"
        )

    def _consumer(self, isolation: str) -> Consumer:
        return Consumer(
            self._connection.librdkafka(
                {
                    "group.id": f"{self.topics.prefix}.capture",
                    "isolation.level": isolation,
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "auto.offset.reset": "error",
                    "fetch.wait.max.ms": 50,
                    "queued.max.messages.kbytes": 16_384,
                    "log_level": 2,
                }
            )
        )


@contextmanager
def open_log(connection: KafkaConnection, topics: Topics) -> Generator[Log]:
    """The log, open for reading.

    Raises:
        BrokerUnavailable: a broker did not answer, or retention removed what was being read.
    """
    log = Log(connection, topics)
    try:
        yield log
    except KafkaException as error:
        raise BrokerUnavailable(f"the log could not be read from {connection.bootstrap}: {error}; try again") from error
    finally:
        log.close()


def _plain(raw: Raw) -> Message:
    return Message(raw.offset() or 0, raw.timestamp()[1] / 1000, raw.key(), raw.value())


def _headers(raw: Raw) -> Headers:
    found = cast("list[tuple[str, bytes | None]] | None", raw.headers())
    return (*found,) if found else ()
