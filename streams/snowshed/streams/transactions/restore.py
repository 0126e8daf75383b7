"""Reads lanes' state back from their state topics and makes sure that it is the state of the committed offset."""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import SnowshedError
from snowshed.streams.transactions.fetch import fetch
from snowshed.streams.transactions.journal import APPLIED_KEY, Applied

__all__ = ["Restored", "Restorer", "StateMismatch"]

_PATIENCE_SECONDS = 30.0
_FETCH = 10_000


class StateMismatch(SnowshedError):
    """A partition's state does not belong to the group's committed offset.

    Somebody moved the group's offsets or deleted the state topic. Reset both together: with all workers stopped,
    delete the state topic and the group; folding then begins anew at the oldest record kept.
    """


@dataclass(frozen=True, slots=True)
class Restored:
    """A lane's state, undecoded, and how far it has come."""

    values: dict[str, bytes]
    applied: Applied


@dataclass(slots=True)
class _Request:
    source: TopicPartition
    state: TopicPartition
    done: Future[Restored]
    values: dict[str, bytes] = field(default_factory=dict[str, bytes])
    applied: Applied = field(default_factory=Applied)
    deadline: float = 0.0

    def take(self, message: Message) -> None:
        key, value = message.key() or b"", message.value()
        if key == APPLIED_KEY:
            self.applied = Applied.load(value or b"{}")
        elif value is None:
            self.values.pop(key.decode(), None)
        else:
            self.values[key.decode()] = value


class Restorer:
    """Restores any number of lanes at a time over one warm connection, in a thread of its own.

    Lanes that ask while a restore is running share the next one.

    Args:
        connection: where the broker is.
        group: the consumer group whose committed offsets the states must match.
    """

    def __init__(self, connection: KafkaConnection, group: str) -> None:
        self._connection, self._group = connection, group
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="snowshed-restore", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the running restore and end the thread."""
        self._requests.put(None)
        self._thread.join()

    def restore(self, source: TopicPartition, state: TopicPartition) -> Future[Restored]:
        """Restore the state of input partition `source` from partition `state`.

        Must be asked only after the lane has fenced its predecessor: before that, reading committed offsets waits
        for the predecessor's open transaction.

        Returns:
            a future that fails with `StateMismatch` when state and committed offset stay apart.
        """
        request = _Request(source, state, Future())
        self._requests.put(request)
        return request.done

    def _run(self) -> None:
        reader, asker = self._consumer("read_committed"), self._consumer("read_uncommitted")
        try:
            while (first := self._requests.get()) is not None:
                self._serve(reader, asker, [first, *self._waiting()])
        finally:
            reader.close()
            asker.close()

    def _consumer(self, isolation: str) -> Consumer:
        return Consumer(
            self._connection.librdkafka(
                {
                    "group.id": self._group,
                    "isolation.level": isolation,
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "auto.offset.reset": "earliest",
                    "fetch.wait.max.ms": 50,
                    "log_level": 3,
                }
            )
        )

    def _waiting(self) -> list[_Request]:
        found: list[_Request] = []
        while not self._requests.empty():
            request = self._requests.get()
            if request is None:
                self._requests.put(None)
                break
            found.append(request)
        return found

    def _serve(self, reader: Consumer, asker: Consumer, requests: list[_Request]) -> None:
        try:
            for request in requests:
                request.deadline = time.monotonic() + _PATIENCE_SECONDS
            while requests:
                requests = self._attempt(reader, asker, requests)
        except (KafkaException, SnowshedError) as error:
            for request in requests:
                request.done.set_exception(error)

    def _attempt(self, reader: Consumer, asker: Consumer, requests: list[_Request]) -> list[_Request]:
        """Read the states once; the requests whose state is not yet that of the committed offset.

        The committed offset is asked for without waiting for stable ones: after the fence no older transaction can
        commit any more, an offset that a broker's crash left pending would keep us waiting for ever, and a state that
        does not belong to the answer is noticed.
        """
        for request in requests:
            request.values, request.applied = {}, Applied()
        self._read(reader, requests)
        committed = self._committed(asker, requests)
        unsettled: list[_Request] = []
        for request in requests:
            offset = committed[request.source.topic, request.source.partition]
            if request.applied.next_offset == offset:
                request.done.set_result(Restored(request.values, request.applied))
            elif time.monotonic() > request.deadline:
                request.done.set_exception(_mismatch(request, offset))
            else:
                unsettled.append(request)
        return unsettled

    @staticmethod
    def _read(consumer: Consumer, requests: list[_Request]) -> None:
        waiting = {(request.state.topic, request.state.partition): request for request in requests}
        consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in waiting])
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while waiting:
            if time.monotonic() > deadline:
                raise StateMismatch(f"the state topics could not be read to their end: {sorted(waiting)}")
            for message in fetch(consumer, _FETCH, 0.1):
                place = (message.topic() or "", message.partition() or 0)
                error = message.error()
                if error is None:
                    if (request := waiting.get(place)) is not None:
                        request.take(message)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's public name
                    waiting.pop(place, None)
                elif not error.retriable():
                    raise KafkaException(error)
        consumer.unassign()

    @staticmethod
    def _committed(consumer: Consumer, requests: list[_Request]) -> dict[tuple[str, int], int]:
        answers = consumer.committed([request.source for request in requests], _PATIENCE_SECONDS)
        return {(answer.topic, answer.partition): max(answer.offset, 0) for answer in answers}


def _mismatch(request: _Request, committed: int) -> StateMismatch:
    return StateMismatch(
        f"the state of {request.source.topic}[{request.source.partition}] was folded up to offset "
        f"{request.applied.next_offset}, but the group's committed offset is {committed}: somebody moved the offsets "
        "or deleted the state topic. Stop all workers, then reset both together (delete the state topic and the group)."
    )
