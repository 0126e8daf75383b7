"""A dataset's error budget as part of the fold's state."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.streams.lag.objectives import Budget, Objective, spend

__all__ = ["Spending", "spent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What the replicas of a dataset have spent: seconds fresh and seconds behind, summed over them."""

    appended: float
    period: float
    budget: Budget


def spent(spending: Spending | None, objective: Objective, at: float, *, good: float, bad: float) -> Spending:
    """The budget after some more seconds."""
    budget = spending.budget if spending else Budget.empty(objective)
    return Spending(appended=at, period=objective.period, budget=spend(budget, at, good=good, bad=bad))
