"""A Kafka consumer that assigns itself every partition of some topics and knows how far behind it is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from snowshed.consumers.following.progress import Partition, Progress
from snowshed.schemas.connection import KafkaConnection, Property
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.fetching import fetch

__all__ = ["TopicReader"]

_LOOK_INTERVAL = 2.0
_LOOK_INTERVAL_UNSETTLED = 0.5
_LOOK_TIMEOUT = 2.0
_ASK_INTERVAL = 0.4
_ASK_TIMEOUT = 1.0
_POLL_TIMEOUT = 0.1
_BATCH = 1000
_READING: Mapping[str, Property] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "auto.offset.reset": "earliest",
    "allow.auto.create.topics": False,
    "fetch.wait.max.ms": 200,
    "queued.max.messages.kbytes": 16384,
    "fetch.error.backoff.ms": 100,
    "socket.timeout.ms": 10_000,
    "log_level": 0,
}
"""Short back-offs, because a decision is worth something for seconds; a short wait for records, because a broker lets
every other question on the connection wait behind it; silent, because the follower reports changes."""


class TopicReader:
    """Reads committed messages from the beginning of every partition; to be used by one thread.

    Raises:
        ConfigurationError: a Kafka property is wrong; an absent broker is no error.
    """

    def __init__(self, connection: KafkaConnection, topics: Sequence[str], name: str) -> None:
        self._topics = tuple(topics)
        self._progress = Progress()
        self.connected: bool | None = None
        """Whether the broker answered when it was last asked; None before that."""
        self.failure = ""
        """Why it did not."""
        self._next_look = self._next_ask = 0.0
        identity = {"group.id": f"snowshed-{name}", "client.id": f"snowshed-{name}"}
        properties = connection.librdkafka({**_READING, **identity})
        try:
            self._consumer = Consumer({**properties, "error_cb": self._on_error})
        except (KafkaException, ValueError, TypeError) as error:
            raise ConfigurationError(f"Kafka refuses the connection's properties: {error}; correct them") from error

    @property
    def caught_up(self) -> bool:
        """Whether everything that existed has once been read to its end."""
        return self._progress.caught_up

    def current_at(self) -> float:
        """The monotonic time at which everything committed was last known to be dealt with; -inf before the first."""
        return self._progress.current_at()

    def poll(self) -> list[Message]:
        """What has arrived: records, and as errors the ends of partitions, in the order in which to deal with them.

        Waits at most a tenth of a second, a few tenths when the broker is asked, seconds when Kafka is away.
        """
        if time.monotonic() >= self._next_look:
            self._look()
        if self.connected and time.monotonic() >= self._next_ask:
            self._ask_ends()
        return [message for message in fetch(self._consumer, _BATCH, _POLL_TIMEOUT) if self._is_news(message)]

    def advance(self, message: Message) -> None:
        """This message has been dealt with, and all that `poll` returned before it."""
        if message.error() is None:
            self._progress.read(_partition(message), message.offset() or 0)
        else:
            self._progress.reached_end(_partition(message), message.offset() or 0)

    def close(self) -> None:
        """Releases the connection."""
        self._consumer.close()

    def _look(self) -> None:
        """Asks the broker which partitions exist, which also proves that it is there."""
        asked_at = time.monotonic()
        try:
            partitions, complete = self._partitions()
        except KafkaException as error:
            self.connected, self.failure = False, str(error.args[0])
            self._next_look = time.monotonic() + _LOOK_INTERVAL_UNSETTLED
            return
        if self._progress.expect(partitions, asked_at):
            self._assign()
            self._next_ask = 0.0
        self.connected = True
        self._next_look = time.monotonic() + (_LOOK_INTERVAL if complete else _LOOK_INTERVAL_UNSETTLED)

    def _ask_ends(self) -> None:
        """Asks the brokers where the partitions end, all in one request each; no answer leaves the progress as it is.

        What a fetch says of the end would cost nothing, but not when it was true, and it counts open transactions.
        """
        questions = [TopicPartition(*partition, OFFSET_END) for partition in self._progress.positions]
        asked_at = time.monotonic()
        try:
            ends = self._consumer.offsets_for_times(questions, _ASK_TIMEOUT)
        except KafkaException:
            ends = []
        for end in ends:
            if end.error is None:
                self._progress.ended_at((end.topic, end.partition), end.offset, asked_at)
        self._next_ask = time.monotonic() + _ASK_INTERVAL

    def _partitions(self) -> tuple[set[Partition], bool]:
        """What exists, and whether that is all that is followed."""
        found: set[Partition] = set()
        complete = True
        for topic in self._topics:
            metadata = self._consumer.list_topics(topic, timeout=_LOOK_TIMEOUT).topics[topic]
            found.update((topic, partition) for partition in metadata.partitions)
            if metadata.error is None:
                continue
            complete = False
            if metadata.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                # A topic without a leader for a moment is still the topic that was read so far.
                found.update(known for known in self._progress.positions if known[0] == topic)
        return found, complete

    def _assign(self) -> None:
        self._consumer.assign(
            [
                TopicPartition(topic, partition, OFFSET_BEGINNING if offset is None else offset)
                for (topic, partition), offset in self._progress.positions.items()
            ]
        )

    def _is_news(self, message: Message) -> bool:
        error = message.error()
        if error is None or error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own name for it
            return True
        self._next_look = 0.0
        return False

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - librdkafka's own name for it
            self._next_look = min(self._next_look, time.monotonic() + _LOOK_INTERVAL_UNSETTLED)


def _partition(message: Message) -> Partition:
    return message.topic() or "", message.partition() or 0
