"""Records a stretch of the log from Kafka."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.topics import AGENTS, Topics
from snowshed.streams.folding import Message
from snowshed.streams.replay.lane_proof import search_start
from snowshed.streams.replay.log import Log, open_log
from snowshed.streams.replay.recording import Recorded
from snowshed.streams.transactions.journal import Applied

__all__ = ["capture", "captured_topics"]

_CHECKPOINT = "checkpoint."


def captured_topics() -> tuple[str, ...]:
    """Short names of what a replay needs, in the order they are read: every agent's checkpoints, journal and input.

    Journals come before inputs: a log that grows while it is captured then has the input of every journalled batch.
    """
    return (
        *(f"{_CHECKPOINT}{agent}" for agent in AGENTS),
        *(f"journal.{agent}" for agent in AGENTS),
        *AGENTS.values(),
    )


def capture(
    connection: KafkaConnection,
    topics: Topics,
    short_names: Sequence[str] | None = None,
    codec: Codec | None = None,
) -> Iterator[Recorded]:
    """Everything that stands committed on the topics now, topic by topic; of checkpoints those that a replay begins at.

    Args:
        connection: where the broker is.
        topics: full topic names.
        short_names: the topics, those of `captured_topics` by default.
        codec: reads journals, with the embedded catalogue by default.

    Raises:
        BrokerUnavailable: no broker answered.
    """
    with open_log(connection, topics) as log:
        for short in short_names or captured_topics():
            for partition in log.partitions(short):
                for message in _messages(log, short, partition, codec or Codec()):
                    yield Recorded(short, partition, message)


def _messages(log: Log, short: str, partition: int, codec: Codec) -> Iterator[Message]:
    if not short.startswith(_CHECKPOINT):
        return log.read(short, partition, *log.bounds(short, partition))
    start = search_start(log, short.removeprefix(_CHECKPOINT), partition, codec).found(Applied(), 0)
    checkpoint = start.checkpoint if start else None
    return log.read(short, partition, checkpoint.first, checkpoint.end) if checkpoint else iter(())
