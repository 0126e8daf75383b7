"""How a call ended, and whose failure it was."""

from __future__ import annotations

import asyncio
from enum import Enum

from snowshed.schemas.errors import Rejected

__all__ = ["Outcome", "outcome_of"]


class Outcome(Enum):
    """How a call ended, as seen from the callee: its own failure, its dependencies' or nobody's."""

    OK = "ok"
    """Succeeded inside the deadline."""
    LOCAL = "local"
    """The callee itself failed or could not be reached."""
    DOWNSTREAM = "downstream"
    """The callee failed because something it depends on did."""
    REJECTED = "rejected"
    """Refused on purpose, to protect the callee."""
    TIMEOUT = "timeout"
    """No answer in time, or nobody waited for it any longer."""


def outcome_of(error: BaseException | None) -> Outcome:
    """The outcome of a call that raised `error`, or nothing."""
    if error is None:
        return Outcome.OK
    if isinstance(error, Rejected):
        return Outcome.REJECTED
    if isinstance(error, TimeoutError | asyncio.CancelledError):
        return Outcome.TIMEOUT
    return Outcome.LOCAL
