"""The degrade brake: which classes of calls a level still admits, and what it leaves of the retry budget; pure."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.schemas.propagation import COHORTS, Criticality

__all__ = ["LEVELS", "DegradeLevel", "bounded", "degrade_level", "priority"]


@dataclass(frozen=True, slots=True)
class DegradeLevel:
    """What one degrade level means for admission."""

    lowest: Criticality
    """The least critical class that is admitted."""
    retry_budget: float | None
    """The most that is left of the retry budget; None leaves it alone."""


LEVELS: tuple[DegradeLevel, ...] = (
    DegradeLevel(Criticality.SHEDDABLE, None),
    DegradeLevel(Criticality.SHEDDABLE, 0.05),
    DegradeLevel(Criticality.SHEDDABLE, 0.05),
    DegradeLevel(Criticality.CRITICAL, 0.0),
    DegradeLevel(Criticality.CRITICAL_PLUS, 0.0),
)
"""From normal (0) to the programme that leaves a metastable state (4)."""


def degrade_level(level: int) -> DegradeLevel:
    """The meaning of a level; one beyond the table means what the last one does."""
    return LEVELS[max(0, min(level, len(LEVELS) - 1))]


def bounded(criticality: int, cohort: int) -> tuple[Criticality, int]:
    """A class and a cohort that exist: what lies outside is taken for the nearest that does."""
    return Criticality(max(0, min(criticality, max(Criticality)))), max(0, min(cohort, COHORTS - 1))


def priority(criticality: int, cohort: int) -> int:
    """One number for class and cohort, each as `bounded`: 0 is kept longest, LOWEST_PRIORITY goes first."""
    criticality, cohort = bounded(criticality, cohort)
    return criticality * COHORTS + cohort
