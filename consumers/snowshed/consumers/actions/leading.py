"""Which of several executors acts: the one that has the actions' partition in their consumer group."""

from __future__ import annotations

import time
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from snowshed.consumers.actions.ledger import PARTITION
from snowshed.consumers.actions.trust import Trust
from snowshed.consumers.outward.permission import check_permission
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.fetching import poll
from snowshed.schemas.topics import Topics

__all__ = ["Leadership"]

log = structlog.get_logger()


class Leadership:
    """Membership of the executors' group; nothing is read by it. To be used by one thread.

    Args:
        connection: where Kafka is.
        topics: full topic names.

    Raises:
        ConfigurationError: a Kafka property is wrong.
    """

    def __init__(self, connection: KafkaConnection, topics: Topics) -> None:
        self._owns = False
        self.settled = False
        """Whether the group has said at least once who acts."""
        self._trust = Trust()
        group = f"{topics.prefix}.actions"
        settings: dict[str, Any] = {
            "group.id": group,
            "client.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
            "allow.auto.create.topics": False,
            # Who acts goes on acting when another joins: a hand-over in the middle of an action would cost its result.
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": 6_000,
            "log_level": 3,
        }
        try:
            self._consumer = Consumer(connection.librdkafka(settings))
        except (KafkaException, ValueError, TypeError) as error:
            raise ConfigurationError(f"Kafka refuses the connection's properties: {error}; correct them") from error
        self._consumer.subscribe(
            [topics.full("actions")], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )

    @property
    def leads(self) -> bool:
        """Whether this executor acts, as far as it knows: who was cut off learns of it late."""
        return self._owns and self._trust.holds(time.monotonic())

    def doubt(self) -> None:
        """Another seems to act: wait until the group has said who does."""
        self._trust.shake(time.monotonic())

    def poll(self, seconds: float) -> None:
        """Stay in the group and hear of changes; waits no longer than this.

        Raises:
            ConfigurationError: the broker denies a permission.
        """
        self._trust.look(time.monotonic())
        message = poll(self._consumer, seconds)
        if message is not None and (error := message.error()) is not None:
            check_permission(error, "executor")
            log.warning("actions_group", reason=str(error))

    def close(self) -> None:
        """Leave the group, so that another acts at once."""
        self._owns = False
        self._consumer.close()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        consumer.pause(partitions)
        self._owns, self.settled = self._owns or _decisive(partitions), True
        log.info("executor_leads" if self._owns else "executor_stands_by")

    def _revoked(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._owns = self._owns and not _decisive(partitions)


def _decisive(partitions: list[TopicPartition]) -> bool:
    return any(place.partition == PARTITION for place in partitions)
