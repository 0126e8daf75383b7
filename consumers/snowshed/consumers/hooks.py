"""Tells the host what has happened, by callables of its own that may fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from math import inf
from typing import Generic, TypeVar

import structlog

__all__ = ["Hook"]

_Event = TypeVar("_Event")

_SILENCE = 60.0
"""Seconds between two log lines about the same hook."""


class Hook(Generic[_Event]):
    """A callable of the host, told of events.

    What it raises is logged, at most once a minute, and goes no further: the call that the event is about ends as if
    nobody had listened. What happens inside of the callable itself, such as the refusal of a call that it makes, it is
    not told.

    Args:
        name: as the host knows it, for the log.
        scope: whose events they are, for the log.
        listener: the callable.
        clock: monotonic seconds.
    """

    __slots__ = ("_clock", "_failures", "_here", "_listener", "_name", "_scope", "_silent_until")

    def __init__(
        self, name: str, scope: str, listener: Callable[[_Event], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._scope = scope
        self._listener = listener
        self._clock = clock
        self._here = threading.local()
        self._failures = 0
        self._silent_until = -inf

    def __call__(self, event: _Event) -> None:
        """Tells an event."""
        here = self._here.__dict__
        if "telling" in here:
            return
        here["telling"] = True
        try:
            self._listener(event)
        except Exception as error:  # noqa: BLE001 - foreign code inside of a call that has nothing to do with it
            self._failed(error)
        finally:
            here.pop("telling", None)

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        now = self._clock()
        if now < self._silent_until:
            return
        self._silent_until = now + _SILENCE
        reason = {"error": type(error).__name__, "reason": str(error)}
        structlog.get_logger().warning(
            "hook_failed", hook=self._name, scope=self._scope, failures=self._failures, **reason
        )
