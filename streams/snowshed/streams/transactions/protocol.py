"""Which group protocol detects a dead worker sooner on this broker, and how soon."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from snowshed.schemas.connection import KafkaConnection, Property
from snowshed.schemas.errors import BrokerUnavailable
from snowshed.streams.transactions.errors import kafka_error, passes

__all__ = ["GroupSettings", "Protocol", "choose", "read_broker_limits"]

log = structlog.get_logger()

Protocol = Literal["classic", "consumer"]

_CONSUMER_SESSION = "group.consumer.session.timeout.ms"
_CLASSIC_MINIMUM = "group.min.session.timeout.ms"
_HEARTBEATS_A_SESSION = 6
_LONGEST_HEARTBEAT = 0.3
"""A member learns at its next heartbeat that another has left, so this bounds how long a hand-over waits."""
_DEFAULT_CLASSIC_MINIMUM = 6.0
_CALL_SECONDS = 10.0
_SHORTEST_SESSION = 3.0
"""A shorter session would take a worker's pause on a busy machine for its death."""


@dataclass(frozen=True, slots=True)
class GroupSettings:
    """How a worker joins its consumer group."""

    group: str
    protocol: Protocol
    session: float
    """Seconds without a sign of life after which the group gives a worker's partitions away."""

    def librdkafka(self) -> dict[str, Property]:
        """The settings as librdkafka's properties."""
        if self.protocol == "consumer":
            return {"group.id": self.group, "group.protocol": "consumer"}
        return {
            "group.id": self.group,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": int(self.session * 1000),
            "heartbeat.interval.ms": round(1000 * min(_LONGEST_HEARTBEAT, self.session / _HEARTBEATS_A_SESSION)),
        }


def choose(
    group: str,
    broker: Mapping[str, str],
    *,
    protocol: Protocol | Literal["auto"] = "auto",
    session: float | None = None,
) -> GroupSettings:
    """Choose the protocol whose session is shorter on this broker, `consumer` on a tie.

    Under KIP-848 (`consumer`) the session is the broker's; under `classic` it is ours down to the broker's minimum.

    Args:
        group: the group id.
        broker: the broker's configuration, as far as it is known.
        protocol: forces one.
        session: seconds wished for under `classic`; when None, 3 s or the broker's minimum, whichever is longer.
    """
    minimum = _seconds(broker.get(_CLASSIC_MINIMUM), _DEFAULT_CLASSIC_MINIMUM)
    classic = GroupSettings(group, "classic", max(minimum, session or _SHORTEST_SESSION))
    if _CONSUMER_SESSION not in broker and protocol != "consumer":
        return classic
    consumer = GroupSettings(group, "consumer", _seconds(broker.get(_CONSUMER_SESSION), 45.0))
    if protocol == "auto":
        return consumer if consumer.session <= classic.session else classic
    return consumer if protocol == "consumer" else classic


def read_broker_limits(connection: KafkaConnection, patience: float = 60.0) -> Mapping[str, str]:
    """The group settings of one of the brokers; empty, with a log line, when we may not read them.

    Raises:
        BrokerUnavailable: no broker answered; choosing without an answer could split a group between two protocols.
    """
    admin = AdminClient(connection.librdkafka({"log_level": 3}))
    deadline = time.monotonic() + patience
    while True:
        try:
            broker = min(admin.list_topics(timeout=_CALL_SECONDS).brokers)
            entries = _described(admin, ConfigResource(ResourceType.BROKER, str(broker)))
        except KafkaException as error:
            if not passes(kafka_error(error)):
                log.warning(
                    "broker_settings_unreadable", reason=str(error), consequence="classic protocol, 6 s session"
                )
                return {}
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"no broker at {connection.bootstrap} tells its settings ({error}): see that it runs, then start "
                    "the worker again, or set SNOWSHED_GROUP_PROTOCOL"
                ) from error
            log.warning("broker_settings_awaited", reason=str(error))
        else:
            return {name: entry.value for name, entry in entries.items() if entry.value is not None}


def _described(admin: AdminClient, resource: ConfigResource) -> dict[str, ConfigEntry]:
    # The client's annotations leave the future's result open.
    answers = cast("dict[ConfigResource, Any]", admin.describe_configs([resource], request_timeout=_CALL_SECONDS))
    return cast("dict[str, ConfigEntry]", answers[resource].result())


def _seconds(milliseconds: str | None, default: float) -> float:
    return int(milliseconds) / 1000 if milliseconds else default
