"""A process's calls to one service: the link, the propagated context and whatever protection stands around."""

from __future__ import annotations

import time
from dataclasses import replace

from snowshed.schemas.propagation import call_context, emit
from snowshed.streams.lab.arrangements import Arrangement
from snowshed.streams.lab.link import Link
from snowshed.streams.lab.specs import Patience
from snowshed.streams.lab.wire import Reply

__all__ = ["Calls"]


class Calls:
    """Makes calls to one service on behalf of the request being served.

    Args:
        caller: this process's service.
        callee: the service called.
        port: its loopback port.
        protection: what stands around the calls.
    """

    def __init__(self, caller: str, callee: str, port: int, protection: Arrangement) -> None:
        self._service = caller
        self.port = port
        """Where the service listens."""
        self._link = Link(callee, port)
        self._protected = protection.caller(callee)
        self._sent = 0

    async def call(self, operation: str, key: int, patience: Patience) -> Reply:
        """Make one call, with as many attempts as the protection allows.

        Raises:
            TimeoutError, ConnectionError, Rejected, CallFailed: how the last attempt ended.
        """

        async def send(number: int, within: float) -> Reply:
            self._sent += 1
            now, context = time.monotonic(), call_context()
            until = now + within if context.deadline is None else min(now + within, context.deadline)
            sent = replace(context, attempt=context.attempt + number, deadline=until)
            return await self._link.call(operation, key, emit(sent, caller=self._service, now=now), within)

        return await self._protected.call(operation, send, patience)

    def sent(self) -> int:
        """Attempts sent since this was last asked."""
        sent, self._sent = self._sent, 0
        return sent

    def hit(self, operation: str) -> None:
        """Count a request that a cache answered in the callee's place."""
        self._protected.hit(operation)

    def close(self) -> None:
        """End the connection."""
        self._link.close()
