"""A background thread's lock that no fork ever inherits while it is held."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType

__all__ = ["ForkGate"]

_LONGEST_WAIT = 1.0
_GATES: weakref.WeakSet[ForkGate] = weakref.WeakSet()


class ForkGate:
    """Held by a thread while it logs or calls foreign code, because a child would find those locks taken for ever.

    Args:
        in_child: a bound method called in every forked child, if any; its object is not kept alive.
    """

    def __init__(self, in_child: Callable[[], None] | None = None) -> None:
        self._in_child = weakref.WeakMethod(in_child) if in_child is not None else None
        self._lock = threading.Lock()
        self._forking = False
        _GATES.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()

    def before_fork(self) -> None:
        """Waits for the thread to let go; not for ever, as it may be the one that forks."""
        self._forking = self._lock.acquire(timeout=_LONGEST_WAIT)

    def after_in_parent(self) -> None:
        """Lets the thread go on."""
        if self._forking:
            self._forking = False
            self._lock.release()

    def after_in_child(self) -> None:
        """Starts over without the parent's threads."""
        self._lock = threading.Lock()
        self._forking = False
        in_child = self._in_child() if self._in_child is not None else None
        if in_child is not None:
            in_child()


def _each(method: Callable[[ForkGate], None]) -> Callable[[], None]:
    def call() -> None:
        for gate in list(_GATES):
            method(gate)

    return call


os.register_at_fork(
    before=_each(ForkGate.before_fork),
    after_in_parent=_each(ForkGate.after_in_parent),
    after_in_child=_each(ForkGate.after_in_child),
)
