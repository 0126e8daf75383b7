"""What librdkafka's errors mean for a lane, decided in one place.

::

    SnowshedError
    └── TransactionError
        ├── Aborted          the transaction was undone; the same batch may be tried again
        │   ├── Unwritable   this batch can never be written: an output is too large
        │   └── Disowned     the group does not know us in this role; the consumer will hear what follows
        ├── Abandoned        the lane had to close while the broker did not answer: this process must leave
        └── Fenced           another worker owns the transactional id: this process must leave
"""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from snowshed.schemas.errors import SnowshedError

__all__ = ["Abandoned", "Aborted", "Disowned", "Fenced", "TransactionError", "Unwritable", "classify", "kafka_error"]

_DISOWNED = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.FENCED_MEMBER_EPOCH,
    }
)
_INSIDE = frozenset({"produce", "send_offsets_to_transaction", "commit_transaction"})
_UNWRITABLE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE, KafkaError.RECORD_LIST_TOO_LARGE})


class TransactionError(SnowshedError):
    """A transaction did not commit."""


class Aborted(TransactionError):
    """The broker or the network undid the transaction; the batch is folded again from the same state."""


class Unwritable(Aborted):
    """An output of this batch exceeds the broker's size limit; the batch is narrowed down to the record behind it."""


class Disowned(Aborted):
    """The group has moved on: a rebalance runs or was missed; if the partition is lost, the consumer will hear."""


class Abandoned(TransactionError):
    """The broker did not answer before the lane had to close; a successor's fence settles the transaction."""


class Fenced(TransactionError):
    """A fatal error of the producer, most often fencing by a successor; only a new process may go on."""


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
    if error.fatal():
        return Fenced(text)
    if error.code() in _DISOWNED:
        return Disowned(text)
    if error.code() in _UNWRITABLE:
        return Unwritable(text)
    if error.txn_requires_abort():
        return Aborted(text)
    if error.retriable():
        return None
    return Aborted(text) if call in _INSIDE else Fenced(text)
