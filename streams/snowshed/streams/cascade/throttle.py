"""The degrade level and the admitted rate of one overloaded callee.

Level 1 cuts retries, level 2 the inflow as well. The rate follows r ← r·clamp(x^−½, ½, 1) while overloaded, where x is
by how much the worst signal exceeds its limit (for the queue delay q/q*), and rises by 5 % a step once all signals are
clear. A level is entered on evidence, left only after a clean time and a dwell, one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pow as power

from snowshed.streams.policy import OverloadPolicy

__all__ = ["Situation", "Throttle", "steer"]

_HIGHEST = 2


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

    @property
    def cuts(self) -> bool:
        """Whether the inflow is cut."""
        return self.level >= _HIGHEST or self.multiplier < 1.0


def steer(held: Throttle | None, seen: Situation, now: float, policy: OverloadPolicy) -> Throttle | None:
    """The control after this step; None when there is nothing to control."""
    if held is None:
        return _begun(seen, now) if seen.overloaded else None
    clean_since = (held.clean_since or now) if seen.clear else 0.0
    held = replace(held, clean_since=clean_since, reporters=seen.reporters or held.reporters)
    if _must_rise(held, seen, now, policy):
        held = replace(held, level=held.level + 1, entered=now)
        return replace(held, multiplier=_next(held, seen, policy), stepped=seen.observed_at)
    if _may_fall(held, now, policy):
        held = replace(held, level=held.level - 1, entered=now, clean_since=now)
    if held.level == 0 and not held.cuts:
        return None
    if held.cuts and seen.observed_at >= held.stepped + policy.step:
        held = replace(held, multiplier=_next(held, seen, policy), stepped=seen.observed_at)
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


def _must_rise(held: Throttle, seen: Situation, now: float, policy: OverloadPolicy) -> bool:
    if not seen.overloaded or not seen.may_cut or held.level >= _HIGHEST:
        return False
    return now >= held.entered + policy.escalate or seen.reject_ratio > policy.reject_ratio


def _may_fall(held: Throttle, now: float, policy: OverloadPolicy) -> bool:
    if not held.clean_since or held.level == 0 or (held.level == 1 and held.multiplier < 1.0):
        return False
    clean = policy.clean[min(held.level, len(policy.clean)) - 1]
    return now >= held.clean_since + clean and now >= held.entered + policy.dwell


def _next(held: Throttle, seen: Situation, policy: OverloadPolicy) -> float:
    if seen.overloaded and seen.may_cut:
        factor = max(power(max(seen.excess, 1.0), -policy.exponent), policy.largest_cut)
    elif seen.clear or not seen.may_cut:
        factor = min(policy.rise, policy.largest_rise)
    else:
        factor = 1.0
    return min(max(held.multiplier * factor, policy.minimum_multiplier), 1.0)
