"""When a collector asks next, and when its failures are worth a log line."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.schemas.errors import ConfigurationError

__all__ = ["Availability", "next_due", "retry_pause"]

_FIRST_RETRY = 0.5
_LONGEST_RETRY = 5.0
_AFTER_MISCONFIGURATION = 30.0
"""A person reads the message, types the remedy, and should not have to restart the agent for it."""


def next_due(due: float, period: float, now: float) -> float:
    """The next point of the grid `due + n·period` after `now`: polls that were missed are not made up for."""
    if now < due + period:
        return due + period
    return due + period * ((now - due) // period + 1)


def retry_pause(error: Exception, failures: int, period: float) -> float:
    """Seconds to wait after the `failures`-th failure in a row: doubling, then constant."""
    if isinstance(error, ConfigurationError):
        return max(period, _AFTER_MISCONFIGURATION)
    return max(period, min(_FIRST_RETRY * 2.0 ** min(failures - 1, 10), _LONGEST_RETRY))


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a collector works, since when not, and what stopped it."""

    error: str = ""
    """Class of the error that stopped it; empty while it works."""
    since: float = 0.0
    failures: int = 0

    def failed(self, error: Exception, now: float) -> Availability:
        """After one more failure at `now`."""
        return Availability(type(error).__name__, self.since if self.error else now, self.failures + 1)

    def changed_to(self, after: Availability) -> bool:
        """Whether `after` is news: it works again, it stopped, or it is stopped by something else."""
        return self.error != after.error
