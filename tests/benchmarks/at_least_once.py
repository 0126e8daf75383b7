"""`python -m tests.benchmarks.at_least_once EVERY`: the job of `peers.snowshed_job` without its guarantee.

The core is the same. What a batch leads to is written by an idempotent producer and delivered before the next one;
offsets follow once a second. A worker that dies so repeats what it did in its last second. For comparison only: it must
begin with an empty group, because its state and its offsets do not agree between two commits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from tests.benchmarks.peers import snowshed_job

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.topics import MAX_RECORD_BYTES
from snowshed.streams.transactions.errors import Fenced
from snowshed.streams.transactions.events import BatchStep
from snowshed.streams.transactions.producer import LaneProducer, Write

__all__ = ["AtLeastOnce"]

_COMMIT_SECONDS = 1.0
_FLUSH_SECONDS = 60.0


class _Offsets:
    """Commits what all lanes have delivered, once a second, in a thread of its own.

    Only a transaction may bring a group's offsets from outside its consumer, so it is one, with nothing else in it.
    """

    def __init__(self, connection: KafkaConnection, name: str) -> None:
        self._producer = LaneProducer(connection, f"{name}-offsets", timeout=10.0, abandon=threading.Event())
        self._lock = threading.Lock()
        self._delivered: dict[tuple[str, int], int] = {}
        self._group: Any = None
        threading.Thread(target=self._run, name="offsets", daemon=True).start()

    def note(self, offsets: Iterable[TopicPartition], group: Any) -> None:
        """A lane has delivered everything before these offsets."""
        with self._lock:
            self._delivered.update({(place.topic, place.partition): place.offset for place in offsets})
            self._group = group

    def _run(self) -> None:
        self._producer.fence()
        pause = threading.Event()
        while not pause.wait(_COMMIT_SECONDS):
            with self._lock:
                delivered, self._delivered = self._delivered, {}
            if delivered:
                offsets = [TopicPartition(*place, offset) for place, offset in delivered.items()]
                self._producer.commit([], offsets, self._group, lambda _: None)


class _Writer:
    """A lane's producer without transactions."""

    def __init__(self, connection: KafkaConnection, offsets: _Offsets) -> None:
        self._offsets, self._failed = offsets, ""
        own: dict[str, Any] = connection.librdkafka(
            {
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 0,
                "partitioner": "murmur2_random",
                "message.max.bytes": MAX_RECORD_BYTES,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 3,
            }
        )
        self._producer = Producer({**own, "on_delivery": self._note_failure})

    def fence(self) -> None:
        """Nobody is shut out."""

    def commit(
        self,
        writes: Iterable[Write],
        offsets: list[TopicPartition],
        group: Any,
        reached: Callable[[BatchStep], None],
    ) -> None:
        """Write, wait for the delivery, and leave the offsets to the next second."""
        for write in writes:
            self._produce(write)
        reached(BatchStep.WRITTEN)
        if self._producer.flush(_FLUSH_SECONDS) or self._failed:
            raise Fenced(f"a batch was not delivered: {self._failed or 'time-out'}")
        self._offsets.note(offsets, group)
        reached(BatchStep.OFFSETS_SENT)

    def abort(self) -> None:
        """Nothing can be undone."""

    def purge(self, places: Iterable[tuple[str, int]], offsets: list[TopicPartition], group: Any) -> None:
        """Nothing hangs without transactions."""

    def settle(self, places: Iterable[tuple[str, int]], offsets: list[TopicPartition], group: Any) -> None:
        """Nothing hangs without transactions."""

    def overdue(self, now: float) -> str:
        """Nobody watches."""
        _ = now
        return ""

    def close(self) -> None:
        """Let go of the client."""
        del self._producer

    def _produce(self, write: Write) -> None:
        while True:
            try:
                self._producer.produce(write.topic, write.value, write.key, write.partition, headers=write.headers)
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise Fenced(f"produce: {error}") from error
            else:
                return

    def _note_failure(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed = str(error)


class AtLeastOnce:
    """Makes the lanes' producers; one thread commits offsets for all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offsets: _Offsets | None = None

    def __call__(
        self, connection: KafkaConnection, transactional_id: str, *, timeout: float, abandon: threading.Event
    ) -> _Writer:
        """The writer of the lane with this id."""
        _ = timeout, abandon
        with self._lock:
            if self._offsets is None:
                self._offsets = _Offsets(connection, transactional_id)
        return _Writer(connection, self._offsets)


if __name__ == "__main__":
    snowshed_job.main(AtLeastOnce())
