"""The law of the admitted rate, and of the share of calls that a breaker lets pass.

Down: r ← r·clamp(x^−e, ½, 1) while overloaded, where x is by how much the worst signal exceeds its limit (for the queue
delay q/q*). While the signal falls by itself the rate stands still: what is queued already is no reason to cut deeper.
Up, once all signals are clear: r ← r·clamp(1 + a·|r′/r − 1|, 1.01, 1¼), where r′ is the last rate that showed a queue:
fast while it is far, by a hundredth beside it, and faster again beyond, for then it holds no longer (as in CUBIC,
RFC 9438). Between bad and clear nothing moves. A step is never below ½ nor above 1¼. r ends at `headroom`, a little
above the usual rate, and a cut begins at the usual rate at most; a surge alone that is cut where it comes in begins at
what the callee does of it, and is let as much as goes without a queue.
"""

from __future__ import annotations

from math import exp2, isnan, sqrt
from math import pow as power

from snowshed.streams.policy import ControlPolicy, OverloadPolicy

__all__ = ["cut", "draining", "lowered", "lowest", "passing", "raised", "remembered", "surely"]

_SURE = 0.85
"""Share of what a callee is seen to do that counts in any case: of few calls a second nearly all may be chance."""
_HALF_LIFE = 20.0
"""Seconds after which half of what a callee has done is forgotten: it may have lost more of its capacity [P]."""


def lowered(excess: float, policy: OverloadPolicy) -> float:
    """What one step down multiplies the rate by."""
    return max(power(max(excess, 1.0), -policy.exponent), policy.largest_cut)


def raised(held: float, knee: float, policy: OverloadPolicy) -> float:
    """What one step up multiplies the rate by.

    Args:
        held: the rate so far.
        knee: the last rate that showed a queue, in the same unit; 0 where none has.
        policy: the least and the largest step, and the gain.
    """
    distance = abs(knee / held - 1.0)
    return min(max(1.0 + policy.approach * distance, policy.rise), policy.largest_rise)


def cut(held: float, step: float, floor: float, rise: float, *, most: float = 1.0, cold: bool = False) -> float:
    """The admitted share of the usual rate after a step down from `most` at most, and never below `floor`.

    A rate that is below it rises by degrees. Behind a cold cache it is at the floor at once, even above the usual rate:
    more comes in than ever, and it must, or the cache never fills again.
    """
    begun = min(held, most)
    if cold:
        return max(begun * step, floor)
    return min(begun * rise, floor, most) if begun < floor else max(begun * step, floor)


def lowest(
    capacity: float,
    whole: float,
    goodput: float,
    policy: OverloadPolicy,
    control: ControlPolicy,
    *,
    cold: bool = False,
) -> float:
    """The share that what comes in is never cut below: a part of what the callee does, where that is known.

    Half of it where callers have given up on what is queued, so that it is soon gone; most of it where they still get
    their answers; all of it behind a cold cache.

    Args:
        capacity: completions a second; 0 or NaN where nobody reports them.
        whole: calls a second that the share is one of.
        goodput: successes a completion.
        policy: the least share of all, and the least goodput that is still good.
        control: the fractions of the capacity.
        cold: whether a cache in front of it misses more than usual.
    """
    if not (capacity > 0.0 and whole > 0.0):
        return policy.minimum_multiplier
    fraction = control.near if goodput >= policy.ok_ratio else control.admit
    return max(policy.minimum_multiplier, (control.admit_cold if cold else fraction) * capacity / whole)


def draining(capacity: float, queue_delay: float, control: ControlPolicy) -> float:
    """Calls a second that a callee is let of a surge: what it can do, less what empties its queue.

    Args:
        capacity: the most completions a second of late.
        queue_delay: seconds that a request waits.
        control: in how many seconds the queue is to be empty, and the least and the largest share of the capacity.
    """
    return max(min(1.0 - queue_delay / control.drain, control.bears), control.admit) * surely(capacity)


def surely(capacity: float) -> float:
    """Calls a second that a callee can do at least, of which the most of late has come to so many in a second.

    The most of a score of counts lies about two standard deviations above what they are counts of.
    """
    return max(capacity - 2.0 * sqrt(capacity), _SURE * capacity)


def remembered(held: float, seen: float, seconds: float) -> float:
    """What a callee can do: the most that it has done of late, for what it does now is bounded by what is let in.

    Args:
        held: the same so far; 0 while nothing is known.
        seen: completions a second; NaN where nobody reports them.
        seconds: time passed, in which what is held loses in weight.
    """
    return max(held * exp2(-max(seconds, 0.0) / _HALF_LIFE), 0.0 if isnan(seen) else seen)


def passing(
    held: float, ok_share: float, least: float, *, overloaded: bool, policy: OverloadPolicy, control: ControlPolicy
) -> float:
    """The share of calls that the breaker lets pass after a step.

    Args:
        held: the share so far.
        ok_share: successes a call among those that passed.
        least: the share that the callee can do: below it the breaker closes by degrees in any case.
        overloaded: whether the callee is still in trouble; otherwise the breaker closes by degrees.
        policy: the largest steps.
        control: K, and the least share of all.
    """
    step = policy.largest_rise
    if overloaded:
        step = min(max(control.accepts * ok_share, policy.largest_cut), 1.0)
    if held < least:
        return min(held * policy.largest_rise, least, 1.0)
    return min(max(held * step, least, control.least_passing), 1.0)
