"""A steady flow of heartbeats, and the journal that tells which of them were folded, when and how often."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from threading import Event, Lock, Thread
from typing import Self

from confluent_kafka import Consumer, Producer, TopicPartition
from tests.benchmarks.loads import heartbeats

from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection, Property
from snowshed.schemas.records import JournalEntry
from snowshed.schemas.topics import Topics

__all__ = ["Committed", "Feed", "Journal", "faults", "longest_gap"]

_NODES = 100
_ENDLESS = 1_000_000
_FLUSH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Committed:
    """One committed batch, as a reader of committed records sees it."""

    seen: float
    """Wall time at which it could be read."""
    partition: int
    first: int
    next: int
    records: int


def longest_gap(batches: Sequence[Committed]) -> float:
    """The longest time between two batches of the same partition, in seconds."""
    seen: defaultdict[int, list[float]] = defaultdict(list)
    for batch in batches:
        seen[batch.partition].append(batch.seen)
    return max(after - before for times in seen.values() for before, after in pairwise(times))


def faults(batches: Sequence[Committed], ends: Sequence[int]) -> int:
    """How many records were folded not at all or more than once, by the journal of partitions that end there."""
    wrong, following = 0, [0] * len(ends)
    for batch in batches:
        wrong += abs(batch.first - following[batch.partition]) + abs(batch.next - batch.first - batch.records)
        following[batch.partition] = batch.next
    return wrong + sum(abs(end - reached) for end, reached in zip(ends, following, strict=True))


class _Threaded:
    """A thread that runs as long as the context is open."""

    def __init__(self) -> None:
        self._done = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the thread, once it has finished what is under way."""
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        raise NotImplementedError


class Feed(_Threaded):
    """Heartbeats of a hundred nodes, evenly.

    Args:
        connection: where the broker is.
        topics: of the run.
        rate: records a second.
    """

    def __init__(self, connection: KafkaConnection, topics: Topics, rate: float) -> None:
        super().__init__()
        self._topic, self._rate = topics.full("heartbeats"), rate
        own: dict[str, Property] = {"partitioner": "murmur2_random", "enable.idempotence": True, "log_level": 2}
        self._producer = Producer(connection.librdkafka(own))

    def _run(self) -> None:
        started = time.monotonic()
        for number, item in enumerate(heartbeats(_NODES, _ENDLESS, time.time())):
            while (ahead := started + number / self._rate - time.monotonic()) > 0 and not self._done.is_set():
                self._producer.poll(min(ahead, 0.01))
            if self._done.is_set():
                break
            self._producer.produce(self._topic, item.value, item.key)
        self._producer.flush(_FLUSH_SECONDS)


class Journal(_Threaded):
    """Notes every batch of the heartbeats' agent when it can be read.

    Args:
        connection: where the broker is.
        topics: of the run.
    """

    def __init__(self, connection: KafkaConnection, topics: Topics) -> None:
        super().__init__()
        own: dict[str, Property] = {
            "group.id": f"{topics.prefix}-journal",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,
            "log_level": 2,
        }
        self._lock, self._batches = Lock(), list[Committed]()
        self._consumer = Consumer(connection.librdkafka(own))
        topic, count = topics.full("journal.heartbeats"), topics.partitions("heartbeats")
        self._consumer.assign([TopicPartition(topic, number, 0) for number in range(count)])

    def since(self, moment: float = 0.0) -> list[Committed]:
        """The batches seen since then."""
        with self._lock:
            return [batch for batch in self._batches if batch.seen >= moment]

    def _run(self) -> None:
        for seen, entry in self._entries():
            batch = Committed(seen, entry.partition, entry.first_offset, entry.next_offset, entry.records)
            with self._lock:
                self._batches.append(batch)
        self._consumer.close()

    def _entries(self) -> Iterator[tuple[float, JournalEntry]]:
        codec = Codec()
        while not self._done.is_set():
            message = self._consumer.poll(0.05)
            seen = time.time()
            if message is not None and message.error() is None:
                record = codec.decode(message.value())
                if isinstance(record, JournalEntry):
                    yield seen, record
