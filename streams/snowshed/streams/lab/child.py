"""What the processes of the lab have in common: told by standard input, they tell by standard output, and end."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from threading import Thread
from typing import Any

import orjson

__all__ = ["Child", "Main", "run"]

_GRACE = 5.0
"""Seconds to end in order once the parent has ended or closed our input."""

Order = Callable[[dict[str, Any]], None]


def _unheard(_order: dict[str, Any]) -> None:
    """Until somebody takes orders."""


class Child:
    """This process, as its parent's child; made in its event loop."""

    def __init__(self) -> None:
        self.ending = asyncio.Event()
        """Set when it is time to end."""
        self.take: Order = _unheard
        """Is called in the event loop for each line that the parent writes."""
        self._loop = asyncio.get_running_loop()
        self._parent = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # what anybody else prints goes to the log
        # A thread, so that a process whose loop hangs ends too.
        Thread(target=self._listen, name="lab-orders", daemon=True).start()

    def tell(self, **message: object) -> None:
        """Write a line to the parent; without one there is nobody to go on for."""
        try:
            self._parent.write(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS))
            self._parent.flush()
        except BrokenPipeError:
            os._exit(1)

    def _listen(self) -> None:
        for line in sys.stdin.buffer:
            self._loop.call_soon_threadsafe(self._obey, orjson.loads(line))
        self._loop.call_soon_threadsafe(self.ending.set)
        time.sleep(_GRACE)
        os._exit(1)

    def _obey(self, order: dict[str, Any]) -> None:
        self.take(order)


Main = Callable[[Child], Coroutine[Any, Any, None]]
"""What a process does from its start to its end."""


def run(main: Main) -> None:
    """Run a process of the lab to its end."""

    async def as_child() -> None:
        await main(Child())

    with asyncio.Runner(loop_factory=_event_loop) as runner:
        runner.run(as_child())


def _event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
