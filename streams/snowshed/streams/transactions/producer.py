"""One lane's transactional producer: everything of a batch is written together or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import structlog
from confluent_kafka import KafkaException, Producer, TopicPartition

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.topics import MAX_RECORD_BYTES
from snowshed.streams.folding import SETTLED
from snowshed.streams.transactions.errors import Abandoned, Aborted, TransactionError, classify, kafka_error
from snowshed.streams.transactions.events import BatchStep

__all__ = ["LaneProducer", "NewProducer", "Write", "Writer"]

log = structlog.get_logger()

_CALL_SECONDS = 5.0
"""Bound on one blocking call; the call is repeated while the broker says that this may help."""

_BACK_OFF_SECONDS = 0.1
_RETRY_MILLISECONDS = 10
"""The broker still ends one transaction when the next begins, and says "concurrent transactions" to it; librdkafka's
own 100 ms would then be most of a decision's latency."""

_RECOVERY = "none"
"""Where no broker answers, librdkafka 2.16 would begin anew from the bootstrap addresses and let go of the brokers that
it knew. It still remembers the group's coordinator as one of those, and `send_offsets_to_transaction` then waits for it
whatever its time-out (librdkafka issues 5511 and 5456). So a lane tries the brokers it knows, whose names are resolved
each time; altogether new ones are found by the next client."""

_OVERDUE_SECONDS = 6 * _CALL_SECONDS

