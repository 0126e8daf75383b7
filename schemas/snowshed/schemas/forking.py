"""What an `os.fork` must not hand on: locks that threads of the parent hold, and what only those threads would end."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

__all__ = ["ForkAware", "ForkGate", "survive_fork"]

_LONGEST_WAIT = 1.0


class ForkAware(Protocol):
    """Something that must forget its threads and locks in a forked child."""

    def after_fork(self) -> None:
        """Called in the child, before any of its own code runs."""
        ...


_SURVIVORS: weakref.WeakSet[ForkAware] = weakref.WeakSet()


def survive_fork(owner: ForkAware) -> None:
    """Have `owner.after_fork()` called in every forked child for as long as `owner` lives."""
    _SURVIVORS.add(owner)


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

    def reset(self) -> None:
        """Forgets, in the child, who held it."""
        self._lock = threading.Lock()
        self._forking = False

    def after_in_child(self) -> None:
        """Starts over without the parent's threads."""
        in_child = self._in_child() if self._in_child is not None else None
        if in_child is not None:
            in_child()


def _each(method: Callable[[ForkGate], None]) -> Callable[[], None]:
    def call() -> None:
        for gate in list(_GATES):
            method(gate)

    return call


def _after_in_child() -> None:
    # First what is passive, for what starts anew uses it.
    for gate in list(_GATES):
        gate.reset()
    for owner in list(_SURVIVORS):
        owner.after_fork()
    for gate in list(_GATES):
        gate.after_in_child()


os.register_at_fork(
    before=_each(ForkGate.before_fork),
    after_in_parent=_each(ForkGate.after_in_parent),
    after_in_child=_after_in_child,
)
