"""The degrade levels as a table: what each does, what calls for it, and how it is left.

A level is entered as soon as its condition holds, from any level below it. It is left for the next lower one, and for
no other, after it has been held for the dwell and everything has been clear for its clean time. Level 4 is left by the
exit programme alone. A clear signal is below half of what makes it a bad one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["ENTRIES", "LEVELS", "METASTABLE", "Entry", "Ladder", "Level", "Signs", "climbed"]

METASTABLE = 4
"""The level of the exit programme."""


@dataclass(frozen=True, slots=True)
class Level:
    """What one level does."""

    retry_budget: float | None
    """Retries a first attempt; None leaves the budget that rules ask for."""
    cuts: bool
    """Whether the inflow is limited."""
    breaks: bool = False
    """Whether the breaker on the trigger's calls acts."""


LEVELS: tuple[Level, ...] = (
    Level(None, cuts=False),
    Level(None, cuts=False),
    Level(None, cuts=True),
    Level(0.0, cuts=True, breaks=True),
    Level(0.0, cuts=True),
)
"""From normal (0) to the exit programme (4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What calls for a level now."""

    overloaded: bool
    """In two windows on end."""
    clear: bool
    may_cut: bool
    """Whether its inflow may be cut."""
    fails: bool
    """Whether the budgets of level 1 have had their chance (`control.trial`)."""
    starves: bool
    """Whether what is left of the calls fails as well, the critical ones among them, although others are shed."""
    spreads: bool
    """Whether a declared cascade started here."""
    metastable: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One condition for one level."""

    level: int
    holds: Callable[[Signs], bool]


ENTRIES: tuple[Entry, ...] = (
    Entry(METASTABLE, lambda signs: signs.overloaded and signs.metastable),
    Entry(3, lambda signs: signs.overloaded and signs.may_cut and signs.spreads),
    Entry(3, lambda signs: signs.overloaded and signs.may_cut and signs.starves),
    Entry(2, lambda signs: signs.overloaded and signs.may_cut and signs.fails),
    Entry(1, lambda signs: signs.overloaded),
)
"""The highest first."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """Which level is held, and since when."""

    level: int = 0
    entered: float = 0.0
    clean_since: float = 0.0
    """Since when everything is clear; 0 while something is not."""


def climbed(held: Ladder, signs: Signs, now: float, *, clean: Sequence[float], dwell: float) -> Ladder:
    """The ladder after one step.

    Args:
        held: the ladder so far.
        signs: what calls for a level.
        now: time of the step.
        clean: clean seconds before each level from 1 on is left; the last one also holds for all above.
        dwell: shortest time at a level.
    """
    clear = signs.clear and not signs.spreads
    clean_since = (held.clean_since or now) if clear else 0.0
    if clean_since != held.clean_since:
        held = Ladder(held.level, held.entered, clean_since)
    wanted = _called_for(signs)
    if wanted > held.level:
        return Ladder(wanted, now, held.clean_since)
    if held.level in {0, METASTABLE} or not held.clean_since:
        return held
    patience = clean[min(held.level, len(clean)) - 1]
    if now >= held.clean_since + patience and now >= held.entered + dwell:
        return Ladder(held.level - 1, now, now)
    return held


def _called_for(signs: Signs) -> int:
    for entry in ENTRIES:
        if entry.holds(signs):
            return entry.level
    return 0
