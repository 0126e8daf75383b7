"""What the control of a callee goes by."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from snowshed.streams.cascade.inlets import Inlet
from snowshed.streams.stability.course import Effect

__all__ = ["Situation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A callee as its edges show it now."""

    callee: str
    domain: str
    overloaded: bool
    clear: bool
    excess: float
    """By how much the worst signal exceeds its limit; above 1 while overloaded."""
    reject_ratio: float
    usual_rate: float
    """First attempts a second before the trouble."""
    usual_known: bool = True
    """Whether that has been learned; otherwise it is what comes in now."""
    offered: float = nan
    """Attempts a second, refused ones included."""
    reporters: float
    """Processes that each take their part of its rate."""
    observed_at: float
    may_cut: bool
    """Whether the inflow may be cut: the callee is not protected and no victim of another."""
    pressed: bool = False
    """Whether more is asked of it than it usually gets and than it has ever done: refusals keep its signals clear."""
    queue_delay: float = nan
    ok_share: float = 1.0
    """Successes a call."""
    goodput: float = 1.0
    """Successes a first attempt."""
    amplification: float = 1.0
    """Attempts a first attempt."""
    balance: float = 1.0
    """Attempts that came in and have not failed, a completion: below 1 while a backlog shrinks."""
    useful: float = 1.0
    """Successes a completion: less where calls are finished that nobody waits for."""
    timed_out: float = 0.0
    """Calls that were given up, a call that was not refused."""
    trigger: str = ""
    """The callee or the edge into it with which a declared cascade began."""
    arrives: bool = True
    """Whether calls arrive on the path that is the trigger, where it is one."""
    metastable: bool = False
    effect: Effect | None = None
    """What keeps it metastable."""
    capacity: float = nan
    """Completions a second, as they are now."""
    timeout: float | None = None
    """Seconds after which a call is to be given up; None for a callee that goes on with what nobody waits for."""
    cold: bool = False
    """Whether a cache in front of it misses more than usual."""
    admitted: float = nan
    """Attempts a second that were not refused."""
    inlets: tuple[Inlet, ...] = ()
    """Where the surge comes in that it cannot bear, or could not when the trouble began."""
    demand: tuple[float, ...] = ()
    """First attempts a second that each of them is asked …"""
    demand_least: tuple[float, ...] = ()
    """… and how many of them are no chance."""
