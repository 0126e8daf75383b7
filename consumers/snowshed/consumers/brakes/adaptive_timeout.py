"""The time-out that fits what a callee usually takes; pure."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.consumers.brakes.bounds import check

__all__ = ["AdaptiveTimeout", "AdaptiveTimeoutOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveTimeoutOptions:
    """How the time-out follows the service time."""

    factor: float = 1.5
    """Times the 99th percentile."""
    shortest: float = 0.05
    """Seconds; below this a pause of the process would look like the callee's fault."""
    longest: float = 30.0
    """Seconds."""

    def __post_init__(self) -> None:
        check(self, above=True, factor=self.factor, shortest=self.shortest)
        check(self, low=self.shortest, longest=self.longest)


class AdaptiveTimeout:
    """`factor` times the 99th percentile of the service time, within bounds.

    A call that times out counts with the time it was given, so the time-out rises when the callee has become slower for
    good, by at most `factor` a window. It stands still while a decision is in force: an incident is nothing to learn.
    """

    __slots__ = ("_options", "seconds")

    def __init__(self, options: AdaptiveTimeoutOptions) -> None:
        self._options = options
        self.seconds: float | None = None
        """The time-out; None while the service time is not known."""

    def tune(self, p99: float | None, *, frozen: bool) -> None:
        """Sets the service time, of which None says nothing new; `frozen` keeps a time-out that is known."""
        if p99 is None or (frozen and self.seconds is not None):
            return
        options = self._options
        self.seconds = min(max(p99 * options.factor, options.shortest), options.longest)
