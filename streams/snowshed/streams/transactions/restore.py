"""Reads lanes' state back from their state topics and makes sure that it is the state of the committed offset."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import SnowshedError
from snowshed.schemas.fetching import fetch
from snowshed.streams.transactions.errors import kafka_error, passes
from snowshed.streams.transactions.hanging import Left, Question, answer
from snowshed.streams.transactions.journal import APPLIED_KEY, Applied
from snowshed.streams.transactions.state_errors import grew, mismatch, silent, unreadable

__all__ = ["Restored", "Restorer"]

log = structlog.get_logger()

_SILENCE_SECONDS = 60.0
"""How long the broker may give nothing at all before a lane gives up; a large state may take longer."""
_MISMATCH_SECONDS = 15.0
_SETTLING_SECONDS = 2.0
"""How long a transaction may be settling after the fence before its offset counts as left hanging."""
_PENDING_SECONDS = 3.0
_UNSTABLE = frozenset({KafkaError._TIMED_OUT, KafkaError.UNSTABLE_OFFSET_COMMIT})  # noqa: SLF001 librdkafka's public name
_CALL_SECONDS = 10.0
_STOP_SECONDS = 5.0
_BACK_OFF_SECONDS = 0.2
_FETCH = 10_000


@dataclass(frozen=True, slots=True)
class Restored:
    """A lane's state, undecoded, and how far it has come."""

    values: dict[str, bytes]
    applied: Applied
    pending: bool = False
    """Whether the group's offset hangs in the transaction that the state is from, and must be committed anew."""


