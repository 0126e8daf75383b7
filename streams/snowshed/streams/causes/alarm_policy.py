"""When streams of measurements ring."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

__all__ = ["AlarmPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmPolicy:
    """When to ring; proposals without published authority, chosen on generated streams (docs/adr/0011).

    Only the two shares were chosen after a look at real data, PetShop's without incidents.
    """

    window: int = 300
    """Intervals remembered."""
    heights: int = 1200
    """Intervals of which it is remembered how far out they were."""
    learning: int = 8
    """Intervals before the first alarm."""
    known: int = 20
    """Intervals before gauges are judged, and heights before their tail is believed."""
    least: float = 4.0
    """Deviation below which what lasts does not ring."""
    at_once: float = 8.0
    """Deviation below which one interval, or two short ones, do not ring."""
    lasts: float = 4.0
    """Seconds that it must last, but two to four intervals."""
    alone: float = 10.0
    """Seconds from which one interval alone may ring."""
    false_alarms: float = 1.0
    """A day, by chance, over all components."""
    time_share: float = 0.05
    """Of all time spent at the busiest component: less than that much more is nobody's trouble."""
    failure_share: float = 0.005
    """Of all requests of the busiest component: fewer failures more are nobody's trouble."""
    agreed: float = 1.2
    """Bounds that resources must pass."""
    unfelt: float = 1.5
    """Bounds that resources must pass where calls are measured and show nothing."""
    sustained: int = 8
    """Intervals in a row after which resources ring for less."""
    less: float = 0.7
    """How much less: a share of those bounds."""
    calm: int = 5
    """Quiet intervals that end an incident."""
    standing: int = 10
    """Intervals of ringing after which a component no longer holds an incident open."""
    relearn: int = 120
    """Intervals after which what is new has become usual."""

    def in_a_row(self, dt: float) -> int:
        """Intervals that must be out."""
        return min(max(ceil(self.lasts / dt), 2), 4)
