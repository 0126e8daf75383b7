"""One step of the rate that a callee in trouble is let, and of the breaker before it.

Where a surge comes in further up, the rate is cut there.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf, isnan, sqrt

from snowshed.streams.cascade.inlets import sufficient
from snowshed.streams.cascade.situation import Situation
from snowshed.streams.cascade.throttle import Throttle
from snowshed.streams.control.levels import LEVELS
from snowshed.streams.control.rate import cut, draining, lowered, lowest, passing, raised, surely
from snowshed.streams.policy import ControlPolicy, OverloadPolicy

__all__ = ["paced", "passes"]

_REFUSED = 0.5
"""Gain of the rate on the share of calls that a callee refuses itself, while those of a surge can be refused before."""


def paced(held: Throttle, seen: Situation, policy: OverloadPolicy, control: ControlPolicy, *, rose: bool) -> Throttle:
    """The control after one step of what moves its inflow: the breaker, or else the rate."""
    # Longer windows may still show a queue that has gone, and with it what a surge had come to. Where answers fail no
    # queue may be seen either: not each is where its delay is measured.
    idle = bool(held.inlets) and _answers(seen, policy) and seen.queue_delay < policy.exit_ratio * policy.queue_delay
    tight = seen.overloaded and seen.may_cut and not idle
    open_to = _passing(held, seen, policy, control, tight=tight)
    if open_to < held.passing:
        return replace(held, passing=open_to)
    if open_to > held.passing:
        held = replace(held, passing=open_to)
    if tight:
        eases = held.trial is not None and held.trial.eases and not rose
        step = lowered(seen.excess, policy)
        return _eased(held, seen, policy, control) if eases else _cut(held, step, seen, policy, control)
    # Where its own rate is cut as well, or alone, what is refused before it is refused by this very rate.
    refused = seen.reject_ratio - policy.reject_ratio if held.surges_above and held.multiplier >= 1.0 else 0.0
    if refused > 0.0 and not idle:
        # Its queue is short because it refuses, which costs more than to refuse at the inlets.
        return _cut(held, 1.0 - _REFUSED * refused, seen, policy, control)
    if refused > 0.0 and held.multiplier >= control.near * held.knee:
        return held
    # With the inlets cut no more waits to be let in: between bad and clear the callee is as busy as it should be.
    rides = held.surges_above and refused <= 0.0 and _answers(seen, policy)
    if seen.clear or idle or rides or not seen.may_cut:
        step = raised(held.multiplier, _borne(held, seen, policy), policy)
        top = inf if seen.cold else max(policy.headroom * _enough(held, seen), held.multiplier)
        return replace(held, multiplier=min(held.multiplier * step, top), falling=False)
    return held


def _passing(held: Throttle, seen: Situation, policy: OverloadPolicy, control: ControlPolicy, *, tight: bool) -> float:
    """The share of calls that the breaker lets pass; all of a path's once it is whole: it has no queue to work off."""
    whole = ">" in held.trigger and seen.arrives and not tight
    if whole or not LEVELS[held.level].breaks or not held.trigger or held.inlets:
        return 1.0
    least = lowest(_capacity(held, seen, policy), seen.offered, seen.useful, policy, control, cold=seen.cold)
    return passing(held.passing, seen.ok_share, least, overloaded=tight, policy=policy, control=control)


def _cut(held: Throttle, step: float, seen: Situation, policy: OverloadPolicy, control: ControlPolicy) -> Throttle:
    # Of a surge all passes until it is first cut, and as much of it may go on as the callee can do.
    admitted = passes(held, seen) if held.inlets and not held.knee else held.multiplier
    most = inf if held.inlets else 1.0
    # A queue that is there already says nothing of the rates that it is worked off at.
    knee = held.knee if held.falling else admitted
    floor = _floor(held, seen, policy, control)
    multiplier = cut(admitted, step, floor, policy.largest_rise, most=most, cold=seen.cold)
    return replace(held, multiplier=multiplier, knee=_shown(held, knee, seen), falling=True)


def _eased(held: Throttle, seen: Situation, policy: OverloadPolicy, control: ControlPolicy) -> Throttle:
    """While the trouble falls by itself nothing is cut, and a surge let more the shorter its queue becomes."""
    if not held.inlets:
        return held
    floor = _floor(held, seen, policy, control)
    multiplier = max(held.multiplier, min(held.multiplier * policy.largest_rise, floor))
    return replace(held, multiplier=multiplier, knee=_shown(held, held.knee, seen))


def _shown(held: Throttle, knee: float, seen: Situation) -> float:
    """The knee, and at least what a callee of a surge does while requests wait: at first it has not yet shown all."""
    # One count may exceed by a standard deviation what it is one of.
    done = (seen.capacity - sqrt(seen.capacity)) / held.usual_rate if held.inlets else 0.0
    return max(knee, done)  # a NaN comes second and leaves the knee


def _borne(held: Throttle, seen: Situation, policy: OverloadPolicy) -> float:
    """The share of the usual beyond which the rate rises by degrees: it bears what it has done of late."""
    if not held.inlets or not _answers(seen, policy):
        return held.knee
    return max(held.knee, surely(held.capacity) / held.usual_rate)


def _floor(held: Throttle, seen: Situation, policy: OverloadPolicy, control: ControlPolicy) -> float:
    """The share of the usual that the rate is not cut below."""
    floor = lowest(_capacity(held, seen, policy), held.usual_rate, seen.useful, policy, control, cold=seen.cold)
    if not held.inlets or held.capacity < control.near * held.usual_rate:
        return floor
    # What waits has come in since that came which is served now, and so for as long as that has waited.
    waits = seen.queue_delay * seen.admitted / held.capacity
    if waits > policy.queue_delay or (_answers(seen, policy) and not isnan(waits)):
        floor = draining(held.capacity, waits, control) / held.usual_rate
    # It has borne the usual until the surge came. Where nobody else suffers, less of that empties its queue sooner.
    return max(floor, control.admit if held.surges_itself else 1.0)


def _answers(seen: Situation, policy: OverloadPolicy) -> bool:
    """Whether most of what is let in is answered."""
    return seen.ok_share >= policy.ok_ratio


def _capacity(held: Throttle, seen: Situation, policy: OverloadPolicy) -> float:
    """What the callee can do: while it answers what it is let, the most of late; else no more than it does now."""
    return held.capacity if _answers(seen, policy) else seen.capacity


def passes(held: Throttle, seen: Situation) -> float:
    """The share of the usual rate that the callee takes on and can do, at least all of it."""
    taken = seen.admitted if held.capacity == 0.0 else min(seen.admitted, held.capacity)
    return max(taken / held.usual_rate, 1.0)


def _enough(held: Throttle, seen: Situation) -> float:
    """The share of the usual with which nothing is refused, as long as no more is asked."""
    return sufficient(held.inlets, seen.demand, held.usual_rate) if held.inlets else 1.0
