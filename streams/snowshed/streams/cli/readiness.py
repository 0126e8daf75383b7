"""How a command tells whoever started it that it does its work: systemd's `sd_notify`, so its units can wait too."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

__all__ = ["READY_VARIABLE", "Readiness", "tell_ready"]

READY_VARIABLE = "NOTIFY_SOCKET"
_READY = b"READY=1"
_LARGEST = 4096


def tell_ready() -> None:
    """Say that this process is ready; says nothing where nobody asked, or nobody listens any more."""
    address = os.environ.get(READY_VARIABLE, "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outlet, suppress(OSError):
        outlet.sendto(_READY, f"\0{address[1:]}" if address.startswith("@") else address)


class Readiness:
    """Hears one process say that it is ready, on a socket without a file, whose address the kernel chooses."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind("")

    @property
    def address(self) -> str:
        """What the process must have as `NOTIFY_SOCKET`."""
        name: bytes = self._socket.getsockname()
        return f"@{name[1:].decode()}"

    def heard(self) -> bool:
        """Whether it has said so since this was last asked."""
        found = False
        with suppress(BlockingIOError):
            while True:
                found = _READY in self._socket.recv(_LARGEST).splitlines() or found
        return found

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()
