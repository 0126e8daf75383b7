"""No protection: a caller sends until it is answered or out of attempts, a service serves whatever comes."""

from __future__ import annotations

import asyncio
from random import Random

from snowshed.schemas.errors import Rejected
from snowshed.streams.lab.arrangements.kinds import Here, Send, Work
from snowshed.streams.lab.specs import Patience
from snowshed.streams.lab.wire import CallFailed, Reply, Request

__all__ = ["RETRIED", "Plain", "unprotected"]

RETRIED = (TimeoutError, ConnectionError, Rejected, CallFailed)
"""How an attempt may end that another one follows."""


class Plain:
    """An arrangement that only tries again."""

    def __init__(self, here: Here) -> None:
        self._random = Random(f"{here.service} tries again {here.seed}")  # noqa: S311 - reproducible, not secret

    def caller(self, callee: str) -> Plain:  # noqa: ARG002 - every callee is treated alike
        """Itself."""
        return self

    def server(self) -> Plain:
        """Itself."""
        return self

    async def call(self, operation: str, send: Send, patience: Patience) -> Reply:  # noqa: ARG002 - all alike
        """Send until it succeeds, or the attempts are used up."""
        number = 0
        while True:
            try:
                return await send(number, patience.timeout)
            except RETRIED:
                number += 1
                if number >= patience.attempts:
                    raise
            await asyncio.sleep(patience.pause(number, self._random.random()))

    async def serve(self, request: Request, work: Work) -> Reply:  # noqa: ARG002 - all alike
        """Serve it."""
        return await work()

    def hit(self, operation: str) -> None:
        """Nothing to count."""

    def close(self) -> None:
        """Nothing to let go of."""


def unprotected(here: Here) -> Plain:
    """The arrangement `off`."""
    return Plain(here)
