"""Stands between a caller and a service and loses some of what passes, as a network does in a partition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from snowshed.streams.lab.child import Child
from snowshed.streams.lab.link import Lines
from snowshed.streams.lab.specs import ProxySpec

__all__ = ["Carrier", "carry"]

_HOST = "127.0.0.1"


class Carrier:
    """Both directions of all connections of an edge; made in its event loop.

    Args:
        to: the service's port.
        draw: random numbers in [0, 1).
    """

    def __init__(self, to: int, draw: Callable[[], float]) -> None:
        self._to = to
        self._draw = draw
        self._drop = 0.0
        self._onward: dict[Lines, asyncio.Task[Lines]] = {}

    def obey(self, order: dict[str, Any]) -> None:
        """Lose this share of the messages from now on (`drop`)."""
        self._drop = order.get("drop", self._drop)

    def accept(self) -> Lines:
        """A connection from the caller; what was opened for it ends with it."""
        lines = Lines(self._forward, lambda: self._hang_up(lines))
        return lines

    def _hang_up(self, caller: Lines) -> None:
        onward = self._onward.pop(caller, None)
        if onward is not None:
            onward.add_done_callback(lambda connected: connected.result().close())

    def _forward(self, caller: Lines, line: bytes) -> None:
        if self._draw() < self._drop:
            return
        if caller not in self._onward:
            self._onward[caller] = asyncio.get_running_loop().create_task(self._connect(caller))
        self._onward[caller].add_done_callback(lambda connected: connected.result().say(line + b"\n"))

    async def _connect(self, caller: Lines) -> Lines:
        def back(_service: Lines, line: bytes) -> None:
            if self._draw() >= self._drop:
                caller.say(line + b"\n")

        _, lines = await asyncio.get_running_loop().create_connection(lambda: Lines(back), _HOST, self._to)
        return lines


async def carry(spec: ProxySpec, seed: int, child: Child) -> None:
    """Be this proxy until it is time to end."""
    random = Random(f"{spec.name} loses {seed}")  # noqa: S311 - reproducible, not secret
    carrier = Carrier(spec.to, random.random)
    server = await asyncio.get_running_loop().create_server(carrier.accept, _HOST, spec.port)
    child.take = carrier.obey
    child.tell(ready=spec.name)
    await child.ending.wait()
    server.close()
