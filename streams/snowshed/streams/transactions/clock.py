"""The broker's clock as seen from a worker, so that a step of the worker's own wall clock changes no judgement."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BrokerClock"]


@dataclass(frozen=True, slots=True)
class BrokerClock:
    """Estimates broker time from append times and the worker's monotonic clock.

    The smallest `monotonic at receipt - append time` seen is the offset between the clocks plus the shortest delay on
    the way, so the estimate trails the broker by that delay and never runs ahead of it. It is kept over two windows
    of `WINDOW` seconds, so that drift is forgotten. Until a record has been seen, the wall clock stands in.
    """

    stand_in: float
    """Monotonic minus wall time when the lane opened."""
    current: float | None = None
    previous: float | None = None
    window_end: float = 0.0

    WINDOW = 300.0

    def observe(self, monotonic: float, append_time: float) -> BrokerClock:
        """Take note of a record appended at `append_time` (broker) and received at `monotonic` (worker)."""
        offset = monotonic - append_time
        if self.current is None or monotonic >= self.window_end:
            return BrokerClock(self.stand_in, offset, self.current, monotonic + self.WINDOW)
        if offset < self.current:
            return BrokerClock(self.stand_in, offset, self.previous, self.window_end)
        return self

    def now(self, monotonic: float) -> float:
        """Broker time at `monotonic`, seconds since the Unix epoch."""
        offsets = [offset for offset in (self.current, self.previous) if offset is not None]
        return monotonic - (min(offsets) if offsets else self.stand_in)
