"""The control of one callee in trouble: its degrade level, its admitted rate, its breaker, and its way out.

The tables and laws are those of `snowshed.streams.control`; this puts them together. One thing moves the inflow at a
time: the exit programme, else the breaker, else the rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isnan, nan

from snowshed.streams.control.levels import LEVELS, METASTABLE, Ladder, Signs, climbed
from snowshed.streams.control.programme import Programme, Queue, advanced, begun
from snowshed.streams.control.rate import factor, lowest, passing, share
from snowshed.streams.policy import ControlPolicy, OverloadPolicy
from snowshed.streams.stability.course import Effect

__all__ = ["Situation", "Throttle", "steer"]

_CONTROL = ControlPolicy()


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
    reporters: float
    observed_at: float
    may_cut: bool
    """Whether the inflow may be cut: the callee is not protected and no victim of another."""
    pressed: bool = False
    """Whether more is asked of it than it usually gets and than it has ever done: refusals keep its signals clear."""
    queue_delay: float = nan
    ok_share: float = 1.0
    """Successes a call."""
    trigger: str = ""
    """The callee or the edge into it with which a declared cascade began."""
    metastable: bool = False
    effect: Effect | None = None
    """What keeps it metastable."""
    capacity: float = nan
    """Completions a second, as they are now."""
    cold: bool = False
    """Whether a cache in front of it misses more than usual."""


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
    """Share of the usual rate that is admitted."""
    usual_rate: float
    reporters: float
    stepped: float
    """Observation time of the last step of the rate."""
    passing: float = 1.0
    """Share of calls that the breaker lets pass."""
    trigger: str = ""
    """What the breaker is on."""
    programme: Programme | None = None
    """The way out of a metastable state."""

    @property
    def cuts(self) -> bool:
        """Whether the inflow is cut."""
        if self.programme is not None:
            return self.programme.limit < inf
        return LEVELS[self.level].cuts or self.multiplier < 1.0

    @property
    def forbids_retries(self) -> bool:
        """Whether no retry is allowed: the programme gives them back last of all."""
        return self.programme is not None or LEVELS[self.level].retry_budget == 0.0

    @property
    def p_reject(self) -> float:
        """Share of calls that the breaker refuses."""
        return 1.0 - self.passing if LEVELS[self.level].breaks and self.programme is None else 0.0


def steer(
    held: Throttle | None, seen: Situation, now: float, policy: OverloadPolicy, control: ControlPolicy = _CONTROL
) -> Throttle | None:
    """The control after this step; None when there is nothing to control."""
    if held is None:
        return _begun(seen, now) if seen.overloaded else None
    held = replace(held, reporters=seen.reporters or held.reporters, trigger=seen.trigger or held.trigger)
    if held.programme is not None:
        over = seen.excess > 1.0 if isnan(seen.queue_delay) else seen.queue_delay > policy.queue_delay
        clean_since = (held.clean_since or now) if seen.clear else 0.0
        return _led(held, advanced(held.programme, Queue(over, seen.cold), now, control), clean_since, now)
    ladder = _climbed(held, seen, now, policy)
    if ladder.level == METASTABLE:
        programme = begun(seen.effect, seen.capacity, held.usual_rate, now, control)
        return _under(held, programme, ladder.clean_since, now)
    rose = ladder.level > held.level
    held = replace(held, level=ladder.level, entered=ladder.entered, clean_since=ladder.clean_since)
    if held.level == 0 and not held.cuts:
        return None
    due = seen.observed_at >= held.stepped + policy.step
    if rose or (held.cuts and due):
        held = replace(_stepped(held, seen, policy, control), stepped=seen.observed_at)
    return held


def _begun(seen: Situation, now: float) -> Throttle:
    return Throttle(
        callee=seen.callee,
        domain=seen.domain,
        level=1,
        entered=now,
        clean_since=0.0,
        multiplier=1.0,
        usual_rate=seen.usual_rate,
        reporters=seen.reporters,
        stepped=seen.observed_at,
    )


def _climbed(held: Throttle, seen: Situation, now: float, policy: OverloadPolicy) -> Ladder:
    signs = Signs(
        overloaded=seen.overloaded,
        clear=seen.clear and not seen.pressed,
        may_cut=seen.may_cut,
        impatient=now >= held.entered + policy.escalate,
        rejects=seen.reject_ratio > policy.reject_ratio,
        spreads=bool(seen.trigger),
        metastable=seen.metastable,
    )
    ladder = Ladder(held.level, held.entered, held.clean_since)
    climbed_to = climbed(ladder, signs, now, clean=policy.clean, dwell=policy.dwell)
    if climbed_to.level == 0 and held.multiplier < 1.0:
        # The last level is left only with the whole rate restored.
        return replace(ladder, clean_since=ladder.clean_since or climbed_to.clean_since)
    return climbed_to


def _stepped(held: Throttle, seen: Situation, policy: OverloadPolicy, control: ControlPolicy) -> Throttle:
    tight = seen.overloaded and seen.may_cut
    open_to = 1.0
    if LEVELS[held.level].breaks and held.trigger:
        open_to = passing(held.passing, seen.ok_share, overloaded=tight, policy=policy, control=control)
    if open_to < held.passing:
        return replace(held, passing=open_to)
    step = factor(seen.excess, overloaded=tight, clear=seen.clear or not seen.may_cut, policy=policy)
    floor = lowest(seen.capacity, held.usual_rate, policy, control)
    return replace(held, passing=open_to, multiplier=share(held.multiplier, step, floor))


def _led(held: Throttle, programme: Programme | None, clean_since: float, now: float) -> Throttle:
    """The control as the programme has it, or at the first level once it is over."""
    if programme is not None:
        return _under(held, programme, clean_since, now)
    return replace(
        held, level=1, entered=now, clean_since=clean_since, multiplier=1.0, programme=None, passing=1.0, trigger=""
    )


def _under(held: Throttle, programme: Programme, clean_since: float, now: float) -> Throttle:
    """The control as the programme has it."""
    admitted = min(programme.limit / held.usual_rate, 1.0) if held.usual_rate > 0.0 else 1.0
    return replace(
        held,
        level=programme.level,
        entered=held.entered if held.level == programme.level else now,
        clean_since=clean_since,
        multiplier=admitted,
        stepped=now,
        passing=1.0,
        programme=programme,
    )
