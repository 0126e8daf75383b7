"""Which way an adaptive concurrency limit goes; pure.

The first row that holds decides. L is the limit, b the baseline of the 90th percentile, q = ⌈L·(1 − b/p90)⌉ the queue
that Vegas estimates, α = 3·log₁₀ L and β = 6·log₁₀ L, never below 3 and 6:

==================================================================== =============================
more than a tenth dropped, or p90 > 0.8·deadline                      L·0.9, baseline frozen
q > β                                                                 down
full, and throughput falls as more are in flight                      down
full, throughput hardly follows (< 0.3) and p90 does (> 0.5)          down
full, throughput stands still (variation < 0.2) and p90 follows       down
q < α and 2·(most in flight) ≥ L                                      up; doubled in slow start
otherwise                                                             stands
==================================================================== =============================

The deadline stands above everything relative: a baseline that was always bad looks normal. Nor does the baseline learn
from a full window whose p90 follows the calls in flight, because that is a queue.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from math import ceil, isnan, log10
from statistics import median

from snowshed.consumers.brakes.correlation import Correlation

__all__ = ["Change", "LimitRule", "LimitSample"]

_MEDIANS = 5
_SMOOTHED = 5
_BASELINE = 10
_PAIRS = 50
_ENOUGH = 10
_NEAR = 1.25
_FOLLOWS = 0.5
_HARDLY = 0.3
_STANDS = 0.2


class Change(Enum):
    """The row of the table that held."""

    TOO_LATE = "too_late"
    QUEUE = "queue"
    THROUGHPUT_FALLS = "throughput_falls"
    THROUGHPUT_LAGS = "throughput_lags"
    THROUGHPUT_STANDS = "throughput_stands"
    ROOM = "room"
    HOLD = "hold"


_DOWN = frozenset({Change.QUEUE, Change.THROUGHPUT_FALLS, Change.THROUGHPUT_LAGS, Change.THROUGHPUT_STANDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSample:
    """What one window has shown."""

    rtt: float
    """90th percentile of the answered calls, in seconds; NaN when none was answered."""
    throughput: float
    """Calls answered per second."""
    in_flight: float
    """Mean calls in flight."""
    peak: int
    """Most calls in flight."""
    dropped: float
    """Share of the calls that were dropped."""
    is_full: bool
    """Whether the limit refused any."""
    deadline: float | None = None
    """Seconds within which answers are of use; None when nobody knows."""


class _Mean:
    """An exponentially weighted mean that begins as the plain mean."""

    __slots__ = ("_age", "_count", "value")

    def __init__(self, age: int) -> None:
        self._age = age
        self._count = 0
        self.value = 0.0

    def add(self, value: float) -> float:
        self._count += 1
        self.value += max(1 / self._count, 2 / (self._age + 1)) * (value - self.value)
        return self.value


class LimitRule:
    """The table, with the smoothed measurements that it needs."""

    __slots__ = ("_baseline", "_delays", "_recent", "_short", "_slow_start", "_throughputs", "last")

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_MEDIANS)
        self._short = _Mean(_SMOOTHED)
        self._baseline = _Mean(_BASELINE)
        self._throughputs = Correlation(_PAIRS)
        self._delays = Correlation(_PAIRS)
        self._slow_start = True
        self.last: Change | None = None
        """The row that held in the last window."""

    def next(self, limit: float, sample: LimitSample, *, frozen: bool) -> float:
        """The limit after a window; `frozen` keeps the baseline."""
        change = self._too_late(sample)
        if change is None:
            change = self._change(limit, sample, self._measure(sample, frozen=frozen))
        self.last = change
        return self._moved(limit, change)

    def _too_late(self, sample: LimitSample) -> Change | None:
        late = sample.deadline is not None and sample.rtt > 0.8 * sample.deadline
        return Change.TOO_LATE if late or sample.dropped > 0.1 or isnan(sample.rtt) else None

    def _measure(self, sample: LimitSample, *, frozen: bool) -> float:
        self._throughputs.add(sample.in_flight, sample.throughput)
        self._delays.add(sample.in_flight, sample.rtt)
        self._recent.append(sample.rtt)
        rtt = self._short.add(median(self._recent))
        if self._is_normal(sample, frozen=frozen):
            self._baseline.add(sample.rtt)
        return rtt

    def _is_normal(self, sample: LimitSample, *, frozen: bool) -> bool:
        if self._baseline.value == 0.0:
            return True
        queues = sample.is_full and sample.rtt > self._baseline.value and self._delays.coefficient > _FOLLOWS
        return not (frozen or queues)

    def _change(self, limit: float, sample: LimitSample, rtt: float) -> Change:
        queue = ceil(limit * (1.0 - self._baseline.value / rtt)) if rtt > 0 else 0
        scale = max(1.0, log10(limit))
        if queue >= 3 * scale:
            self._slow_start = False
        if queue > 6 * scale:
            return Change.QUEUE
        if sample.is_full and len(self._delays) >= _ENOUGH and (stuck := self._stuck()) is not None:
            return stuck
        room = queue < 3 * scale and 2 * sample.peak >= limit
        return Change.ROOM if room else Change.HOLD

    def _stuck(self) -> Change | None:
        throughput, delay = self._throughputs.coefficient, self._delays.coefficient
        if throughput < 0:
            return Change.THROUGHPUT_FALLS
        if delay <= _FOLLOWS:
            return None
        if throughput < _HARDLY:
            return Change.THROUGHPUT_LAGS
        return Change.THROUGHPUT_STANDS if self._throughputs.variation < _STANDS else None

    def _moved(self, limit: float, change: Change) -> float:
        step = max(1.0, log10(limit))
        if change is Change.ROOM:
            return limit * 2.0 if self._slow_start else limit + step
        if change is Change.HOLD:
            return limit
        self._slow_start = False
        lower = limit * 0.9 if change is Change.TOO_LATE else limit - step
        # What was seen far above the limit says nothing of the room below it.
        self._throughputs.forget_above(_NEAR * lower)
        self._delays.forget_above(_NEAR * lower)
        return lower
