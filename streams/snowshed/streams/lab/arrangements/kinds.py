"""What an arrangement is: something around each call that is made, and something around each request that is served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from snowshed.streams.lab.specs import Patience
from snowshed.streams.lab.wire import Reply, Request

__all__ = ["Arrangement", "Caller", "Factory", "Here", "Send", "Server", "Work"]


class Send(Protocol):
    """Makes one attempt of a call."""

    async def __call__(self, number: int, within: float) -> Reply:
        """Send attempt `number`, 0 for the first, and wait `within` seconds for its answer.

        Raises:
            TimeoutError: there was no answer in time.
            ConnectionError: the callee cannot be reached.
            Rejected: the callee refused the request.
            CallFailed: the callee failed.
        """
        ...


Work = Callable[[], Awaitable[Reply]]
"""Waits for a slot, works on a request and makes the calls that it needs."""


class Caller(Protocol):
    """Stands around the calls to one service."""

    async def call(self, operation: str, send: Send, patience: Patience) -> Reply:
        """Make a call with as many attempts as it takes and patience allows.

        Raises:
            TimeoutError, ConnectionError, CallFailed: the last attempt ended so.
            Rejected: the callee or the arrangement itself refused it.
        """
        ...

    def hit(self, operation: str) -> None:
        """A cache answered in the callee's place."""
        ...


class Server(Protocol):
    """Stands around the requests that a service serves; their propagated context is the current one."""

    async def serve(self, request: Request, work: Work) -> Reply:
        """Let a request be worked on, or answer it otherwise; what it raises becomes the answer's status."""
        ...


class Arrangement(Protocol):
    """The protection of one process."""

    def caller(self, callee: str) -> Caller:
        """What stands around the calls to a service; asked for once a service."""
        ...

    def server(self) -> Server:
        """What stands around the requests served here; asked for once."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The process that is to be protected."""

    service: str
    slots: int
    """Requests that it works on at once; 0 where it serves none."""
    bootstrap: str
    """Kafka; empty where there is none."""
    prefix: str
    seed: int


Factory = Callable[[Here], Arrangement]
"""Makes the arrangement of a process, in its event loop."""
