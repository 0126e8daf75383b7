"""Creates the topics of the catalogue that a broker lacks, and checks those that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import BrokerUnavailable, ConfigurationError
from snowshed.schemas.topics import CATALOGUE, Topics

__all__ = ["TopicReport", "provision", "report"]

_TIMEOUT = 15.0


@dataclass(frozen=True, slots=True)
class TopicReport:
    """One topic of the catalogue as it stands on the broker."""

    short: str
    name: str
    partitions: int | None
    """Partitions on the broker; None when the topic is missing."""
    expected: int

    @property
    def missing(self) -> bool:
        """Whether the broker lacks the topic."""
        return self.partitions is None


def report(connection: KafkaConnection, topics: Topics) -> tuple[TopicReport, ...]:
    """Every topic of the catalogue beside what the broker has.

    Raises:
        BrokerUnavailable: no broker answered.
    """
    return _report(_admin(connection), connection, topics)


def provision(connection: KafkaConnection, topics: Topics) -> tuple[str, ...]:
    """Create what is missing; the names of the topics created.

    Several workers may do this at once.

    Raises:
        BrokerUnavailable: no broker answered.
        ConfigurationError: the broker refuses a topic, or an agent's topics differ in their partition counts.
    """
    admin = _admin(connection)
    found = _report(admin, connection, topics)
    _check_copartitioned(found)
    missing = [entry for entry in found if entry.missing]
    wanted = [
        NewTopic(
            entry.name,
            num_partitions=entry.expected,
            replication_factor=topics.replication,
            config=topics.config(entry.short),
        )
        for entry in missing
    ]
    if wanted:
        answers = cast("Mapping[str, Future[Any]]", admin.create_topics(wanted, request_timeout=_TIMEOUT))
        for name, answer in answers.items():
            _await_created(name, answer)
    return tuple(entry.name for entry in missing)


def _admin(connection: KafkaConnection) -> AdminClient:
    return AdminClient(connection.librdkafka({"log_level": 2}))


def _report(admin: AdminClient, connection: KafkaConnection, topics: Topics) -> tuple[TopicReport, ...]:
    try:
        existing = admin.list_topics(timeout=_TIMEOUT).topics
    except KafkaException as error:
        raise BrokerUnavailable(
            f"no Kafka broker answers at {connection.bootstrap} ({error.args[0].str()}): "
            "start one with `snowshed up`, or set SNOWSHED_BOOTSTRAP to the address of yours"
        ) from error
    return tuple(
        TopicReport(
            short=spec.name,
            name=(name := topics.full(spec.name)),
            partitions=len(existing[name].partitions) if name in existing else None,
            expected=topics.partitions(spec.name),
        )
        for spec in CATALOGUE
    )


def _await_created(name: str, answer: Future[Any]) -> None:
    try:
        answer.result()
    except KafkaException as error:
        reason = error.args[0]
        if reason.code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise ConfigurationError(
                f"topic {name} could not be created: {reason.str()}; create it by hand (`snowshed topics` prints the "
                "partitions and settings) or allow this user to create topics"
            ) from error


def _check_copartitioned(found: Sequence[TopicReport]) -> None:
    counts = {entry.short: entry.partitions for entry in found}
    for spec in CATALOGUE:
        source = spec.copartitioned_with
        have, need = counts[spec.name], counts[source] if source else None
        if have is not None and need is not None and have < need:
            raise ConfigurationError(
                f"topic {spec.name} has {have} partitions but its input {source} has {need}, so keys have moved away "
                "from their state: stop all workers, then run `snowshed reset`"
            )
