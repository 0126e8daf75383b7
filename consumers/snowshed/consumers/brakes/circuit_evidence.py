"""What a circuit breaker trips by, and what its probes prove; pure."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.consumers.brakes.bounds import check
from snowshed.consumers.brakes.slots import Slots

__all__ = ["CircuitEvidence", "CircuitOptions", "Probes"]

_CALLS, _FAILED, _SLOW = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitOptions:
    """When the breaker trips, and how it closes again."""

    failed: float = 0.5
    """Share of failed calls that trips it …"""
    slow: float = 0.6
    """… or of slow ones …"""
    slow_after: float | None = None
    """… which take at least so many seconds; None: no call counts as slow."""
    window: float = 10.0
    """Seconds that are counted."""
    fewest: int = 20
    """Calls that the window needs."""
    in_a_row: int = 10
    """Failures without a success between them that trip it at once, however few the calls."""
    open_for: float = 5.0
    """Seconds until the first probe; doubled at each opening before it was closed again."""
    open_at_most: float = 300.0
    """Seconds."""
    probes: int = 10
    """Probes that are judged."""
    probe_share: float = 0.05
    """Share of the calls that probe; one a second does in any case, so that little traffic can close it too."""
    probes_good: float = 0.95
    """Share of the probes that must succeed; and nine of ten must not be slow."""
    call_timeout: float = 3.0
    """Seconds a call may take. When no probe has ended for twice that time, they hang, and it opens again."""
    ramp_step: float = 5.0
    """Seconds at 10, 25 and 50 % of the traffic."""

    def __post_init__(self) -> None:
        check(self, high=1, above=True, failed=self.failed, slow=self.slow, probe_share=self.probe_share)
        check(self, high=1, above=True, probes_good=self.probes_good)
        check(self, low=1, fewest=self.fewest, in_a_row=self.in_a_row, probes=self.probes)
        check(self, above=True, window=self.window, call_timeout=self.call_timeout, slow_after=self.slow_after)
        check(self, above=True, open_for=self.open_for, ramp_step=self.ramp_step)
        check(self, low=self.open_for, open_at_most=self.open_at_most)


class CircuitEvidence:
    """Failed and slow calls of a sliding window, and failures in a row."""

    __slots__ = ("_in_a_row", "_longest_row", "_options", "_slots")

    def __init__(self, options: CircuitOptions, now: float) -> None:
        self._options = options
        self._longest_row = options.in_a_row
        self._slots = Slots(3, options.window, now)
        self._in_a_row = 0

    def succeeded(self) -> None:
        """Counts a quick success."""
        self._slots.current[_CALLS] += 1
        self._in_a_row = 0

    def ended(self, *, failed: bool, slow: bool) -> bool:
        """Counts any call; says whether it was one failure in a row too many."""
        counts = self._slots.current
        counts[_CALLS] += 1
        if slow:
            counts[_SLOW] += 1
        if not failed:
            self._in_a_row = 0
            return False
        counts[_FAILED] += 1
        self._in_a_row += 1
        return self._in_a_row >= self._longest_row

    def trips(self, now: float) -> bool:
        """Whether too many calls of the window failed or were slow; to be asked several times a second."""
        calls, failed, slow = self._slots.roll(now)
        options = self._options
        return calls >= options.fewest and (failed >= options.failed * calls or slow >= options.slow * calls)

    def clear(self, now: float) -> None:
        """Begins anew."""
        self._slots.clear(now)
        self._in_a_row = 0


class Probes:
    """The calls that try out a callee which has been left alone."""

    __slots__ = ("_asked", "_bad", "_begun", "_ended", "_last_end", "_options", "_since", "_slow")

    def __init__(self, options: CircuitOptions, now: float) -> None:
        self._options = options
        self._since = now
        self._last_end = now
        self._asked = self._begun = self._ended = self._bad = self._slow = 0

    def refuses(self, now: float) -> bool:
        """Whether a call is not to be a probe."""
        self._asked += 1
        allowed = 1.0 + max(self._options.probe_share * self._asked, now - self._since)
        return self._begun + 1 > allowed or self._begun - self._ended >= self._options.probes

    def admitted(self, now: float) -> None:
        """A probe is made."""
        if self._begun == self._ended:
            self._last_end = now
        self._begun += 1

    def ended(self, now: float, *, bad: bool, slow: bool) -> None:
        """A probe has ended."""
        self._ended += 1
        self._last_end = now
        self._bad += bad
        self._slow += slow

    def withdrawn(self) -> None:
        """A probe has proved nothing."""
        self._begun -= self._begun > self._ended

    def verdict(self, now: float) -> bool | None:
        """Whether the callee is well again; None as long as that cannot be said."""
        options = self._options
        if self._begun > self._ended and now - self._last_end > 2 * options.call_timeout:
            return False
        if self._bad > (1.0 - options.probes_good) * max(options.probes, self._ended):
            return False
        if self._ended < options.probes:
            return None
        return self._slow <= 0.1 * self._ended
