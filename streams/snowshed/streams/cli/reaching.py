"""Asks a broker whether it is there, before a command waits for it in vain."""

from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

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
    try:
        return AdminClient({**connection.librdkafka({"log_level": 0}), "error_cb": _ignore}).list_topics(
            timeout=patience
        )
    except (KafkaException, ValueError, TypeError) as error:
        raise _explained(connection, error) from error


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


def _explained(connection: KafkaConnection, error: Exception) -> BrokerUnavailable | ConfigurationError:
    reason = error.args[0] if error.args else error
    if isinstance(error, KafkaException) and reason.retriable() or _is_transport(reason):
        return BrokerUnavailable(
            f"no Kafka broker answers at {connection.bootstrap}: start one with `snowshed up`, "
            "or give the address of yours with --bootstrap"
        )
    return ConfigurationError(f"Kafka's client refuses the connection's properties: {reason}")


def _is_transport(reason: object) -> bool:
    return "_TRANSPORT" in str(getattr(reason, "name", str)())


def _ignore(_error: object) -> None:
    """Swallow what librdkafka would print: `reach` reports it."""
