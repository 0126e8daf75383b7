"""The concurrency brake: as many calls in flight as the callee serves without a queue; pure.

The limit moves once a window by the table in `limit_rule`, in steps of log₁₀ of itself, and doubles
until the first sign of a queue.

L. Brakmo, L. Peterson: TCP Vegas: end to end congestion avoidance on a global Internet. IEEE JSAC 13(8), 1995.
"""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.consumers.brakes.bounds import check
from snowshed.consumers.brakes.limit_rule import Change, LimitRule, LimitSample
from snowshed.consumers.brakes.sampling import SampledSketch
from snowshed.schemas.propagation import Criticality

__all__ = ["ConcurrencyLimit", "ConcurrencyLimitOptions"]

_CREDIT = 0.25
"""Share of the limit by which a class may exceed it for each class below that calls too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencyLimitOptions:
    """Where the limit may lie, and how fast it learns."""

    smallest: int = 1
    """Calls in flight."""
    start: int = 20
    """Calls in flight."""
    largest: int = 200
    """Calls in flight."""
    window: float = 1.0
    """Seconds a sample takes at least …"""
    longest_window: float = 30.0
    """… and at most."""
    fewest: int = 50
    """Calls a sample needs before the longest window is over."""
    deadline: float | None = None
    """Seconds within which an answer is of use; None: the mean deadline of the calls, if they have any."""

    def __post_init__(self) -> None:
        check(self, low=1, smallest=self.smallest, fewest=self.fewest)
        check(self, low=self.smallest, high=self.largest, start=self.start)
        check(self, above=True, window=self.window, deadline=self.deadline)
        check(self, low=self.window, longest_window=self.longest_window)


class ConcurrencyLimit:
    """An adaptive limit of the calls in flight.

    Quick failures are not to be reported as successes: they would look like low latency. A window in which more than a
    tenth is dropped counts as one that came too late.

    Args:
        options: bounds and windows.
        now: the present, in seconds of the same clock as every later `now`.
    """

    __slots__ = (
        "_began_at",
        "_begun",
        "_deadlines",
        "_dropped",
        "_flights",
        "_lowest",
        "_lowest_before",
        "_options",
        "_peak",
        "_rule",
        "_sketch",
        "_timed",
        "_was_full",
        "in_flight",
        "limit",
    )

    def __init__(self, options: ConcurrencyLimitOptions, now: float) -> None:
        self._options = options
        self._rule = LimitRule()
        self.limit = float(options.start)
        """Calls that may be in flight; `refuses` compares whole calls with it."""
        self.in_flight = 0
        """Calls admitted and not ended."""
        self._peak = 0
        self._sketch = SampledSketch()
        self._lowest = self._lowest_before = 0
        self._begin(now)

    @property
    def last_change(self) -> Change | None:
        """Why the limit moved or stood in the last window; None before the first."""
        return self._rule.last

    def refuses(self, criticality: int = Criticality.CRITICAL) -> bool:
        """Whether one more call of a class would be too many.

        A class may exceed the limit, by the more the further it is above the lowest one that calls lately, and lower
        ones get no place until the limit is met again. Where all calls are of one class, none may.
        """
        self._lowest = max(self._lowest, criticality)
        over = self.in_flight + 1 - self.limit
        if over <= 0.0:
            return False
        self._was_full = True
        return over > self.limit * _CREDIT * (max(self._lowest, self._lowest_before) - criticality)

    def admitted(self, remaining: float | None) -> None:
        """A call is made that has so many seconds left; None without a deadline."""
        in_flight = self.in_flight = self.in_flight + 1
        self._begun += 1
        self._flights += in_flight
        self._peak = in_flight if in_flight > self._peak else self._peak
        if remaining is not None:
            self._timed += 1
            self._deadlines += remaining

    def succeeded(self, elapsed: float) -> None:
        """A call was answered."""
        self.in_flight -= 1
        self._sketch.add(elapsed)

    def dropped(self) -> None:
        """A call timed out or was refused for overload."""
        self.in_flight -= 1
        self._dropped += 1

    def ignored(self) -> None:
        """A call ended in a way that says nothing of the load."""
        self.in_flight -= 1

    def tick(self, now: float, *, frozen: bool) -> None:
        """Moves the limit when the window is over; to be called several times a second.

        Args:
            now: the present.
            frozen: whether a decision is in force, under which the baseline learns nothing.
        """
        options = self._options
        ended = self._sketch.count + self._dropped
        lasted = now - self._began_at
        if lasted < options.window or (ended < options.fewest and lasted < options.longest_window):
            return
        if ended:
            self._move(self._sample(ended, lasted), frozen=frozen)
        self._begin(now)

    def _sample(self, ended: int, lasted: float) -> LimitSample:
        deadline = self._deadlines / self._timed if self._timed else None
        return LimitSample(
            rtt=self._sketch.sketch.quantile(0.9),
            throughput=self._sketch.count / lasted,
            in_flight=self._flights / self._begun if self._begun else float(self.in_flight),
            peak=self._peak,
            dropped=self._dropped / ended,
            is_full=self._was_full,
            deadline=self._options.deadline if self._options.deadline is not None else deadline,
        )

    def _move(self, sample: LimitSample, *, frozen: bool) -> None:
        options = self._options
        moved = self._rule.next(self.limit, sample, frozen=frozen)
        trusted = max(float(options.start), 5.0 * sample.peak)
        self.limit = max(float(options.smallest), min(moved, trusted, float(options.largest)))

    def _begin(self, now: float) -> None:
        self._began_at = now
        self._sketch.renew()
        self._dropped = self._timed = 0
        self._begun = self._flights = 0
        self._deadlines = 0.0
        self._peak = self.in_flight
        self._was_full = False
        self._lowest_before, self._lowest = self._lowest, 0