_FENCE_SECONDS = (0.05, 0.05, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Bounds of the first calls to fence. While the broker still settles the predecessor's transaction, the client waits
half a second before it asks again; calling it again makes it ask at once (0.1 s instead of 0.5 s, measured)."""


class Write(NamedTuple):
    """One record to write; partition -1 leaves the choice to the key."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None
    headers: list[tuple[str, str | bytes | None]]


class Writer(Protocol):
    """What a lane writes with; see `LaneProducer` for what each call promises."""

    def fence(self) -> None:
        """Shut out every earlier writer of the lane."""

    def commit(
        self,
        writes: Iterable[Write],
        offsets: list[TopicPartition],
        group: Any,
        reached: Callable[[BatchStep], None],
    ) -> None:
        """Write a batch and the group's offsets."""

    def abort(self) -> None:
        """Undo what is not committed."""

    def purge(self, places: Iterable[tuple[str, int]], offsets: list[TopicPartition], group: Any) -> None:
        """Abort what an earlier writer has left hanging."""

    def settle(self, places: Iterable[tuple[str, int]], offsets: list[TopicPartition], group: Any) -> None:
        """Commit what an earlier writer has committed and left hanging."""

    def overdue(self, now: float) -> str:
        """The call that has not come back long after its time; empty when there is none."""
        ...

    def close(self) -> None:
        """Let go of the client."""


class NewProducer(Protocol):
    """Makes a lane's writer."""

    def __call__(
        self, connection: KafkaConnection, transactional_id: str, *, timeout: float, abandon: threading.Event
    ) -> Writer:
        """The writer of the lane with this id."""
        ...


class LaneProducer:
    """A transactional producer whose id is pinned to an input partition.

    Because the id names the partition and not the worker, a successor's `fence` settles the predecessor's open
    transaction at once instead of after its time-out.

    Args:
        connection: where the broker is.
        transactional_id: the lane's id, the same in every worker.
        timeout: seconds after which the broker may abort a transaction by itself.
        abandon: once set, calls are no longer repeated: the partition has been lost or the worker stops.
    """

    def __init__(
        self, connection: KafkaConnection, transactional_id: str, *, timeout: float, abandon: threading.Event
    ) -> None:
        self._id, self._abandon = transactional_id, abandon
        self._calling: tuple[str, float] | None = None
        self._settings = connection.librdkafka(
            {
                "transactional.id": transactional_id,
                "transaction.timeout.ms": int(timeout * 1000),
                "compression.type": "lz4",
                "linger.ms": 0,
                "retry.backoff.ms": _RETRY_MILLISECONDS,
                "metadata.recovery.strategy": _RECOVERY,
                "partitioner": "murmur2_random",
                "message.max.bytes": MAX_RECORD_BYTES,
                "queue.buffering.max.messages": 1_000_000,
                "delivery.report.only.error": True,
                "log_level": 3,
            }
        )
        self._producer = Producer(self._settings)
        self._spent = False

    def fence(self) -> None:
        """Shut out every earlier holder of the id and settle its open transaction.

        Raises:
            TransactionError: the broker refused for good.
        """
        for seconds in _FENCE_SECONDS:
            if self._tried("init_transactions", seconds) is None:
                return
            if self._abandon.is_set():
                break
        self._repeat("init_transactions", _CALL_SECONDS)

    def commit(
        self,
        writes: Iterable[Write],
        offsets: list[TopicPartition],
        group: Any,
        reached: Callable[[BatchStep], None],
    ) -> None:
        """Write `writes` and the consumer group's `offsets` in one transaction.

        Args:
            writes: the records.
            offsets: the group's new positions.
            group: the consumer's group metadata, by which the broker checks that we still own the partitions.
            reached: told how far the batch has come.

        Raises:
            Aborted: nothing was written; the same batch may be tried again.
            Abandoned: the lane closes; whether the transaction stands is settled by the successor.
            Fenced: this process must leave.
        """
        self._begin()
        try:
            for write in writes:
                self._produce(write)
            reached(BatchStep.WRITTEN)
            self._repeat("send_offsets_to_transaction", offsets, group, _CALL_SECONDS)
            reached(BatchStep.OFFSETS_SENT)
            self._repeat("commit_transaction", _CALL_SECONDS)
        except Aborted:
            self.abort()
            raise

    def abort(self) -> None:
        """End the open transaction with nothing written."""
        self._spent = True
        self._repeat("abort_transaction", _CALL_SECONDS)

    def _begin(self) -> None:
        """Begin a transaction, after an abort with a new client.

        When librdkafka 2.16 aborts while a record is on its way and not acknowledged yet, it gives the record's
        sequence number to a record of the next transaction. The broker takes that one for a repetition and does not
        append it, and the commit succeeds without it. A new client has a new epoch, whose numbers begin anew.
        """
        if self._spent:
            self._producer = Producer(self._settings)
            self.fence()
            self._spent = False
        self._repeat("begin_transaction")

    def purge(self, places: Iterable[tuple[str, int]], offsets: list[TopicPartition], group: Any) -> None:
        """Abort what an earlier transaction of this id has left hanging on `places` and in the group.

        A transaction of its own is aborted there: its markers end everything of the same producer id before them.

        Raises:
            TransactionError: it could not be done.
        """
        self._mark(places, offsets, group)
        # Delivered before the abort, which would otherwise throw away what is still in the client's queue.
        self._flush()
        self.abort()

    def settle(self, places: Iterable[tuple[str, int]], offsets: list[TopicPartition], group: Any) -> None:
        """Commit what an earlier transaction of this id has committed and the broker left hanging.

        A transaction of its own is committed there, and leaves a record without a value on each place.

        Raises:
            TransactionError: it could not be done.
        """
        self._mark(places, offsets, group)
        self._repeat("commit_transaction", _CALL_SECONDS)

    def _mark(self, places: Iterable[tuple[str, int]], offsets: list[TopicPartition], group: Any) -> None:
        self._begin()
        for topic, partition in places:
            self._produce(Write(topic, partition, SETTLED, None, []))
        self._repeat("send_offsets_to_transaction", offsets, group, _CALL_SECONDS)

    def _flush(self) -> None:
        while left := self._producer.flush(_CALL_SECONDS):
            log.warning("delivery_awaited", id=self._id, records=left)
            if self._abandon.is_set():
                raise Abandoned(f"flush: given up because the lane is closing: {left} records are not delivered")

    def overdue(self, now: float) -> str:
        """The call that has not come back long after its own time-out; empty when there is none.

        librdkafka was seen to stay in `send_offsets_to_transaction` for minutes after a broker had come back.
        """
        calling = self._calling
        return calling[0] if calling is not None and now > calling[1] + _OVERDUE_SECONDS else ""

    def close(self) -> None:
        """Let go of the client and its threads now; an exception's frames could hold on to them for long."""
        del self._producer

    def _produce(self, write: Write) -> None:
        # The client's own queue is full: let it send, then go on.
        while True:
            try:
                self._producer.produce(
                    write.topic,
                    write.value,
                    write.key,
                    write.partition,
                    headers=write.headers,
                )
            except BufferError:
                self._producer.poll(_BACK_OFF_SECONDS)
            except KafkaException as error:
                raise self._meaning("produce", error) from error
            else:
                return

    def _repeat(self, call: str, *arguments: object) -> None:
        while (error := self._tried(call, *arguments)) is not None:
            log.warning("transaction_call_repeated", id=self._id, call=call, reason=str(error))
            if self._abandon.wait(_BACK_OFF_SECONDS):
                raise Abandoned(f"{call}: given up because the lane is closing: {error}") from error

    def _tried(self, call: str, *arguments: object) -> KafkaException | None:
        """Call once; the error after which the same call may help, None when it has succeeded.

        The client's method is looked up by its name, because a frame that held it would keep the client, its threads
        and its connections for as long as an exception's traceback lives.
        """
        self._calling = (call, time.monotonic())
        try:
            getattr(self._producer, call)(*arguments)
        except KafkaException as error:
            meaning = classify(call, kafka_error(error))
            if meaning is None:
                return error
            raise meaning from error
        finally:
            self._calling = None
        return None

    @staticmethod
    def _meaning(call: str, error: KafkaException) -> TransactionError:
        # A produce call is never repeated by itself: within a transaction an abort and a new try is the way back.
        return classify(call, kafka_error(error)) or Aborted(f"{call}: {error}")
