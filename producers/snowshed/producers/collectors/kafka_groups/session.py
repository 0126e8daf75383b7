"""Asks a Kafka cluster about consumer groups; the only module here that opens a connection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
    admin,
)

from snowshed.producers.collectors.base import Clock
from snowshed.producers.collectors.kafka_groups.look import GroupLook, PartitionLook
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable

__all__ = ["GroupSession"]

_TIMEOUT = 3.0
_ADMIN: Any = admin
"""Not annotated throughout."""
_DENIED = frozenset(
    {
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)


class GroupSession:
    """One administrative client, connecting when there is a need.

    Args:
        connection: the cluster.
        timeout: seconds an answer may take.
    """

    def __init__(self, connection: KafkaConnection, *, timeout: float = _TIMEOUT) -> None:
        self._connection = connection
        self._timeout = timeout
        self._client: Any = None

    def look(self, group: str, topics: Sequence[str], clock: Clock) -> GroupLook:
        """What the group has committed on the topics, and where they end.

        Commits are asked for first, so that none is ahead of its end and a group never looks fresher than it is.

        Raises:
            ServerUnavailable: the cluster does not answer in time.
            ConfigurationError: a topic does not exist, or the connection may not ask; the message says what to grant.
        """
        try:
            return self._look(group, topics, clock)
        except KafkaException as error:
            raise self._explained(group, error.args[0]) from None

    def close(self) -> None:
        """Give up the connection; the next look makes another."""
        self._client = None

    def _look(self, group: str, topics: Sequence[str], clock: Clock) -> GroupLook:
        places = [place for topic in topics for place in self._partitions(topic)]
        asked = clock.wall()
        owned = self._owned(group)
        committed = self._committed(group, places)
        ends_asked = clock.wall()
        ends = self._ends(places)
        answered = clock.wall()
        partitions = tuple(
            PartitionLook(
                topic=topic,
                partition=number,
                committed=committed.get((topic, number)),
                end=ends[topic, number],
                owned=(topic, number) in owned,
            )
            for topic, number in places
        )
        return GroupLook(group=group, asked=asked, ends_asked=ends_asked, answered=answered, partitions=partitions)

    def _admin(self) -> Any:
        if self._client is None:
            # Refused connections are told by each call's own error; the client would log them on standard error.
            settings = {"log_level": 0, "error_cb": _ignore}
            self._client = _ADMIN.AdminClient({**self._connection.librdkafka(), **settings})
        return self._client

    def _partitions(self, topic: str) -> Iterable[tuple[str, int]]:
        found = self._admin().list_topics(topic, timeout=self._timeout).topics[topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return [(topic, number) for number in sorted(found.partitions)]

    def _owned(self, group: str) -> set[tuple[str, int]]:
        futures = self._admin().describe_consumer_groups([group], request_timeout=self._timeout)
        try:
            described = futures[group].result(self._timeout)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return set()
            raise
        return {
            (place.topic, place.partition)
            for member in described.members
            if member.assignment is not None
            for place in member.assignment.topic_partitions
        }

    def _committed(self, group: str, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        request = ConsumerGroupTopicPartitions(group, [TopicPartition(*place) for place in places])
        futures = self._admin().list_consumer_group_offsets([request], request_timeout=self._timeout)
        try:
            answer = futures[group].result(self._timeout)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return {}
            raise
        return {(part.topic, part.partition): part.offset for part in answer.topic_partitions if part.offset >= 0}

    def _ends(self, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        specs = {TopicPartition(*place): _ADMIN.OffsetSpec.latest() for place in places}
        futures = self._admin().list_offsets(
            specs, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=self._timeout
        )
        return {(part.topic, part.partition): future.result(self._timeout).offset for part, future in futures.items()}

    def _explained(self, group: str, error: KafkaError) -> Exception:
        where, said = f"group {group} at {self._connection.bootstrap}", f"{error.name()} {error.str()}"
        if error.code() in _DENIED:
            return ConfigurationError(
                f"{where}: {said}. Grant DESCRIBE on the group and on its topics to the agent's user"
            )
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return ConfigurationError(f"{where}: {said}. Create the topic or watch another")
        return ServerUnavailable(f"{where}: {said}")


def _ignore(_: KafkaError) -> None:
    """Nothing to do: the call that failed says so."""
