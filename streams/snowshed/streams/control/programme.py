"""The way out of a metastable state, as a table of states.

::

    drain (4) → ramp (3) → creep (2) → clean (1) → level 1 with its reduced retry budget → 0

Each state has a degrade level, so that the way out is the way down. A state is left on the condition of the queue,
never because a fixed time is over: a cut that ends before the queue is empty has been for nothing. Retries stay
forbidden until the end, and come back with the reduced budget of level 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from math import inf

from snowshed.streams.policy import ControlPolicy
from snowshed.streams.stability.course import Effect

__all__ = ["STATES", "Programme", "Queue", "Stage", "State", "advanced", "begun"]


class Stage(Enum):
    """Where the programme stands."""

    DRAIN = "drain"
    """A fraction of the capacity is admitted until the queue is empty."""
    RAMP = "ramp"
    """The rate rises in large steps."""
    CREEP = "creep"
    """The rate rises slowly to the last good one."""
    CLEAN = "clean"
    """The full rate without retries, until it has been clean for long."""


@dataclass(frozen=True, slots=True)
class State:
    """One row of the table."""

    level: int
    patience: str
    """The threshold that names how long the queue must be within its target for a step."""
    growth: str | None
    """The threshold by which a step multiplies the rate; None where the step leads on to the next state."""
    following: Stage | None
    back: Stage
    limits: bool = True
    """Whether the rate is limited."""


STATES: Mapping[Stage, State] = {
    Stage.DRAIN: State(4, "empty", None, Stage.RAMP, Stage.DRAIN),
    Stage.RAMP: State(3, "ramp_every", "ramp", Stage.CREEP, Stage.DRAIN),
    Stage.CREEP: State(2, "", "creep", Stage.CLEAN, Stage.RAMP),
    Stage.CLEAN: State(1, "clean", None, None, Stage.CREEP, limits=False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """One service on its way out."""

    stage: Stage
    rate: float
    """Requests a second that are admitted."""
    floor: float
    """The rate at the start."""
    goal: float
    """The rate at the end: the last good one, or what is left of the capacity."""
    stepped: float
    """Time of the last step."""
    within_since: float = 0.0
    """Since when the queue is within its target; 0 while it is not."""
    waits: float = 0.0
    """Until when no step is made, because the last one was taken back."""

    @property
    def level(self) -> int:
        """The degrade level that belongs to it."""
        return STATES[self.stage].level

    @property
    def limit(self) -> float:
        """Requests a second that are admitted; inf where all are."""
        return self.rate if STATES[self.stage].limits else inf


@dataclass(frozen=True, slots=True)
class Queue:
    """What a window shows of the condition."""

    over: bool
    """Whether the queue delay is above its target."""
    cold: bool = False
    """Whether a cache in front still misses more than usual."""


def begun(
    effect: Effect | None,
    capacity: float,
    last_good: float,
    now: float,
    policy: ControlPolicy,
    *,
    drops: bool = False,
) -> Programme:
    """The programme for what keeps the service in trouble.

    Args:
        effect: the sustaining loop, None where it is unknown.
        capacity: estimated completions a second; NaN or none at all takes the last good rate for it, for a service
            whose answers all come too late is seen to do nothing.
        last_good: first attempts a second before the trouble.
        now: time of the start.
        policy: its thresholds.
        drops: whether the service drops what has expired, so that a queue of wasted work empties at once.
    """
    capacity = capacity if capacity > 0.0 else last_good
    fraction = policy.admit
    if effect is Effect.COLD_CACHE:
        fraction = policy.admit_cold
    elif effect is Effect.WASTED_WORK and drops:
        fraction = policy.near
    # A service that has degraded itself cannot bear the old rate again before it has healed.
    goal = min(last_good, capacity) if effect is Effect.CAPACITY_LOSS else last_good
    floor = min(fraction * capacity, goal)
    return Programme(stage=Stage.DRAIN, rate=floor, floor=floor, goal=goal, stepped=now)


def advanced(held: Programme, queue: Queue, now: float, policy: ControlPolicy) -> Programme | None:
    """The programme after one more window; None when it is over."""
    if queue.over:
        return _back(replace(held, within_since=0.0), now, policy)
    held = replace(held, within_since=held.within_since or now)
    if now < held.waits or (queue.cold and held.stage is Stage.DRAIN):
        return held
    row = STATES[held.stage]
    patience = getattr(policy, row.patience) if row.patience else 0.0
    if now < max(held.within_since, held.stepped) + patience:
        return held
    return _on(held, row, now, policy)


def _on(held: Programme, row: State, now: float, policy: ControlPolicy) -> Programme | None:
    if row.growth is not None:
        top = policy.near * held.goal if held.stage is Stage.RAMP else held.goal
        if held.rate < top:
            rate = min(held.rate * _growth(row, now - held.stepped, policy), top)
            return replace(held, rate=rate, stepped=now)
    if row.following is None:
        return None
    return replace(held, stage=row.following, stepped=now)


def _back(held: Programme, now: float, policy: ControlPolicy) -> Programme:
    """One step back; a second one only after the wait."""
    if now < held.waits or held.stage is Stage.DRAIN:
        return held
    row = STATES[held.stage]
    held = replace(held, stepped=now, waits=now + policy.wait)
    rate = held.rate / policy.ramp
    if held.stage is Stage.RAMP and rate >= held.floor:
        return replace(held, rate=rate)
    return replace(held, stage=row.back, rate=max(rate, held.floor))


def _growth(row: State, elapsed: float, policy: ControlPolicy) -> float:
    """A step's factor; the slow one is by the second, whatever the windows' lengths."""
    if row.following is Stage.CLEAN:
        return min(1.0 + (policy.creep - 1.0) * elapsed, policy.ramp)
    return policy.ramp
