"""How a callee in trouble is steered: one step of its level, its rate, its breaker and its way out.

The tables and laws are those of `snowshed.streams.control`; this puts them together. One thing moves the inflow at a
time: the exit programme, else the breaker, else the rate.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf, isnan

from snowshed.streams.cascade.inlets import surpassed
from snowshed.streams.cascade.pacing import paced, passes
from snowshed.streams.cascade.situation import Situation
from snowshed.streams.cascade.throttle import Throttle
from snowshed.streams.control.levels import LEVELS, METASTABLE, Ladder, Signs, climbed
from snowshed.streams.control.programme import Programme, Queue, advanced, begun
from snowshed.streams.control.rate import remembered
from snowshed.streams.control.trial import Trial, failed, starved, tried
from snowshed.streams.policy import ControlPolicy, OverloadPolicy

__all__ = ["loosened", "steer"]

_CONTROL = ControlPolicy()


def steer(
    held: Throttle | None, seen: Situation, now: float, policy: OverloadPolicy, control: ControlPolicy = _CONTROL
) -> Throttle | None:
    """The control after this step; None when there is nothing to control."""
    if held is None:
        return _begun(seen, now) if seen.overloaded else None
    held = _surged(_noted(held, seen), seen)
    if held.cuts and _surpassed(held, seen):
        seen = replace(seen, pressed=True)
    if held.programme is not None:
        over = seen.excess > 1.0 if isnan(seen.queue_delay) else seen.queue_delay > policy.queue_delay
        clean_since = (held.clean_since or now) if seen.clear else 0.0
        return _led(held, advanced(held.programme, Queue(over, seen.cold), now, control), clean_since, now)
    # While retries pile up the budget is not in force yet: callers have a dwell's time to hear of it.
    heard = seen.amplification < control.amplified or now >= held.entered + policy.dwell
    # Late are those that were finished in vain, or, where the callee drops what has expired, those not finished at all.
    missing = (1.0 - seen.goodput) * max(1.0 - seen.useful, seen.timed_out) if heard else 0.0
    trial = tried(
        held.trial or _trial(seen),
        seen.observed_at,
        seen.excess,
        drains=seen.balance < 1.0 - control.easing,
        missing=missing,
        policy=control,
    )
    if trial is not held.trial:
        held = replace(held, trial=trial)
    ladder = _climbed(held, seen, now, policy, control)
    if ladder.level == METASTABLE:
        capacity = seen.capacity if seen.capacity > 0.0 else held.capacity
        programme = begun(seen.effect, capacity, held.usual_rate, now, control, drops=held.timeout is not None)
        return _under(held, programme, ladder.clean_since, now)
    rose = ladder.level > held.level
    if ladder != Ladder(held.level, held.entered, held.clean_since):
        trial = _entered(trial, held.level, ladder.level) if ladder.level != held.level else trial
        held = replace(held, level=ladder.level, entered=ladder.entered, clean_since=ladder.clean_since, trial=trial)
    held = _calmed(held)
    moves = LEVELS[held.level].cuts or held.cuts
    if held.level == 0 and not moves:
        return None
    due = seen.observed_at >= held.stepped + policy.step
    if rose or (moves and due):
        held = replace(paced(held, seen, policy, control, rose=rose), stepped=seen.observed_at)
    return held


def loosened(held: Throttle | None, new: Throttle | None) -> Throttle | None:
    """The new control unless it is tighter than the one held, which then stays; a control may begin."""
    if held is None or new is None:
        return new
    tighter = (
        new.level > held.level
        or new.multiplier < held.multiplier
        or new.passing < held.passing
        or (new.programme is not None and held.programme is None)
    )
    return held if tighter else new


def _noted(held: Throttle, seen: Situation) -> Throttle:
    """With what the situation adds; the same where that is nothing, as in most steps."""
    reporters, trigger = seen.reporters or held.reporters, seen.trigger or held.trigger
    timeout, at = held.timeout or seen.timeout, max(seen.observed_at, held.seen_at)
    capacity = held.capacity
    if at > held.seen_at:
        capacity = remembered(held.capacity, seen.capacity, at - held.seen_at)
    if (reporters, trigger, timeout, at) == (held.reporters, held.trigger, held.timeout, held.seen_at):
        return held
    return replace(held, reporters=reporters, trigger=trigger, timeout=timeout, capacity=capacity, seen_at=at)


def _trial(seen: Situation) -> Trial:
    return Trial(at=seen.observed_at, excess=seen.excess)


def _entered(trial: Trial, left: int, level: int) -> Trial:
    """The trial at the start of a level."""
    sheds = LEVELS[level].cuts
    relapses = trial.relapses + (sheds and trial.shed)
    return replace(trial, lost=0.0, relapses=relapses, shed=LEVELS[left].cuts and not sheds)


def _begun(seen: Situation, now: float) -> Throttle:
    return Throttle(
        callee=seen.callee,
        domain=seen.domain,
        level=1,
        entered=now,
        clean_since=0.0,
        multiplier=1.0,
        usual_rate=seen.usual_rate,
        usual_known=seen.usual_known,
        reporters=seen.reporters,
        stepped=seen.observed_at,
        timeout=seen.timeout,
        trial=_trial(seen),
        capacity=remembered(0.0, seen.capacity, 0.0),
        seen_at=seen.observed_at,
        inlets=seen.inlets,
    )


def _surged(held: Throttle, seen: Situation) -> Throttle:
    """With the inlets of a surge once they are known."""
    if held.inlets or not (seen.inlets and seen.overloaded and held.usual_rate > 0.0):
        return held
    # What was cut before they were known was cut at the usual rate, which shows nothing of what the callee can bear.
    knee = max(held.knee, passes(held, seen)) if held.knee else 0.0
    return replace(held, inlets=seen.inlets, knee=knee)


def _calmed(held: Throttle) -> Throttle:
    """Without the inlets once nothing is cut any more: trouble that comes back may come from elsewhere."""
    if not held.inlets or held.knee == 0.0 or LEVELS[held.level].cuts or held.multiplier < 1.0:
        return held
    return replace(held, inlets=(), multiplier=1.0, knee=0.0)


def _surpassed(held: Throttle, seen: Situation) -> bool:
    """Whether more is asked of the inlets than they are let, so that its own clear signals are no sign of an end."""
    return bool(held.inlets) and surpassed(held.inlets, seen.demand_least, held.inlets_share)


def _climbed(held: Throttle, seen: Situation, now: float, policy: OverloadPolicy, control: ControlPolicy) -> Ladder:
    trial = held.trial or _trial(seen)
    refuses = seen.reject_ratio > policy.reject_ratio
    # Where a surge began the trouble, cutting it costs nobody what is usual.
    pressed = seen.pressed or bool(held.inlets)
    signs = Signs(
        overloaded=seen.overloaded,
        clear=seen.clear and not seen.pressed,
        may_cut=seen.may_cut,
        fails=failed(trial, now - held.entered, pressed=pressed, refuses=refuses, policy=policy, control=control),
        starves=starved(trial, held.level, control),
        spreads=bool(seen.trigger),
        metastable=seen.metastable,
    )
    ladder = Ladder(held.level, held.entered, held.clean_since)
    clean = _clean(trial, policy, control)
    climbed_to = climbed(ladder, signs, now, clean=clean, dwell=policy.dwell)
    if climbed_to.level == 0 and held.multiplier < 1.0:
        # The last level is left only with the whole rate restored.
        return replace(ladder, clean_since=ladder.clean_since or climbed_to.clean_since)
    return climbed_to


def _clean(trial: Trial, policy: OverloadPolicy, control: ControlPolicy) -> tuple[float, ...]:
    """Clean times by level; that of each which sheds is twice as long after each relapse."""
    if not trial.relapses:
        return policy.clean
    longest = max(control.relapse, *policy.clean)
    return tuple(
        min(seconds * 2.0**trial.relapses, longest) if LEVELS[level].cuts else seconds
        for level, seconds in enumerate(policy.clean, 1)
    )


def _led(held: Throttle, programme: Programme | None, clean_since: float, now: float) -> Throttle:
    """The control as the programme has it, or at the first level once it is over."""
    if programme is not None:
        return _under(held, programme, clean_since, now)
    return replace(
        held,
        level=1,
        entered=now,
        clean_since=clean_since,
        multiplier=1.0,
        programme=None,
        passing=1.0,
        trigger="",
        trial=None,
        knee=0.0,
    )


def _under(held: Throttle, programme: Programme, clean_since: float, now: float) -> Throttle:
    """The control as the programme has it."""
    known = held.usual_rate > 0.0 and programme.limit < inf
    admitted = programme.limit / held.usual_rate if known else 1.0
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
