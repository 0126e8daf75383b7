"""Follows whole topics in a background thread, without a consumer group and without ever raising."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, nan

import structlog
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from snowshed.consumers.following.reader import TopicReader
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import DecodeError
from snowshed.schemas.forking import ForkGate
from snowshed.schemas.records import Record

__all__ = ["Delivery", "Follower"]

_PAUSE_AFTER_FAILURE = 1.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One committed message of a followed topic."""

    topic: str
    partition: int
    offset: int
    timestamp: float
    """The broker's or producer's time in seconds, NaN when the message has none."""
    key: str
    record: Record | None
    """None for a tombstone."""


class Follower:
    """Hands every committed record of whole topics, oldest first in each partition, to one callable.

    A daemon thread reads all partitions from their beginning and follows them for ever: topics that do not exist yet,
    partitions that are added and a broker that is away are waited for. Unreadable messages and an `apply` that raises
    are counted, logged once per reason, and skipped. A forked child follows anew from the beginning.

    Args:
        connection: where Kafka is.
        topics: full topic names.
        apply: called in the follower's thread, one delivery at a time.
        codec: reads the messages; knows the embedded catalogue when left out.
        name: appears in log lines and in the client id.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Sequence[str],
        apply: Callable[[Delivery], None],
        *,
        codec: Codec | None = None,
        name: str = "follower",
    ) -> None:
        self.caught_up = threading.Event()
        """Set once everything that existed has been applied."""
        self._connection = connection
        self._topics = tuple(topics)
        self._apply = apply
        self._codec = codec or Codec()
        self._name = name
        self._log = structlog.get_logger().bind(follower=name, bootstrap=connection.bootstrap)
        self._skipped: Counter[str] = Counter()
        self._last_progress = -inf
        self._connected: bool | None = None
        self._stopping = threading.Event()
        self._reader: TopicReader | None = None
        self._thread: threading.Thread | None = None
        self._abandoned: list[TopicReader | None] = []
        self._busy = ForkGate(in_child=self._follow_anew)

    @property
    def connected(self) -> bool:
        """Whether the broker answered when it was last asked."""
        return self._connected is True

    @property
    def last_progress(self) -> float:
        """The monotonic time at which everything committed was last known to be applied; -inf before that."""
        return self._last_progress

    @property
    def skipped(self) -> Mapping[str, int]:
        """Messages and failures passed over so far, by the class of the error."""
        return dict(self._skipped)

    def start(self) -> None:
        """Starts the thread and returns at once; does nothing while it runs.

        Raises:
            ConfigurationError: a Kafka property is wrong; an absent broker is no error.
        """
        if self._thread is not None:
            return
        self._stopping = threading.Event()
        reader = self._reader = TopicReader(self._connection, self._topics, self._name)
        self._thread = threading.Thread(
            target=self._run, args=(reader, self._stopping), name=f"snowshed-{self._name}", daemon=True
        )
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Ends the thread; waits for it at most `timeout` seconds."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        self._thread = self._reader = None

    def wait_caught_up(self, timeout: float | None = None) -> bool:
        """Waits until everything that existed has been applied; returns whether that happened in time."""
        return self.caught_up.wait(timeout)

    def _follow_anew(self) -> None:
        if self._thread is None:
            return
        # The reader's own threads stayed in the parent: releasing it here would wait for them for ever.
        self._abandoned.append(self._reader)
        self._thread = None
        self._last_progress = -inf
        self._connected = None
        self.caught_up = threading.Event()
        self.start()

    def _run(self, reader: TopicReader, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                self._turn(reader)
            except Exception as error:  # noqa: BLE001 - nobody joins this thread: whatever happens, it follows on
                with self._busy:
                    self._skip(error, "follower_turn_failed")
                stopping.wait(_PAUSE_AFTER_FAILURE)
        reader.close()

    def _turn(self, reader: TopicReader) -> None:
        messages = reader.poll()
        with self._busy:
            for message in messages:
                if message.error() is None:
                    self._deliver(message)
                reader.advance(message)
            self._publish(reader)

    def _publish(self, reader: TopicReader) -> None:
        self._last_progress = reader.current_at()
        if reader.connected != self._connected:
            self._connected = reader.connected
            if self._connected:
                self._log.info("follower_connected")
            else:
                self._log.warning("follower_disconnected", reason=reader.failure)
        if reader.caught_up and not self.caught_up.is_set():
            self._log.info("follower_caught_up", topics=self._topics)
            self.caught_up.set()

    def _deliver(self, message: Message) -> None:
        try:
            self._apply(self._decode(message))
        except DecodeError as error:
            place = (message.topic() or "", message.partition() or 0, message.offset() or 0)
            self._skip(error.at(*place), "follower_message_unreadable")
        except Exception as error:  # noqa: BLE001 - foreign code in our thread: one bad record must not end it
            self._skip(error, "follower_apply_failed")

    def _decode(self, message: Message) -> Delivery:
        raw, key = message.value(), message.key()
        kind, milliseconds = message.timestamp()
        return Delivery(
            topic=message.topic() or "",
            partition=message.partition() or 0,
            offset=message.offset() or 0,
            timestamp=nan if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds / 1000,
            key="" if key is None else key.decode(errors="replace"),
            record=None if raw is None else self._codec.decode(raw),
        )

    def _skip(self, error: Exception, event: str) -> None:
        reason = type(error).__name__
        self._skipped[reason] += 1
        if self._skipped[reason] == 1:
            self._log.warning(event, error=reason, reason=str(error))
