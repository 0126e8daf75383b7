"""What an HTTP status says about the load of the server that sent it."""

from __future__ import annotations

from snowshed.consumers.permit import Permit

__all__ = ["settle"]

_REFUSED = frozenset({429, 503})
_TIMED_OUT = 504


def settle(permit: Permit, status: int) -> None:
    """Ends a permit by a status: refusals and time-outs are dropped, other server errors say nothing of load."""
    if status in _REFUSED:
        permit.refused()
    elif status == _TIMED_OUT:
        permit.dropped()
    elif status >= 500:
        permit.failed()
    else:
        permit.succeeded()
