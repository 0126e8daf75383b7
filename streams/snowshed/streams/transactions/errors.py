"""What librdkafka's errors mean for a lane, decided in one place.

::

    SnowshedError
    └── TransactionError
        ├── Aborted          the transaction was undone; the same batch may be tried again
        │   ├── Unwritable   this batch can never be written: an output is too large
        │   ├── Unjudged     nobody folded it: the agent was restarted or the event loop was held up
        │   └── Disowned     the group does not know us in this role; the consumer will hear what follows
        ├── Abandoned        the lane had to close while the broker did not answer: this process must leave
        ├── Fenced           another worker owns the transactional id: this process must leave
        ├── Hanging          the broker's: a transaction that it never ended cannot be ended by us
        ├── Forbidden        yours: the broker denies a permission; this process must leave
        └── Stuck            a fold, or Kafka's client, does not come back: this process must leave
"""

from __future__ import annotations

from typing import ClassVar

from confluent_kafka import KafkaError, KafkaException

from snowshed.schemas.errors import SnowshedError

__all__ = [
    "Abandoned",
    "Aborted",
    "Disowned",
    "Fenced",
    "Forbidden",
    "Hanging",
    "Stuck",
    "TransactionError",
    "Unjudged",
    "Unwritable",
    "classify",
    "forbids",
    "kafka_error",
    "passes",
]

_DISOWNED = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.FENCED_MEMBER_EPOCH,
    }
)
_FORBIDDEN = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
_PASSING = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 librdkafka's public names
        KafkaError._DESTROY_BROKER,  # noqa: SLF001 the connection to a broker that left the metadata
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    }
)
"""Trouble on the way to a broker that leads or coordinates, which the client's `retriable` does not always count in."""
_INSIDE = frozenset({"produce", "send_offsets_to_transaction", "commit_transaction"})
_UNWRITABLE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE, KafkaError.RECORD_LIST_TOO_LARGE})


class TransactionError(SnowshedError):
    """A transaction did not commit."""


class Aborted(TransactionError):
    """The broker or the network undid the transaction; the batch is folded again from the same state."""

    cause: ClassVar[str] = "broker"
    """Label of the abort in logs and metrics."""


class Unwritable(Aborted):
    """An output of this batch exceeds the broker's size limit; the batch is narrowed down to the record behind it."""

    cause = "output"


class Unjudged(Aborted):
    """No agent folded the batch in time; nothing is wrong with it."""

    cause = "judge"


class Disowned(Aborted):
    """The group has moved on: a rebalance runs or was missed; if the partition is lost, the consumer will hear."""

    cause = "membership"


class Abandoned(TransactionError):
    """The broker did not answer before the lane had to close; a successor's fence settles the transaction."""


class Fenced(TransactionError):
    """A fatal error of the producer, most often fencing by a successor; only a new process may go on."""


class Forbidden(TransactionError):
    """The broker denies this user something that a worker needs; grant it and start the worker again."""


class Hanging(TransactionError):
    """Records of an earlier transaction hang in the log and cannot be aborted; an operator must."""


class Stuck(TransactionError):
    """A fold does not judge its batches time after time, or Kafka's client hangs; a new process may do better."""


def kafka_error(error: KafkaException) -> KafkaError:
    """The broker's error inside the exception that the client raised."""
    inner = error.args[0]
    if isinstance(inner, KafkaError):
        return inner
    raise error


def classify(call: str, error: KafkaError) -> TransactionError | None:
    """What an error of `call` means, or None when the call itself should be repeated.

    Whatever goes wrong inside a transaction without being fatal is mended by aborting it: the client sometimes reports
    the consequence ("erroneous state") before the cause. Outside a transaction only a new process can help.
    """
    text = f"{call}: {error.name()}: {error.str()}"
    if forbids(error):
        return Forbidden(f"{text}: grant what docs/operations.md lists under Permissions")
    if error.fatal():
        return Fenced(f"{text}: another worker owns this partition now, or the transaction outlived its time-out")
    for codes, meaning in ((_DISOWNED, Disowned), (_UNWRITABLE, Unwritable)):
        if error.code() in codes:
            return meaning(text)
    if error.txn_requires_abort() or (call in _INSIDE and not error.retriable()):
        return Aborted(text)
    return None if error.retriable() else Fenced(text)


def forbids(error: KafkaError) -> bool:
    """Whether the broker denies a permission."""
    return error.code() in _FORBIDDEN


def passes(error: KafkaError) -> bool:
    """Whether asking the broker again may help."""
    return not error.fatal() and (bool(error.retriable()) or error.code() in _PASSING)
