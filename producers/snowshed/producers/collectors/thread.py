"""Runs a collector in a thread of its own for as long as the agent lives, whatever happens to the watched system."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Self

from snowshed.producers._background import Background
from snowshed.producers._log import ForkSafeLog
from snowshed.producers.collectors.base import Clock, Collector, Reading
from snowshed.producers.collectors.schedule import Availability, next_due, retry_pause
from snowshed.schemas.errors import SnowshedError

__all__ = ["CollectorThread"]

_log = ForkSafeLog()

_CLOCK = Clock()


class CollectorThread:
    """Polls a collector on a steady grid and hands on what it reads.

    An outage is logged when it starts, when its kind changes and when it ends, and not in between.

    Args:
        collector: what to ask.
        report: takes each reading.
        clock: the collector's time.
    """

    def __init__(self, collector: Collector, report: Callable[[Reading], None], *, clock: Clock = _CLOCK) -> None:
        self._collector = collector
        self._report = report
        self._clock = clock
        self._due = clock.monotonic()
        self._availability = Availability()
        self._background = Background(f"snowshed-{collector.name}".replace(" ", "-"), self.step)

    def start(self) -> Self:
        """Poll from now on."""
        self._background.start()
        return self

    def stop(self, timeout: float) -> None:
        """End after the poll in progress, waiting at most `timeout` seconds for it."""
        self._background.stop(timeout)

    def step(self) -> float:
        """Poll once; returns the seconds until the next poll is due."""
        try:
            for reading in self._collector.collect(self._clock):
                self._report(reading)
        except Exception as error:  # noqa: BLE001 - a thread's boundary: one collector must not take the others down
            return self._after_failure(error)
        now = self._clock.monotonic()
        self._note(Availability(), now)
        self._due = next_due(self._due, self._collector.period, now)
        return self._due - now

    def _after_failure(self, error: Exception) -> float:
        now = self._clock.monotonic()
        after = self._availability.failed(error, now)
        expected = isinstance(error, SnowshedError)
        details = {} if expected else {"trace": "".join(traceback.format_exception(error))}
        pause = retry_pause(error, after.failures, self._collector.period)
        self._note(after, now, reason=str(error) if expected else repr(error), **details)
        self._due = now + pause
        return pause

    def _note(self, after: Availability, now: float, **details: str) -> None:
        before, self._availability = self._availability, after
        if not before.changed_to(after):
            return
        if after.error:
            _log.warning("collector_failing", collector=self._collector.name, kind=after.error, **details)
        else:
            outage = round(now - before.since, 3)
            _log.info("collector_recovered", collector=self._collector.name, failed_for=outage)
