"""Where a service reads a replicated dataset: from the replica, unless its arrangement knows better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from snowshed.streams.lab.arrangements import Arrangement
from snowshed.streams.lab.specs import Downstream

__all__ = ["chooser"]


@runtime_checkable
class Routing(Protocol):
    """An arrangement that chooses the server to read from."""

    def choose(self, dataset: str, primary: str, replica: str) -> Callable[[], str] | None:
        """What names the server for each read; None where it does not choose."""
        ...


def chooser(protection: Arrangement, call: Downstream) -> Callable[[], str]:
    """What names the callee of each of these calls."""
    replica = call.replica
    if not replica:
        return lambda: call.callee
    routed = protection.choose(call.dataset, call.callee, replica) if isinstance(protection, Routing) else None
    return routed or (lambda: replica)
