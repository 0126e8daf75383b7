"""Lets objects that own threads live on in the child of an `os.fork`, where those threads no longer exist."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet

__all__ = ["ForkAware", "survive_fork"]


class ForkAware(Protocol):
    """Something that must forget its threads and locks in a forked child."""

    def after_fork(self) -> None:
        """Called in the child, before any of its own code runs."""
        ...


_SURVIVORS: WeakSet[ForkAware] = WeakSet()


def survive_fork(owner: ForkAware) -> None:
    """Have `owner.after_fork()` called in every forked child for as long as `owner` lives."""
    _SURVIVORS.add(owner)


def _after_fork() -> None:
    for owner in list(_SURVIVORS):
        owner.after_fork()


os.register_at_fork(after_in_child=_after_fork)
