"""What a response's status says about the service that sent it."""

from __future__ import annotations

from snowshed.producers.outcome import Outcome

__all__ = ["outcome_of_status"]

_CODES = {
    408: Outcome.TIMEOUT,
    429: Outcome.REJECTED,
    499: Outcome.TIMEOUT,  # nginx: the client went away
    502: Outcome.DOWNSTREAM,
    503: Outcome.REJECTED,
    504: Outcome.DOWNSTREAM,
}


def outcome_of_status(status: int, *, downstream: bool = False) -> Outcome:
    """How the call ended; other client errors are answers, thus OK.

    Args:
        status: the HTTP status.
        downstream: something the service depends on is known to have failed during the request.
    """
    known = _CODES.get(status)
    if known is not None:
        return known
    if status < 500:
        return Outcome.OK
    return Outcome.DOWNSTREAM if downstream else Outcome.LOCAL
