"""The law of the admitted rate, and of the share of calls that a breaker lets pass.

r ← r·clamp(x^−e, ½, 1) while overloaded, where x is by how much the worst signal exceeds its limit (for the queue delay
q/q*), and r ← r·1.05 once all signals are clear. Between the two nothing moves. A step is never below ½ nor above 1¼.
"""

from __future__ import annotations

from math import pow as power

from snowshed.streams.policy import ControlPolicy, OverloadPolicy

__all__ = ["factor", "lowest", "passing", "share"]


def factor(excess: float, *, overloaded: bool, clear: bool, policy: OverloadPolicy) -> float:
    """What one step multiplies the rate by."""
    if overloaded:
        return max(power(max(excess, 1.0), -policy.exponent), policy.largest_cut)
    return min(policy.rise, policy.largest_rise) if clear else 1.0


def share(held: float, step: float, floor: float) -> float:
    """The admitted share of the usual rate after a step, which never takes it below `floor`."""
    return min(max(held * step, min(floor, held)), 1.0)


def lowest(capacity: float, usual_rate: float, policy: OverloadPolicy, control: ControlPolicy) -> float:
    """The share that the rate is never cut below: half of what the callee does even now, where that is known.

    Args:
        capacity: completions a second; NaN where nobody reports them.
        usual_rate: first attempts a second before the trouble.
        policy: the least share of all.
        control: the fraction of the capacity, that of the exit programme.
    """
    known = capacity > 0.0 and usual_rate > 0.0
    return max(policy.minimum_multiplier, control.admit * capacity / usual_rate) if known else policy.minimum_multiplier


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
