"""Reads notices and actions as a member of a group, and commits what has been dealt with."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from snowshed.consumers.notify.desk import Source
from snowshed.consumers.notify.watermark import Place
from snowshed.consumers.outward.permission import check_permission
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.fetching import fetch
from snowshed.schemas.topics import Topics, partition_for

__all__ = ["NoticeReader"]

log = structlog.get_logger()

_WAIT = 0.1
_BATCH = 200


class NoticeReader:
    """One member of the group of notifiers; to be used by one thread.

    Args:
        connection: where Kafka is.
        topics: full topic names.
        group: the group's name.
        leaving: called with partitions that others read from now on, if possible while their offsets can be committed.

    Raises:
        ConfigurationError: a Kafka property is wrong.
    """

    def __init__(
        self, connection: KafkaConnection, topics: Topics, group: str, leaving: Callable[[frozenset[Place]], None]
    ) -> None:
        self._topics, self._leaving = topics, leaving
        self.owned: frozenset[Place] = frozenset()
        self.assigned_at = 0.0
        """Monotonic time of the last assignment: what was known before may be old."""
        self._count = 0
        settings: Mapping[str, Any] = {
            "group.id": group,
            "client.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "allow.auto.create.topics": False,
            "session.timeout.ms": 6_000,
            "log_level": 3,
        }
        try:
            self._consumer = Consumer(connection.librdkafka(settings))
        except (KafkaException, ValueError, TypeError) as error:
            raise ConfigurationError(f"Kafka refuses the connection's properties: {error}; correct them") from error
        self._consumer.subscribe(
            [topics.full("notices"), topics.full("actions")],
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )

    def poll(self) -> list[Source]:
        """The records that have arrived; waits a tenth of a second for the first.

        Raises:
            ConfigurationError: the broker denies a permission.
        """
        return [_source(message) for message in fetch(self._consumer, _BATCH, _WAIT) if self._is_record(message)]

    def owns_incident(self, incident_id: str) -> bool:
        """Whether the notices of an incident are ours to tell."""
        count = self._count = self._count or self._partitions()
        return count > 0 and (self._topics.full("notices"), partition_for(incident_id.encode(), count)) in self.owned

    def commit(self, offsets: Mapping[Place, int]) -> None:
        """Commit these offsets; one that fails is committed with the next."""
        mine = [TopicPartition(*place, offset) for place, offset in offsets.items() if place in self.owned]
        if not mine:
            return
        try:
            self._consumer.commit(offsets=mine, asynchronous=False)
        except KafkaException as error:
            log.warning("notices_not_committed", reason=str(error), consequence="they may be looked at once more")

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _partitions(self) -> int:
        name = self._topics.full("notices")
        try:
            return len(self._consumer.list_topics(name, timeout=5.0).topics[name].partitions)
        except KafkaException:
            return 0

    def _assigned(self, _consumer: object, partitions: list[TopicPartition]) -> None:
        self.owned |= _places(partitions)
        self.assigned_at = time.monotonic()
        self._count = 0
        log.info("notices_assigned", partitions=len(partitions))

    def _revoked(self, _consumer: object, partitions: list[TopicPartition]) -> None:
        gone = _places(partitions)
        self._leaving(gone)
        self.owned -= gone

    def _lost(self, _consumer: object, partitions: list[TopicPartition]) -> None:
        gone = _places(partitions)
        self.owned -= gone  # first, because others commit there already
        self._leaving(gone)

    def _is_record(self, message: Message) -> bool:
        if (error := message.error()) is not None:
            check_permission(error, "notifier")
            log.warning("notices_not_read", reason=str(error))
            return False
        return (message.topic() or "", message.partition() or 0) in self.owned


def _places(partitions: list[TopicPartition]) -> frozenset[Place]:
    return frozenset((place.topic, place.partition) for place in partitions)


def _source(message: Message) -> Source:
    place = (message.topic() or "", message.partition() or 0)
    return Source(place, message.offset() or 0, message.timestamp()[1] / 1000, message.key(), message.value())
