"""Where the control of one callee in trouble stands: its degrade level, its rate, its breaker, and its way out."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from snowshed.streams.cascade.inlets import Inlet, fitting
from snowshed.streams.control.levels import LEVELS
from snowshed.streams.control.programme import Programme
from snowshed.streams.control.trial import Trial

__all__ = ["Throttle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """Where the control of one callee stands."""

    callee: str
    domain: str
    level: int
    entered: float
    """When this level was entered."""
    clean_since: float
    """Since when all signals are clear; 0 while one is not."""
    multiplier: float
    """Share of the usual rate that is admitted; above 1 where a level is held although nothing shows a queue, and
    where a cold cache lets more through than ever."""
    usual_rate: float
    usual_known: bool = True
    """Whether that has been learned; otherwise it is what came in when the trouble began."""
    reporters: float
    stepped: float
    """Observation time of the last step of the rate."""
    passing: float = 1.0
    """Share of calls that the breaker lets pass."""
    trigger: str = ""
    """What the breaker is on."""
    programme: Programme | None = None
    """The way out of a metastable state."""
    timeout: float | None = None
    """Seconds that a call may take; None where no call is to be given up earlier than usual."""
    trial: Trial | None = None
    """How the trouble goes under what is done."""
    knee: float = 0.0
    """The last share of the usual rate that showed a queue; 0 for none."""
    capacity: float = 0.0
    """The most completions a second of late; 0 while nobody has reported them."""
    seen_at: float = 0.0
    """Observation time of the newest of them."""
    falling: bool = False
    """Whether the last step of the rate was down."""
    inlets: tuple[Inlet, ...] = ()
    """Where the surge comes in that began the trouble: there its rate is cut."""

    @property
    def cuts(self) -> bool:
        """Whether the inflow is cut by a rate."""
        if self.programme is not None:
            return self.programme.limit < inf
        return self.multiplier < 1.0 or (LEVELS[self.level].cuts and self.knee > 0.0)

    @property
    def surges_itself(self) -> bool:
        """Whether the surge comes in at the callee itself."""
        return any(one.service == self.callee for one in self.inlets)

    @property
    def surges_above(self) -> bool:
        """Whether it comes in further up, where it can be refused before it costs anything."""
        return bool(self.inlets) and not self.surges_itself

    @property
    def inlets_share(self) -> float:
        """The share of their usual requests that the inlets are let."""
        return fitting(self.inlets, self.multiplier, self.usual_rate)

    @property
    def forbids_retries(self) -> bool:
        """Whether no retry is allowed: the programme gives them back last of all."""
        return self.programme is not None or LEVELS[self.level].retry_budget == 0.0

    @property
    def p_reject(self) -> float:
        """Share of calls that the breaker refuses."""
        return 1.0 - self.passing if LEVELS[self.level].breaks and self.programme is None else 0.0