@dataclass(slots=True)
class _Request:
    source: TopicPartition
    state: TopicPartition
    done: Future[Restored]
    values: dict[str, bytes] = field(default_factory=dict[str, bytes])
    applied: Applied = field(default_factory=Applied)
    mismatch_since: float | None = None

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
        sources: the input topics.
    """

    def __init__(self, connection: KafkaConnection, group: str, sources: Sequence[str]) -> None:
        self._connection, self._group, self._sources = connection, group, sources
        self._requests: queue.SimpleQueue[_Request | Question | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="snowshed-restore", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the running restore and end the thread; not waited for when no broker answers."""
        self._requests.put(None)
        self._thread.join(_STOP_SECONDS)

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

    def hanging(self, question: Question) -> Future[Left]:
        """Where records of a lane hang; to be asked once it has fenced and restored."""
        self._requests.put(question)
        return question.done

    def _run(self) -> None:
        reader, asker = self._consumer("read_committed"), self._consumer("read_uncommitted")
        try:
            self._warm(reader, asker)
            while (first := self._requests.get()) is not None:
                asked = [first, *self._waiting()]
                self._answer(reader, asker, [one for one in asked if isinstance(one, Question)])
                self._serve(reader, asker, [one for one in asked if isinstance(one, _Request)])
        finally:
            reader.close()
            asker.close()

    def _warm(self, reader: Consumer, asker: Consumer) -> None:
        """Connect and find the coordinator while the group is still being joined: the first restore need not."""
        place = TopicPartition(self._sources[0], 0)
        try:
            asker.committed([place], _CALL_SECONDS)
            reader.get_watermark_offsets(place, _CALL_SECONDS)
        except KafkaException as error:
            log.debug("restore_not_warm", reason=str(error))

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

    def _waiting(self) -> list[_Request | Question]:
        found: list[_Request | Question] = []
        while not self._requests.empty():
            request = self._requests.get()
            if request is None:
                self._requests.put(None)
                break
            found.append(request)
        return found

    @staticmethod
    def _answer(reader: Consumer, asker: Consumer, questions: list[Question]) -> None:
        asked = time.monotonic()
        while questions:
            try:
                answer(questions, reader, asker)
            except KafkaException as error:
                if passes(kafka_error(error)) and time.monotonic() - asked < _SILENCE_SECONDS:
                    log.warning("hanging_asked_again", lanes=len(questions), reason=str(error))
                    time.sleep(_BACK_OFF_SECONDS)
                    continue
                for question in questions:
                    question.done.set_exception(error)
            return

    def _serve(self, reader: Consumer, asker: Consumer, requests: list[_Request]) -> None:
        answered = time.monotonic()
        while requests:
            try:
                requests = self._attempt(reader, asker, requests)
                answered = time.monotonic()
            except KafkaException as error:
                if passes(kafka_error(error)) and time.monotonic() - answered < _SILENCE_SECONDS:
                    log.warning("restore_repeated", lanes=len(requests), reason=str(error))
                    time.sleep(_BACK_OFF_SECONDS)
                    continue
                _fail(requests, unreadable(kafka_error(error), {request.state.topic for request in requests}))
                return
            except SnowshedError as error:
                _fail(requests, error)
                return

    def _attempt(self, reader: Consumer, asker: Consumer, requests: list[_Request]) -> list[_Request]:
        """Read the states once; the requests whose state is not yet that of the committed offset.

        The committed offset is asked for without waiting for stable ones: after the fence no older transaction can
        commit any more, and an offset that a broker's crash left pending would keep us waiting for ever. A state that
        is ahead of the answer is committed; where an offset is pending it is that of the same transaction.
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
            elif request.applied.next_offset > offset and self._hangs(reader, request):
                log.error("hanging_offset", partition=str(request.source), consequence="committing it again")
                request.done.set_result(Restored(request.values, request.applied, pending=True))
            elif _lasts(request, time.monotonic()):
                request.done.set_exception(mismatch(request.source, request.applied.next_offset, offset))
            else:
                unsettled.append(request)
        return unsettled

    @staticmethod
    def _hangs(reader: Consumer, request: _Request) -> bool:
        """Whether an offset of the partition is pending: who asks for stable ones only is kept waiting."""
        now = time.monotonic()
        if request.mismatch_since is None or now - request.mismatch_since < _SETTLING_SECONDS:
            return False
        try:
            (answered,) = reader.committed([request.source], _PENDING_SECONDS)
        except KafkaException as error:
            return kafka_error(error).code() in _UNSTABLE
        return answered.error is not None and answered.error.code() in _UNSTABLE

    @staticmethod
    def _read(consumer: Consumer, requests: list[_Request]) -> None:
        waiting = {(request.state.topic, request.state.partition): request for request in requests}
        for topic in {topic for topic, _ in waiting}:
            # Asked for beforehand, because the client by itself asks only by its timer, which takes up to a second, and
            # waits in silence for a partition that does not exist.
            there = consumer.list_topics(topic, timeout=_CALL_SECONDS).topics[topic].partitions
            if there and any(name == topic and partition not in there for name, partition in waiting):
                raise grew(topic, len(there))
        consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in waiting])
        heard = time.monotonic()
        while waiting:
            messages = fetch(consumer, _FETCH, 0.1)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENCE_SECONDS:
                raise silent(sorted(waiting), _SILENCE_SECONDS)
            for message in messages:
                _take(message, waiting)
        consumer.unassign()

    @staticmethod
    def _committed(consumer: Consumer, requests: list[_Request]) -> dict[tuple[str, int], int]:
        answers = consumer.committed([request.source for request in requests], _CALL_SECONDS)
        return {(answer.topic, answer.partition): max(answer.offset, 0) for answer in answers}


def _take(message: Message, waiting: dict[tuple[str, int], _Request]) -> None:
    place = (message.topic() or "", message.partition() or 0)
    error = message.error()
    if error is None:
        if (request := waiting.get(place)) is not None:
            request.take(message)
    elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's public name
        waiting.pop(place, None)
    elif not passes(error):
        raise KafkaException(error)


def _fail(requests: list[_Request], error: SnowshedError) -> None:
    for request in requests:
        request.done.set_exception(error)


def _lasts(request: _Request, now: float) -> bool:
    """Whether state and committed offset have been apart for too long; a transaction may just be settling."""
    if request.mismatch_since is None:
        request.mismatch_since = now
    return now - request.mismatch_since > _MISMATCH_SECONDS
