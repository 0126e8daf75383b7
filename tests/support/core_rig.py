"""A transactional core on a real broker, with what a test needs to feed it and to read what it wrote."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from tests.support.counting import CountingFold, payload

from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.records import Record
from snowshed.schemas.topics import Topics
from snowshed.streams.folding import Fold
from snowshed.streams.provision import provision
from snowshed.streams.transactions.context import LaneLimits
from snowshed.streams.transactions.core import Core
from snowshed.streams.transactions.events import NoWatcher
from snowshed.streams.transactions.judge import DirectJudge, Judge
from snowshed.streams.transactions.protocol import GroupSettings, Protocol

__all__ = ["PATIENT", "Rig", "wait_until"]

PATIENT = LaneLimits(tick=0.05, transaction_timeout=120.0)
"""For tests that take the broker away: on a busy machine it may need longer to return than a transaction may last,
after which the worker would rightly leave."""


def wait_until(
    condition: Callable[[], bool], timeout: float = 30.0, *, what: str, found: Callable[[], object] = str
) -> None:
    """Wait for a condition of the outside world; `found` tells how far it came when it does not hold in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what} {found()}"
        time.sleep(0.02)


@dataclass(slots=True)
class Rig:
    """Topics of their own on a shared broker."""

    bootstrap: str
    prefix: str
    partitions: int = 2
    protocol: Protocol = "consumer"
    fatal: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        provision(self.connection, self.topics)

    @property
    def connection(self) -> KafkaConnection:
        return KafkaConnection(self.bootstrap)

    @property
    def topics(self) -> Topics:
        return Topics(self.prefix, partitions=self.partitions, replication=1)

    @contextmanager
    def core(
        self,
        fold: Fold[Any, Any] | None = None,
        *,
        judge: Judge | None = None,
        watcher: Any = None,
        limits: LaneLimits | None = None,
    ) -> Generator[Core]:
        """A running core over one fold; stopped and checked on exit."""
        folds = {"heartbeats": fold or CountingFold()}
        core = Core(
            connection=self.connection,
            topics=self.topics,
            codec=Codec(),
            group=GroupSettings(self.prefix, self.protocol, 6.0),
            folds=folds,
            judge=judge or DirectJudge(),
            watcher=watcher or NoWatcher(),
            limits=limits or LaneLimits(tick=0.05),
            fatal=self.fatal.append,
        )
        core.start()
        try:
            yield core
        finally:
            core.stop()

    def feed(self, records: Sequence[tuple[str, bytes | int]]) -> None:
        """Write input records; numbers become the counting fold's payloads."""
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "partitioner": "murmur2_random",
                "message.max.bytes": 2_000_000,
                "enable.idempotence": True,  # a request sent again on a slow machine must not be an input of its own
            }
        )
        for key, value in records:
            raw = payload(value) if isinstance(value, int) else value
            producer.produce(self.topics.full("heartbeats"), raw, key)
        assert producer.flush(30) == 0

    def read(self, short: str, *, expect: int | None = None, timeout: float = 30.0) -> list[Record]:
        """All committed records of a topic, in partition order; waits until there are `expect`."""
        return [Codec().decode(value) for _, value in self.read_raw(short, expect=expect, timeout=timeout)]

    def read_raw(
        self, short: str, *, expect: int | None = None, timeout: float = 30.0
    ) -> list[tuple[bytes | None, bytes | None]]:
        """Keys and values of all committed records of a topic."""
        found: list[tuple[bytes | None, bytes | None]] = []

        def enough() -> bool:
            found[:] = self._read_once(short)
            return expect is None or len(found) >= expect

        wait_until(enough, timeout, what=f"{expect} records on {short}; there are", found=lambda: len(found))
        return found

    def _read_once(self, short: str) -> list[tuple[bytes | None, bytes | None]]:
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"{self.prefix}-reader",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        name, ends = self.topics.full(short), self.topics.partitions(short)
        consumer.assign([TopicPartition(name, partition, 0) for partition in range(ends)])
        found: dict[int, list[tuple[bytes | None, bytes | None]]] = {}
        try:
            while ends:
                message = consumer.poll(10)
                assert message is not None, f"{name} could not be read to its end"
                error = message.error()
                if error is None:
                    found.setdefault(message.partition() or 0, []).append((message.key(), message.value()))
                elif error.code() == KafkaError._PARTITION_EOF:
                    ends -= 1
        finally:
            consumer.close()
        return [pair for partition in sorted(found) for pair in found[partition]]

    def committed(self) -> Mapping[int, int]:
        """The group's committed offset by input partition."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.prefix})
        places = [TopicPartition(self.topics.full("heartbeats"), number) for number in range(self.partitions)]
        try:
            return {place.partition: max(place.offset, 0) for place in consumer.committed(places, 10)}
        finally:
            consumer.close()
