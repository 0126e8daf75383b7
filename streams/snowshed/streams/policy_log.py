"""Applies a policy through the log: in one transaction onto every partition of every input and onto its topic.

So each lane of either level changes its policy at one place of its input, which its journal has and a replay finds
again; all do or none. All who apply policies have the same transactional id: whoever begins shuts out an earlier one
and then looks at the newest revision, so of two that apply at once one comes second or is told so.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from confluent_kafka import KafkaError, KafkaException, Producer

from snowshed.schemas.cloudevents import POLICY_SOURCE, headers
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import BrokerUnavailable, DecodeError, SnowshedError
from snowshed.schemas.records import PolicyChange
from snowshed.schemas.topics import AGENTS, Topics
from snowshed.streams.replay.log import Log, open_log
from snowshed.streams.transactions.errors import kafka_error

__all__ = ["applied_policy", "apply_policy"]

_PATIENCE = 30.0
_TIMEOUT_MS = 10_000
_OVERTAKEN = frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED})  # noqa: SLF001 librdkafka's public names


def applied_policy(log: Log, codec: Codec) -> PolicyChange | None:
    """The newest change on the policies' topic, None where none was ever applied."""
    found: list[PolicyChange] = []
    for partition in log.partitions("policies"):
        for message in log.read("policies", partition, *log.bounds("policies", partition)):
            try:
                record = codec.decode(message.value)
            except DecodeError:
                continue  # of a later release, whose revision the fold will hold against ours
            if isinstance(record, PolicyChange):
                found.append(record)
    return max(found, key=lambda change: change.revision, default=None)


def apply_policy(connection: KafkaConnection, topics: Topics, change: PolicyChange, codec: Codec) -> PolicyChange:
    """Apply a policy; the change with the revision that it got, the next one after the newest.

    Args:
        connection: where the broker is.
        topics: full topic names.
        change: the policy; its revision does not count.
        codec: writes and reads records.

    Raises:
        BrokerUnavailable: the broker does not answer; where it fell silent at the very end the policy may be in force.
        SnowshedError: another one was applied meanwhile; nothing has changed.
    """
    producer = Producer(
        connection.librdkafka(
            {
                "transactional.id": f"{topics.prefix}-policy",
                "transaction.timeout.ms": _TIMEOUT_MS,
                "linger.ms": 0,
                "log_level": 2,
            }
        )
    )
    try:
        producer.init_transactions(_PATIENCE)
        with open_log(connection, topics) as log:
            newest = applied_policy(log, codec)
            change = replace(change, revision=newest.revision + 1 if newest is not None else 1)
            places = [(short, number) for short in AGENTS.values() for number in log.partitions(short)]
        _commit(producer, [(topics.full(short), number) for short, number in (*places, ("policies", 0))], change, codec)
    except KafkaException as error:
        raise _meaning(error) from error
    return change


def _commit(producer: Producer, places: Sequence[tuple[str, int]], change: PolicyChange, codec: Codec) -> None:
    producer.begin_transaction()
    try:
        for topic, partition in places:
            _write(producer, topic, partition, change, codec)
        producer.commit_transaction(_PATIENCE)
    except BaseException:
        # Whoever breaks off must not leave a transaction on the inputs behind which nobody reads on.
        with suppress(KafkaException):
            producer.abort_transaction(_PATIENCE)
        raise


def _write(producer: Producer, topic: str, partition: int, change: PolicyChange, codec: Codec) -> None:
    event_id = f"policy-{change.revision}-{change.fingerprint}"
    found = headers(change, event_id=event_id, source=POLICY_SOURCE, time=change.changed_at)
    producer.produce(topic, codec.encode(change), change.domain.encode(), partition, headers=[*found])


def _meaning(error: KafkaException) -> SnowshedError:
    reason = kafka_error(error)
    if reason.code() in _OVERTAKEN:
        return SnowshedError("another policy was applied meanwhile, and this one was not; look at what is in force now")
    return BrokerUnavailable(
        f"the broker did not confirm the policy ({reason.name()}: {reason.str()}); "
        "`snowshed policy show --applied` tells whether it is in force; if not, apply it again"
    )
