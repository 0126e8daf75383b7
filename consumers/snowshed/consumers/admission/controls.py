"""What a Guard decides by: its brakes, their shadows, and the rate from before the incident; pure."""

from __future__ import annotations

from collections.abc import Callable

from snowshed.consumers.admission.decided import Brakes, Refusal
from snowshed.consumers.admission.local import LocalAdmission
from snowshed.consumers.brakes.leaky_bucket import LeakyBucket
from snowshed.consumers.brakes.rate_meter import RateMeter
from snowshed.consumers.decisions.effective import Effective
from snowshed.consumers.local import LocalBrakes
from snowshed.consumers.permit import Ticket

__all__ = ["Controls"]

_ROLL = 1.0
_BASELINE_MEMORY = 30.0
_BASELINE_KNOWN_AFTER = 5.0
_OFF = LocalBrakes.off()


def _middle() -> float:
    """The draw of a caller that has no use for chance."""
    return 0.5


class Controls:
    """Keeps all brakes of one scope tuned to what is in force.

    The baseline is the admitted rate of first attempts, averaged over half a minute. It stands still while any
    decision is in force, or it would learn the incident: a limit relative to a shrinking rate shrinks with it.
    """

    __slots__ = ("_draw", "_roll_at", "brakes", "demand", "effective", "local", "shadow")

    def __init__(
        self, effective: Effective, now: float, options: LocalBrakes = _OFF, draw: Callable[[], float] = _middle
    ) -> None:
        self.effective = effective
        self.brakes = Brakes(effective, now, None if options.pace is None else LeakyBucket(options.pace, now))
        self.local = LocalAdmission(options, draw, now)
        """The brakes that need no decision."""
        self.shadow: Brakes | None = None
        """Brakes that only count; None while no shadow decision is in force."""
        self.demand = RateMeter(_BASELINE_MEMORY, now)
        """Counts admitted first attempts."""
        self._draw = draw
        self._roll_at = now + _ROLL

    @property
    def baseline(self) -> float | None:
        """Admitted first attempts per second before the incident; None until seen for five seconds."""
        return self.demand.rate if self.demand.observed >= _BASELINE_KNOWN_AFTER else None

    def refuse(  # noqa: PLR0917 - by position, because every call comes here
        self, level: int, call: Ticket, attempt: int, remaining: float | None, queued_for: float, now: float, /
    ) -> Refusal | None:
        """Asks all brakes in their order; None when the call may be made, and has paid for it."""
        return (
            self.brakes.refuse(level, self._draw)
            or self.local.refuse(level, call, remaining, queued_for, now)
            or self.brakes.spend(level, attempt, now)
        )

    def admitted(self, level: int, call: Ticket, attempt: int, remaining: float | None, now: float, /) -> None:
        """Counts a call that was not refused as made."""
        self.local.admitted(level, call, remaining, now)
        if not attempt:
            self.demand.counted += 1

    def tune(self, effective: Effective, now: float, slots: int | None = None) -> None:
        """Sets every brake to what is in force; to be called several times a second, because decisions fade.

        Args:
            effective: what is in force.
            now: the present.
            slots: requests that the host serves at a time, where it knows.
        """
        self.effective = effective
        self._learn(now)
        self.brakes.tune(effective, self.baseline, now)
        self.local.tick(effective, now, slots)
        if effective.shadow is None:
            self.shadow = None
            return
        if self.shadow is None:
            self.shadow = Brakes(effective.shadow, now)
        self.shadow.tune(effective.shadow, self.baseline, now)

    def _learn(self, now: float) -> None:
        if self.effective.decisions or self.effective.shadow is not None:
            self.demand.hold(now)
        elif now >= self._roll_at:
            self.demand.roll(now)
            self._roll_at = now + _ROLL
