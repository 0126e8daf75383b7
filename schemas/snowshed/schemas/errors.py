"""The errors Snowshed raises, each saying whose fault it is and what to do next.

::

    SnowshedError
    ├── ConfigurationError      yours: a setting, policy or argument is wrong
    ├── BrokerUnavailable       the broker's: no Kafka can be reached or started
    ├── ServerUnavailable       a database's or another server's that was asked for
    ├── DecodeError             the sender's: bytes on a topic are not a record of ours
    │   ├── NotOurs             no Confluent frame in front
    │   ├── UnknownSchema       the schema id is in neither catalogue nor registry
    │   ├── Truncated           the payload ends inside a field
    │   └── SchemaMismatch      bytes are left over, or a value breaks the schema
    └── Rejected                nobody's: a Guard refused the call to protect the callee
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = [
    "BrokerUnavailable",
    "ConfigurationError",
    "DecodeError",
    "NotOurs",
    "Rejected",
    "SchemaMismatch",
    "ServerUnavailable",
    "SnowshedError",
    "Truncated",
    "UnknownSchema",
]


class SnowshedError(Exception):
    """Base of every error that Snowshed raises on purpose."""


class ConfigurationError(SnowshedError):
    """A setting, a policy or an argument is wrong; the message names it and the accepted form."""


class BrokerUnavailable(SnowshedError):
    """No Kafka broker can be reached or started; the message names the remedies."""


class ServerUnavailable(SnowshedError):
    """A database or another server that was asked for does not answer; the message names it."""


class DecodeError(SnowshedError):
    """Bytes on a topic are not a record of ours.

    Args:
        reason: what is wrong, in one sentence.
        topic: where the bytes lie; empty while the origin is unknown.
        partition: their partition, -1 while unknown.
        offset: their offset, -1 while unknown.
    """

    def __init__(self, reason: str, *, topic: str = "", partition: int = -1, offset: int = -1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.topic = topic
        self.partition = partition
        self.offset = offset

    def at(self, topic: str, partition: int, offset: int) -> DecodeError:
        """The same error, of the same class, naming the place the bytes were read from."""
        return type(self)(self.reason, topic=topic, partition=partition, offset=offset)

    def __str__(self) -> str:
        if not self.topic:
            return self.reason
        return f"{self.topic}[{self.partition}]@{self.offset}: {self.reason}"


class NotOurs(DecodeError):
    """The bytes do not start with a Confluent frame: another program writes to this topic."""


class UnknownSchema(DecodeError):
    """The frame names a schema that neither the embedded catalogue nor the registry knows."""


class Truncated(DecodeError):
    """The payload ends inside a field: the sender was cut off or the bytes were damaged."""


class SchemaMismatch(DecodeError):
    """The payload has bytes left over or a value that its schema forbids."""


class Rejected(SnowshedError):
    """A Guard refused a call so that the callee can recover; retry no sooner than `retry_after`.

    Args:
        scope: the service, edge or operation that is protected.
        reason: the brake that acted and why, for a log line.
        retry_after: seconds the caller should wait before it tries again.
        decision_id: the central decision behind it, empty when a local brake acted alone.
        retriable: False when no later try of the same call may be made: its budget or its attempts are spent.
    """

    def __init__(
        self, scope: str, reason: str, *, retry_after: float, decision_id: str = "", retriable: bool = True
    ) -> None:
        super().__init__(f"call to {scope} refused: {reason}; retry after {retry_after:.2f} s")
        self.scope = scope
        self.reason = reason
        self.retry_after = retry_after
        self.decision_id = decision_id
        self.retriable = retriable

    def __reduce__(self) -> tuple[Callable[..., Rejected], tuple[str, str]]:
        """How it is copied and sent between processes: by its arguments, not by its message."""
        options: dict[str, Any] = {
            "retry_after": self.retry_after,
            "decision_id": self.decision_id,
            "retriable": self.retriable,
        }
        return partial(type(self), **options), (self.scope, self.reason)
