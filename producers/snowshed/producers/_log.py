"""A log that may be written to from any thread of a program that forks."""

from __future__ import annotations

import structlog

from snowshed.schemas.forking import ForkGate

__all__ = ["ForkSafeLog"]

_GATE = ForkGate()


class ForkSafeLog:
    """structlog, with no line half written at the moment of a fork.

    structlog's default output holds a lock for each line. A child forked while a background thread holds it would find
    it taken for ever and hang at its first own line.
    """

    def __init__(self) -> None:
        self._log = structlog.get_logger()

    def debug(self, event: str, **fields: object) -> None:
        """Log at level debug."""
        with _GATE:
            self._log.debug(event, **fields)

    def info(self, event: str, **fields: object) -> None:
        """Log at level info."""
        with _GATE:
            self._log.info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log at level warning."""
        with _GATE:
            self._log.warning(event, **fields)

    def error(self, event: str, **fields: object) -> None:
        """Log at level error."""
        with _GATE:
            self._log.error(event, **fields)
