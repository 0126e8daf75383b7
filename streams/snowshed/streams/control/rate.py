"""The law of the admitted rate, and of the share of calls that a breaker lets pass.

Down: r ← r·clamp(x^−e, ½, 1) while overloaded, where x is by how much the worst signal exceeds its limit (for the queue
delay q/q*). While the signal falls by itself the rate stands still: what is queued already is no reason to cut deeper.
Up, once all signals are clear: r ← r·clamp(1 + a·|r′/r − 1|, 1.01, 1¼), where r′ is the last rate that showed a queue:
fast while it is far, by a hundredth beside it, and faster again beyond, for then it holds no longer (as in CUBIC,
RFC 9438). Between bad and clear nothing moves. A step is never below ½ nor above 1¼. r ends at `headroom`, a little
above the usual rate; a cut begins at the usual rate at most.
"""

from __future__ import annotations

from math import pow as power

from snowshed.streams.policy import ControlPolicy, OverloadPolicy

__all__ = ["cut", "lowered", "lowest", "passing", "raised"]


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


def cut(held: float, step: float, floor: float) -> float:
    """The admitted share of the usual rate after a step down from the usual rate at most, and never below `floor`."""
    begun = min(held, 1.0)
    return max(begun * step, min(floor, begun))


def lowest(capacity: float, usual_rate: float, goodput: float, policy: OverloadPolicy, control: ControlPolicy) -> float:
    """The share that the rate is never cut below: a part of what the callee does even now, where that is known.

    Half of it where callers have given up on what is queued, so that it is soon gone; most of it where they still get
    their answers.

    Args:
        capacity: completions a second; NaN where nobody reports them.
        usual_rate: first attempts a second before the trouble.
        goodput: successes a completion.
        policy: the least share of all, and the least goodput that is still good.
        control: the fractions of the capacity.
    """
    if not (capacity > 0.0 and usual_rate > 0.0):
        return policy.minimum_multiplier
    fraction = control.near if goodput >= policy.ok_ratio else control.admit
    return max(policy.minimum_multiplier, fraction * capacity / usual_rate)


def passing(held: float, ok_share: float, *, overloaded: bool, policy: OverloadPolicy, control: ControlPolicy) -> float:
    """The share of calls that the breaker lets pass after a step.

    Args:
        held: the share so far.
        ok_share: successes a call among those that passed.
        overloaded: whether the callee is still in trouble; otherwise the breaker closes by degrees.
        policy: the largest steps.
        control: K, and the least share.
    """
    step = policy.largest_rise
    if overloaded:
        step = min(max(control.accepts * ok_share, policy.largest_cut), 1.0)
    return min(max(held * step, control.least_passing), 1.0)
