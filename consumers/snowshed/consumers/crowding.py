"""How threads wait that meet in a critical section of a few microseconds.

A thread that CPython's interpreter lock interrupts inside holds the section for milliseconds. Who waits for it at the
section's own lock is handed that lock at its release, but must then wait for the interpreter, while the others queue up
behind it: each entry costs two switches of threads from then on, as long as there is a crowd. Who sleeps instead finds
the section free again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["sleep_while"]

_NAP = 50e-6
"""Seconds; about the least that an operating system sleeps."""
_MOST = 20
"""Naps after which the lock is left to decide; a thread that meets itself, in a finaliser, waits no longer either."""


def sleep_while(occupied: Callable[[], bool]) -> None:
    """Sleeps until a critical section is seen to be free, for a few milliseconds at most."""
    for _ in range(_MOST):
        time.sleep(_NAP)
        if not occupied():
            return
