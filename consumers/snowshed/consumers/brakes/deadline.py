"""The deadline brake: no work is begun that cannot be finished in time; pure."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.consumers.brakes.bounds import check

__all__ = ["Deadline", "DeadlineOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineOptions:
    """How strict the deadline brake is."""

    share: float = 0.0
    """A call needs this many medians of the service time; 0 refuses only what is already too late.

    More than 0 wants calls that are measured without their wait, as `WaitQueue` does: where a wait counts as service,
    a queue that has gone would go on refusing calls until it is forgotten."""

    def __post_init__(self) -> None:
        check(self, share=self.share)


class Deadline:
    """Refuses a call whose remaining time is used up, or below some share of the median service time.

    At one median half of such calls could still make it, but those that do not cost the callee as much and help nobody.
    """

    __slots__ = ("_share", "needed")

    def __init__(self, options: DeadlineOptions) -> None:
        self._share = options.share
        self.needed = 0.0
        """Seconds that a call must have left."""

    def refuses(self, remaining: float) -> bool:
        """Whether a call with so many seconds left is not to be begun."""
        return remaining <= self.needed

    def tune(self, median: float | None) -> None:
        """Sets the service time; None when it is not known."""
        self.needed = 0.0 if median is None else median * self._share
