"""Free loopback ports that stay free while a broker is down."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

from snowshed.schemas.errors import BrokerUnavailable

__all__ = ["LOOPBACK", "free_ports", "is_free"]

LOOPBACK = "127.0.0.1"

# Below the range that Linux gives to outgoing connections: a client that retries a broker which is down could otherwise
# be given the broker's own port as its source, connect to itself and keep the port from the broker.
_CANDIDATES = range(20_000, 32_768)


def free_ports(count: int) -> list[int]:
    """Distinct TCP ports that nothing listens on; another process may still take one before it is bound."""
    found: list[int] = []
    with ExitStack() as held:
        for port in random.sample(_CANDIDATES, k=len(_CANDIDATES)):
            if len(found) == count:
                return found
            each = held.enter_context(socket.socket())
            try:
                each.bind((LOOPBACK, port))
            except OSError:
                continue
            found.append(port)
    raise BrokerUnavailable(f"fewer than {count} of the loopback ports {_CANDIDATES[0]}–{_CANDIDATES[-1]} are free")


def is_free(port: int) -> bool:
    """Whether a server can bind the loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as servers do: closed connections do not hinder them
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
