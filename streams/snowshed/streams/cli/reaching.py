"""Asks a broker whether it is there, before a command waits for it in vain."""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import BrokerUnavailable, ConfigurationError
from snowshed.schemas.topics import Topics

__all__ = ["reach", "require_topics"]

_PATIENCE = 5.0


def reach(connection: KafkaConnection, *, patience: float = _PATIENCE) -> ClusterMetadata:
    """What the brokers say of themselves and their topics.

    Raises:
        BrokerUnavailable: none answered within `patience` seconds.
        ConfigurationError: a Kafka property is wrong.
    """
    settings: dict[str, Any] = {**connection.librdkafka({"log_level": 0}), "error_cb": _ignore}
    try:
        client = AdminClient(settings)
    except (KafkaException, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"Kafka's client refuses the connection's properties: {error}; correct them"
        ) from error
    try:
        return client.list_topics(timeout=patience)
    except KafkaException as error:
        raise BrokerUnavailable(
            f"no Kafka broker answers at {connection.bootstrap} ({error.args[0].str()}): start one with "
            "`snowshed up`, or give the address of yours with --bootstrap"
        ) from error


def require_topics(connection: KafkaConnection, topics: Topics, *shorts: str) -> None:
    """Check that topics exist, by their short names.

    Raises:
        BrokerUnavailable: no broker answered.
        ConfigurationError: a topic is missing.
    """
    existing = reach(connection).topics
    missing = [topics.full(short) for short in shorts if topics.full(short) not in existing]
    if missing:
        raise ConfigurationError(
            f"{connection.bootstrap} has no topic {', '.join(missing)}: create the topics with "
            "`snowshed topics --create`, or name their prefix with --prefix"
        )


def _ignore(_error: object) -> None:
    """Swallow what librdkafka would print: `reach` reports it."""
