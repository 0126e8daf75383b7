"""What an HTTP status says about the load of the server that sent it."""

from __future__ import annotations

from snowshed.consumers.permit import Permit

__all__ = ["settle"]

_OVERLOADED = frozenset({429, 503, 504})


def settle(permit: Permit, status: int) -> None:
    """Ends a permit by a status: refusals and time-outs are dropped, other server errors say nothing of load."""
    if status in _OVERLOADED:
        permit.dropped()
    elif status >= 500:
        permit.ignored()
    else:
        permit.succeeded()
