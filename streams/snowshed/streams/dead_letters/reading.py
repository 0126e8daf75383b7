"""Reads the dead letters' topic, and records where they came from."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, cast

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import LatestSpec, ListOffsetsResultInfo, OffsetSpec

from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import BrokerUnavailable, SnowshedError
from snowshed.schemas.fetching import fetch
from snowshed.schemas.records import DeadLetter
from snowshed.schemas.topics import Topics
from snowshed.streams.dead_letters.book import Book, Entry, Stood
from snowshed.streams.transactions.rereading import Rereader

__all__ = ["LetterLog", "Opened", "Original", "Refused"]

_FETCH = 500
_PATIENCE = 30.0
"""Seconds without any progress; a transaction of a worker that died is settled within ten by default."""


class Refused(SnowshedError):
    """A letter cannot be retried; the message says why."""


@dataclass(frozen=True, slots=True)
class Original:
    """A record as it came in."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A letter with all that can still be told of it."""

    letter: DeadLetter
    original: Original
    """The record; the beginning of its value where more is missing."""
    missing: str
    """Why the rest of a letter that was cut is not to be had, else empty."""


class LetterLog:
    """The dead letters of one installation.

    Args:
        connection: where the broker is.
        topics: full topic names.
        codec: reads letters.
    """

    def __init__(self, connection: KafkaConnection, topics: Topics, codec: Codec) -> None:
        self._connection, self._codec = connection, codec
        self._name, self._group = topics.full("dead-letters"), f"{topics.prefix}.dead-letters"

    def book(self, *, settled: bool = False) -> Book:
        """The letters that are committed now.

        Args:
            settled: wait for transactions that run at this moment. A reader sees nothing behind the first of them,
                committed or not, and so without waiting may miss the newest marks.

        Raises:
            BrokerUnavailable: the topic could not be read to its end.
        """
        book = Book(self._codec)
        try:
            for message in self._until(self._ends(settled=settled)):
                book.add(_stood(message))
        except KafkaException as error:
            raise BrokerUnavailable(
                f"{self._name} could not be read from {self._connection.bootstrap}: {error.args[0].str()}; "
                "see `snowshed doctor`"
            ) from error
        return book

    def letter(self, entry: Entry) -> DeadLetter:
        """A letter with its record's bytes.

        Raises:
            Refused: it has expired since.
        """
        message = self._at(self._name, entry.partition, entry.offset)
        letter = None if message is None else self._codec.decode(message.value())
        if not isinstance(letter, DeadLetter):
            raise Refused(f"letter {entry.id} has just expired: {self._name} no longer has it")
        return letter

    def opened(self, entry: Entry) -> Opened:
        """A letter and its record, or as much of it as there is.

        Raises:
            Refused: the letter has expired.
        """
        letter = self.letter(entry)
        try:
            return Opened(letter, self.original(letter), "")
        except Refused as error:
            return Opened(letter, _held(letter), str(error))

    def original(self, letter: DeadLetter) -> Original:
        """The record that a letter is about, read from where it came from if the letter was cut.

        Raises:
            Refused: the letter was cut and its record has expired.
        """
        if not letter.cut:
            return _held(letter)
        place = f"{letter.topic}[{letter.partition}]@{letter.offset}"
        message = self._at(letter.topic, letter.partition, letter.offset)
        if message is None:
            raise Refused(
                f"the letter holds only the first {len(letter.value or b'')} of {letter.value_size} bytes, and the "
                f"record at {place} has expired: ask its sender for it"
            )
        found = Original(message.key(), message.value(), _headers(message))
        if not _begins_as(found, letter):
            raise Refused(f"the record that is now at {place} is another one: the topic was created anew")
        return found

    def _at(self, topic: str, partition: int, offset: int) -> Message | None:
        try:
            with Rereader(self._connection, self._group) as reader:
                return next(reader.read(topic, partition, [offset], patience=_PATIENCE), None)
        except KafkaException as error:
            raise BrokerUnavailable(
                f"{topic}[{partition}]@{offset} could not be read from {self._connection.bootstrap}: "
                f"{error.args[0].str()}"
            ) from error

    def _ends(self, *, settled: bool) -> dict[int, int]:
        """Where each partition ends: behind all that was written, or in front of the first open transaction."""
        admin = AdminClient(self._connection.librdkafka({"log_level": 2}))
        level = IsolationLevel.READ_UNCOMMITTED if settled else IsolationLevel.READ_COMMITTED
        partitions = admin.list_topics(self._name, timeout=_PATIENCE).topics[self._name].partitions
        asked: dict[TopicPartition, OffsetSpec] = {
            TopicPartition(self._name, partition): LatestSpec()  # type: ignore[no-untyped-call]  # the client's stub says nothing of it
            for partition in partitions
        }
        answers = cast(
            "Mapping[TopicPartition, Future[ListOffsetsResultInfo]]",
            admin.list_offsets(asked, isolation_level=level, request_timeout=_PATIENCE),
        )
        return {place.partition: answer.result().offset for place, answer in answers.items()}

    def _until(self, ends: Mapping[int, int]) -> Iterator[Message]:
        waiting = {partition: end for partition, end in ends.items() if end > 0}
        consumer = Consumer(self._connection.librdkafka(self._settings()))
        try:
            consumer.assign([TopicPartition(self._name, partition, 0) for partition in waiting])
            deadline = time.monotonic() + _PATIENCE
            while waiting:
                for message in fetch(consumer, _FETCH, 0.1):
                    if message.error() is None:
                        yield message
                    if _position(message) >= waiting.get(cast("int", message.partition()), 0):
                        waiting.pop(cast("int", message.partition()), None)
                    deadline = time.monotonic() + _PATIENCE
                if time.monotonic() > deadline:
                    raise BrokerUnavailable(
                        f"{self._name} could not be read to its end, partitions {sorted(waiting)}: a transaction is "
                        "open there, or the broker does not answer; see `snowshed doctor`"
                    )
        finally:
            consumer.close()

    def _settings(self) -> dict[str, Any]:
        return {
            "group.id": self._group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 32_768,
            "log_level": 2,
        }


def _position(message: Message) -> int:
    """How far a partition has been read.

    Raises:
        KafkaException: the broker refuses.
    """
    error, offset = message.error(), cast("int", message.offset())
    if error is None:
        return offset + 1
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's public name
        return offset
    if error.retriable():
        return -1
    raise KafkaException(error)


def _stood(message: Message) -> Stood:
    return Stood(message.partition() or 0, message.offset() or 0, message.key(), message.value(), _headers(message))


def _headers(message: Message) -> tuple[tuple[str, bytes | None], ...]:
    return tuple(cast("list[tuple[str, bytes | None]]", message.headers() or []))


def _held(letter: DeadLetter) -> Original:
    headers = zip(letter.header_names, letter.header_values, strict=True)
    return Original(letter.key, letter.value, tuple(headers))


def _begins_as(found: Original, letter: DeadLetter) -> bool:
    key, value = found.key or b"", found.value or b""
    return (
        (len(key), len(value)) == (letter.key_size, letter.value_size)
        and key.startswith(letter.key or b"")
        and value.startswith(letter.value or b"")
    )
