"""Asks a collector of statements on a clock of its own."""

from __future__ import annotations

import time

from snowshed.producers.collectors import CallTimings, Clock, Collector

__all__ = ["StatementPoller"]


class StatementPoller:
    """Polls the statements of a database with a clock that goes on by as much as it is told."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._now = 0.0

    def poll(self, seconds: float = 1.0) -> dict[tuple[str, str], int]:
        """Calls by caller and statement, or operation where statements are summed."""
        self._now += seconds
        calls: dict[tuple[str, str], int] = {}
        for reading in self._collector.collect(Clock(time.time, lambda: self._now)):
            assert isinstance(reading, CallTimings)
            assert reading.window == seconds
            for call in reading.calls:
                key = (call.caller, call.statement or call.operation)
                calls[key] = calls.get(key, 0) + sum(count for _, count in call.latencies)
        return calls
