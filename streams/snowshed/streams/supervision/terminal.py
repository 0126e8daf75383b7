"""Whether somebody sits at the terminal that a process was started from."""

from __future__ import annotations

import os

__all__ = ["is_there"]


def is_there() -> bool:
    """Whether this process has a controlling terminal that has not hung up."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
