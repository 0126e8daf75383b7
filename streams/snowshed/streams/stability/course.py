"""How the trouble of one service goes: what its windows show, and what is held of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import nan

__all__ = ["CALM", "STABLE", "Course", "Effect", "Judgement", "Phase", "Point", "Verdict"]


class Verdict(Enum):
    """What is held of a service."""

    STABLE = "stable"
    TRIGGERED = "triggered"
    """It fails, and the trigger still acts or has only just gone."""
    RECOVERING = "recovering"
    """The trigger has gone, and it is on its way back."""
    PROVISIONAL = "provisional"
    """Half of the time to the verdict METASTABLE is over."""
    METASTABLE = "metastable"
    CAPACITY_LOSS = "capacity_loss"
    """The throughput has stayed low for as long, and no surge of demand preceded: the trigger is still there."""


class Effect(Enum):
    """What keeps a service in trouble."""

    RETRIES = "retries"
    WASTED_WORK = "wasted work"
    COLD_CACHE = "cold cache"
    CAPACITY_LOSS = "capacity loss"


class Phase(Enum):
    """What one window shows."""

    SOUND = "sound"
    SURGE = "surge"
    """Demand is above the usual."""
    SHORT = "short"
    """Demand is usual, throughput is not."""
    STUCK = "stuck"
    """Demand and throughput are usual, goodput is not, and something sustains that."""
    OTHER = "other"
    """It fails otherwise: too few requests, errors of its own, a throughput that nobody measures."""


@dataclass(frozen=True, slots=True)
class Point:
    """What one window adds to the trends."""

    at: float
    good: float
    wanted: float
    piled: float
    admitted: float


@dataclass(frozen=True, slots=True)
class Course:
    """How the trouble of one service has gone so far; the default is none."""

    phase: Phase = Phase.SOUND
    since: float = 0.0
    """When the phase began."""
    other: Phase = Phase.SOUND
    """What the newest window showed, if it was not the phase: one window may be a fluke, two are not."""
    other_since: float = 0.0
    surged: bool = False
    """Whether demand rose in this trouble."""
    timeout: float = 0.0
    """The clients' time-out, read from the latency of calls that ran into it."""
    declared: float = 0.0
    """When it was found metastable; 0 before."""
    effect: Effect | None = None
    points: tuple[Point, ...] = ()
    """The windows of the phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict after one more window, and the values that prove it."""

    verdict: Verdict
    since: float = nan
    """When the trigger ended, or the loss began."""
    effect: Effect | None = None
    goodput: float = nan
    """Successes in time as a share of demand."""
    amplification: float = nan
    wasted: float = nan
    cold: float = nan
    throughput: float = nan
    """Against the usual."""


CALM = Course()
"""No trouble."""

STABLE = Judgement(verdict=Verdict.STABLE)
"""Nothing to tell."""
