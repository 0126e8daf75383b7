"""Begins folding anew: empties a lane's state and moves the group's offset, both in one transaction.

It does so as the lanes themselves would, under their transactional ids, so that a worker that still runs is fenced.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import BrokerUnavailable, ConfigurationError
from snowshed.schemas.topics import AGENTS, Topics
from snowshed.streams.replay.log import Log, open_log
from snowshed.streams.transactions.checkpoint import CheckpointMark
from snowshed.streams.transactions.errors import kafka_error, passes
from snowshed.streams.transactions.events import BatchStep
from snowshed.streams.transactions.journal import APPLIED_KEY, Applied
from snowshed.streams.transactions.producer import LaneProducer, Write

__all__ = ["Beginning", "LaneReset", "reset"]


class Beginning(Enum):
    """Where folding begins."""

    END = "end"
    """Behind everything that the inputs hold now."""
    BEGINNING = "beginning"
    """At the oldest record that they keep."""


_TIMEOUT = 15.0
_TRANSACTION_SECONDS = 60.0
_FOLLOWERS = ("state", "journal", "checkpoint")


@dataclass(frozen=True, slots=True)
class LaneReset:
    """What was done to one lane."""

    agent: str
    partition: int
    keys: int
    """State values removed."""
    before: int
    """How far the state had come."""
    after: int
    """Where folding begins."""


def reset(
    connection: KafkaConnection, topics: Topics, app: str, *, agents: Sequence[str], begin: Beginning
) -> list[LaneReset]:
    """Reset every lane of `agents`.

    Topics that belong to an input get as many partitions as it has.

    Args:
        connection: where the broker is.
        topics: full topic names.
        app: the workers' consumer group.
        agents: whose lanes.
        begin: where folding begins.

    Raises:
        ConfigurationError: workers still run, or a topic is missing.
        BrokerUnavailable: no broker answered.
    """
    try:
        admin = AdminClient(connection.librdkafka({"log_level": 2}))
        _refuse_members(admin, app)
        for agent in agents:
            _grow(admin, topics, agent)
        with open_log(connection, topics) as log:
            resetter = _Resetter(connection, topics, app, log, begin)
            return [resetter.lane(agent, partition) for agent in agents for partition in log.partitions(AGENTS[agent])]
    except KafkaException as error:
        raise BrokerUnavailable(f"the lanes could not be reset at {connection.bootstrap}: {error}") from error


def _refuse_members(admin: AdminClient, app: str) -> None:
    members = _members(admin, app)
    if members:
        raise ConfigurationError(
            f"{members} workers are in group {app}: stop all of them first, or wait until the sessions of those that "
            "died have ended"
        )


def _members(admin: AdminClient, app: str) -> int:
    """How many workers are in the group; asked again while the group's coordinator is being found."""
    deadline = time.monotonic() + _TIMEOUT
    while True:
        answers = cast("dict[str, Any]", admin.describe_consumer_groups([app], request_timeout=_TIMEOUT))
        try:
            return len(answers[app].result().members)
        except KafkaException as error:
            if "does not exist" in str(error) or "not found" in str(error):
                return 0
            if not passes(kafka_error(error)) or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _grow(admin: AdminClient, topics: Topics, agent: str) -> None:
    listed = admin.list_topics(timeout=_TIMEOUT).topics
    source = topics.full(AGENTS[agent])
    if source not in listed:
        raise ConfigurationError(f"there is no topic {source}: name the prefix of yours with --prefix")
    wanted = len(listed[source].partitions)
    followers = [topics.full(f"{kind}.{agent}") for kind in _FOLLOWERS]
    short = [name for name in followers if name in listed and len(listed[name].partitions) < wanted]
    if short:
        answers = cast("dict[str, Future[None]]", admin.create_partitions([NewPartitions(n, wanted) for n in short]))
        for answer in answers.values():
            answer.result(_TIMEOUT)
        _await_partitions(admin, short, wanted)


def _await_partitions(admin: AdminClient, names: Sequence[str], wanted: int) -> None:
    deadline = time.monotonic() + _TIMEOUT
    while any(len(admin.list_topics(name, timeout=_TIMEOUT).topics[name].partitions) < wanted for name in names):
        if time.monotonic() > deadline:
            raise BrokerUnavailable(f"the broker does not show the new partitions of {', '.join(names)}; try again")
        time.sleep(0.1)


class _Resetter:
    def __init__(self, connection: KafkaConnection, topics: Topics, app: str, log: Log, begin: Beginning) -> None:
        self._connection, self._topics, self._app, self._log, self._begin = connection, topics, app, log, begin

    def lane(self, agent: str, partition: int) -> LaneReset:
        producer = LaneProducer(
            self._connection,
            f"{self._app}-{agent}-{partition}",
            timeout=_TRANSACTION_SECONDS,
            abandon=threading.Event(),
        )
        producer.fence()
        keys, applied = self._state(agent, partition)
        source = self._topics.full(AGENTS[agent])
        low, end = self._log.bounds(AGENTS[agent], partition)
        # The version goes on, so that no id of a decision is used twice.
        begun = Applied(end if self._begin is Beginning.END else low, applied.version + 1, applied.now)
        writes = self._writes(agent, partition, keys, begun)
        producer.commit(writes, [TopicPartition(source, partition, begun.next_offset)], self._nobody(), _unheard)
        return LaneReset(agent, partition, len(keys), applied.next_offset, begun.next_offset)

    def _state(self, agent: str, partition: int) -> tuple[set[bytes], Applied]:
        keys: set[bytes] = set()
        applied = Applied()
        low, end = self._log.bounds(f"state.{agent}", partition)
        for message in self._log.read(f"state.{agent}", partition, low, end):
            key = message.key or b""
            if key == APPLIED_KEY:
                applied = Applied.load(message.value or b"{}")
            elif message.value is None:
                keys.discard(key)
            else:
                keys.add(key)
        return keys, applied

    def _writes(self, agent: str, partition: int, keys: set[bytes], begun: Applied) -> list[Write]:
        state, checkpoint = self._topics.full(f"state.{agent}"), self._topics.full(f"checkpoint.{agent}")
        return [
            *(Write(state, partition, key, None, []) for key in sorted(keys)),
            Write(state, partition, APPLIED_KEY, begun.dump(), []),
            # An empty checkpoint: a proof begins here, because nothing before it leads to what comes after.
            Write(checkpoint, partition, APPLIED_KEY, CheckpointMark(begun, 0).dump(), []),
        ]

    def _nobody(self) -> Any:
        """Metadata of no member, which the broker accepts while the group is empty, and only then."""
        consumer = Consumer(self._connection.librdkafka({"group.id": self._app, "log_level": 2}))
        try:
            return consumer.consumer_group_metadata()
        finally:
            consumer.close()


def _unheard(_step: BatchStep) -> None:
    """Nobody asks how far a reset has come."""
