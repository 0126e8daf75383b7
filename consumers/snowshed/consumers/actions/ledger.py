"""Writes the states of actions: the only place where an executor's word becomes a fact.

All executors of an installation have one transactional id. Whoever takes over shuts out the one before, whose next
write fails, so that of two that run at once only one can say `running`, and what it has not said it has not begun.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from snowshed.consumers.outward.permission import check_permission
from snowshed.schemas.cloudevents import headers
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import BrokerUnavailable, SnowshedError
from snowshed.schemas.records import ActionState
from snowshed.schemas.topics import Topics

__all__ = ["PARTITION", "Ledger", "Overtaken"]

log = structlog.get_logger()

PARTITION = 0
"""The one partition that actions stand on, so that all budgets are kept by one executor."""
_TIMEOUT_MS = 10_000
_CALL = 5.0
_PATIENCE = 30.0
_FENCED = frozenset(
    {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED}  # noqa: SLF001 - librdkafka's public names
)


class Overtaken(SnowshedError):
    """Another executor has taken over; what was to be written does not stand."""


class Ledger:
    """The transactional writer of one executor.

    Args:
        connection: where Kafka is.
        topics: full topic names.
        codec: writes records.
    """

    def __init__(self, connection: KafkaConnection, topics: Topics, codec: Codec) -> None:
        self._topic, self._codec = topics.full("actions"), codec
        self._source = f"/{topics.prefix}/executor"
        self._settings = connection.librdkafka(
            {
                "transactional.id": f"{topics.prefix}-actions",
                "transaction.timeout.ms": _TIMEOUT_MS,
                "linger.ms": 0,
                "log_level": 3,
            }
        )
        self._producer: Producer | None = None

    @property
    def open(self) -> bool:
        """Whether this executor may write, as far as it knows."""
        return self._producer is not None

    def take_over(self) -> None:
        """Shut out every earlier executor and settle what it was writing.

        Raises:
            BrokerUnavailable: the broker does not answer.
            ConfigurationError: it denies a permission.
        """
        producer = Producer(self._settings)
        try:
            producer.init_transactions(_PATIENCE)
        except KafkaException as error:
            check_permission(error.args[0], "executor")
            raise BrokerUnavailable(f"actions cannot be taken over: {error.args[0].str()}; is Kafka there?") from error
        self._producer = producer

    def write(self, states: Iterable[ActionState]) -> None:
        """Write states, all of them or none.

        Raises:
            Overtaken: another executor has taken over.
            BrokerUnavailable: it could not be done; whether it stands is known after the next `take_over`.
            ConfigurationError: the broker denies a permission.
        """
        producer = self._producer
        if producer is None:
            raise Overtaken("this executor has not taken over, or has given up")
        try:
            producer.begin_transaction()
            for state in states:
                self._produce(producer, state)
            _commit(producer)
        except KafkaException as error:
            # Whatever went wrong, a new client takes over anew, and first learns what stands.
            self.resign()
            check_permission(error.args[0], "executor")
            raise _meaning(error) from error

    def resign(self) -> None:
        """Write no more."""
        self._producer = None

    def _produce(self, producer: Producer, state: ActionState) -> None:
        event_id = f"{state.action_id}-{state.seq}"
        about = headers(state, event_id=event_id, source=self._source, time=state.at, sequence=state.seq)
        producer.produce(self._topic, self._codec.encode(state), state.action_id, partition=PARTITION, headers=[*about])


def _commit(producer: Producer) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            producer.commit_transaction(_CALL)
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise
            log.warning("action_commit_repeated", reason=str(error))
        else:
            return


def _meaning(error: KafkaException) -> SnowshedError:
    reason = error.args[0]
    if reason.code() in _FENCED or reason.fatal():
        return Overtaken(f"another executor has taken over: {reason.str()}")
    return BrokerUnavailable(f"an action's state could not be written: {reason.str()}; it is looked at anew")
