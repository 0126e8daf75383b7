"""What a Guard decides by: its brakes, their shadows, and the rate from before the incident; pure."""

from __future__ import annotations

from snowshed.consumers.admission import Brakes
from snowshed.consumers.brakes.rate_meter import RateMeter
from snowshed.consumers.effective import Effective

__all__ = ["Controls"]

_ROLL = 1.0
_BASELINE_MEMORY = 30.0
_BASELINE_KNOWN_AFTER = 5.0


class Controls:
    """Keeps all brakes of one scope tuned to what is in force.

    The baseline is the admitted rate of first attempts, averaged over half a minute. It stands still while any
    decision is in force, or it would learn the incident: a limit relative to a shrinking rate shrinks with it.
    """

    __slots__ = ("_roll_at", "brakes", "demand", "effective", "shadow")

    def __init__(self, effective: Effective, now: float) -> None:
        self.effective = effective
        self.brakes = Brakes(effective, now)
        self.shadow: Brakes | None = None
        """Brakes that only count; None while no shadow decision is in force."""
        self.demand = RateMeter(_BASELINE_MEMORY, now)
        """Counts admitted first attempts."""
        self._roll_at = now + _ROLL

    @property
    def baseline(self) -> float | None:
        """Admitted first attempts per second before the incident; None until seen for five seconds."""
        return self.demand.rate if self.demand.observed >= _BASELINE_KNOWN_AFTER else None

    def tune(self, effective: Effective, now: float) -> None:
        """Sets every brake to what is in force; to be called several times a second, because decisions fade."""
        self.effective = effective
        self._learn(now)
        self.brakes.tune(effective, self.baseline, now)
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
