"""What a caller and a service of the lab say to each other: one line of JSON a message; pure.

A request is `[number, operation, key, headers]`, a reply `[number, status, queued, retry_after, age]`. Headers are
those of `snowshed.schemas.propagation`, statuses those of HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from snowshed.schemas.errors import Rejected, SnowshedError

__all__ = ["OK", "CallFailed", "Reply", "Request", "raise_for_status"]

OK = 200
_REFUSED = (429, 503)


class CallFailed(SnowshedError):
    """A service answered that it or a service behind it has failed."""

    def __init__(self, callee: str, status: int) -> None:
        super().__init__(f"{callee} answered {status}: it or a service behind it has failed, as the scenario wants")
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request on a connection."""

    number: int
    """Tells the replies on a connection apart."""
    operation: str
    key: int = 0
    """What is asked for, where a service keeps things."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def encode(self) -> bytes:
        """The line that says it."""
        return orjson.dumps((self.number, self.operation, self.key, self.headers), option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def decode(cls, line: bytes) -> Request:
        """The request that a line says."""
        return cls(*orjson.loads(line))


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request."""

    number: int
    status: int = OK
    queued: float = 0.0
    """Seconds that the request waited before it was worked on."""
    retry_after: float = 0.0
    """Seconds after which a refused request may come again."""
    age: float = 0.0
    """Seconds by which what was read may be out of date."""

    def encode(self) -> bytes:
        """The line that says it."""
        values = (self.number, self.status, self.queued, self.retry_after, self.age)
        return orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def decode(cls, line: bytes) -> Reply:
        """The reply that a line says."""
        return cls(*orjson.loads(line))


def raise_for_status(reply: Reply, callee: str) -> Reply:
    """The reply itself when the call succeeded.

    Raises:
        Rejected: the callee refused it.
        CallFailed: the callee failed.
    """
    if reply.status == OK:
        return reply
    if reply.status in _REFUSED:
        raise Rejected(callee, f"it answered {reply.status}", retry_after=reply.retry_after)
    raise CallFailed(callee, reply.status)
