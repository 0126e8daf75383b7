"""Tells the parent each second of the run what was measured in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from snowshed.streams.lab.child import Child

__all__ = ["Reports"]


class Reports:
    """Reports once a second from the moment that the order `start` names, on the clock that all processes share.

    Args:
        child: this process.
        measured: what was measured since it was last asked.
    """

    def __init__(self, child: Child, measured: Callable[[], dict[str, Any]]) -> None:
        self._child = child
        self._measured = measured
        self._loop = asyncio.get_running_loop()
        self._start = 0.0
        self._next: asyncio.TimerHandle | None = None

    def obey(self, order: dict[str, Any]) -> None:
        """Begin when told to."""
        if "start" in order:
            self._start = order["start"]
            self._loop.call_at(self._start, self._measured)
            self._plan(0)

    def close(self) -> None:
        """Report no more."""
        if self._next is not None:
            self._next.cancel()

    def _plan(self, second: int) -> None:
        self._next = self._loop.call_at(self._start + second + 1, self._report, second)

    def _report(self, second: int) -> None:
        self._child.tell(second=second, **self._measured())
        self._plan(second + 1)
