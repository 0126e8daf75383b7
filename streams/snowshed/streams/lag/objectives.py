"""Whether a dataset keeps its staleness objective, how fast it spends its error budget, and whom that should wake.

The SRE Workbook's multi-window, multi-burn-rate alerts (Beyer et al. 2018, chapter 5). With an objective of 99.9 % the
budget is 0.1 % of the period; a burn rate of 1 spends it exactly by the period's end::

    burn = bad share over a window / (1 − target)

An alert needs the rate over a long window, so that it matters, and over a short one of a twelfth, so that it ends when
the trouble ends. What is counted is up to the caller: seconds that a replica was fresh or behind, writes seen in time
or late. Time in which nothing is known counts as neither; it is for another alarm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from math import floor

__all__ = ["BURN_RULES", "Budget", "BurnRule", "Objective", "Outlook", "Severity", "Window", "outlook", "spend"]

_SLOTS = 12
_MINUTE = 60.0
_HOUR = 3600.0
_DAY = 86400.0


class Severity(Enum):
    """Who has to act on a budget that burns."""

    NONE = "none"
    TICKET = "ticket"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class Objective:
    """The share of good that is promised over a period.

    Raises:
        ValueError: the target leaves no budget, or the period is not longer than the rules' windows.
    """

    target: float = 0.999
    period: float = 30 * _DAY

    def __post_init__(self) -> None:
        if not 0.0 < self.target < 1.0:
            raise ValueError(f"target {self.target!r} must lie between 0 and 1: a promise of 1 has no budget")
        longest = max(rule.long for rule in BURN_RULES)
        if self.period <= longest:
            raise ValueError(f"period {self.period!r} s is not longer than the longest window of {longest:.0f} s")


@dataclass(frozen=True, slots=True)
class BurnRule:
    """An alert: both windows burn at least `factor` times as fast as the budget allows."""

    factor: float
    long: float
    short: float
    severity: Severity


BURN_RULES = (
    BurnRule(14.4, _HOUR, 5 * _MINUTE, Severity.PAGE),
    BurnRule(6.0, 6 * _HOUR, 30 * _MINUTE, Severity.PAGE),
    BurnRule(3.0, _DAY, 2 * _HOUR, Severity.TICKET),
    BurnRule(1.0, 3 * _DAY, 6 * _HOUR, Severity.TICKET),
)
"""2, 5, 10 and 10 % of a 30-day budget gone in the long window (SRE Workbook, table 5-8)."""


@dataclass(frozen=True, slots=True)
class Window:
    """Good and bad over a sliding span, in twelve slots: it covers between 11/12 and all of the span."""

    span: float
    slots: tuple[tuple[int, float, float], ...] = ()
    """(slot number, good, bad)"""


@dataclass(frozen=True, slots=True)
class Budget:
    """What is remembered of a dataset: constant size."""

    windows: tuple[Window, ...]

    @classmethod
    def empty(cls, objective: Objective) -> Budget:
        """Nothing counted yet."""
        spans = {span for rule in BURN_RULES for span in (rule.long, rule.short)}
        return cls(tuple(Window(span) for span in sorted(spans | {objective.period})))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How a dataset stands against its objective."""

    severity: Severity
    burning: tuple[BurnRule, ...]
    """The rules that hold, gravest first."""
    burn: float
    """Rate over the longest of the rules' short windows."""
    remaining: float
    """Share of the period's budget that is left; negative when the objective is missed."""


def spend(budget: Budget, at: float, *, good: float = 0.0, bad: float = 0.0) -> Budget:
    """The budget after something good or bad at `at`; what comes too late for a window is not counted in it."""
    return replace(budget, windows=tuple(_added(window, at, good, bad) for window in budget.windows))


def outlook(budget: Budget, objective: Objective, now: float) -> Outlook:
    """How the dataset stands at `now`."""
    burns = {window.span: _bad_share(window, now) / (1.0 - objective.target) for window in budget.windows}
    burning = tuple(rule for rule in BURN_RULES if min(burns[rule.long], burns[rule.short]) >= rule.factor)
    return Outlook(
        severity=burning[0].severity if burning else Severity.NONE,
        burning=burning,
        burn=burns[max(rule.short for rule in BURN_RULES)],
        remaining=1.0 - burns[objective.period],
    )


def _number(window: Window, at: float) -> int:
    return floor(at / (window.span / _SLOTS))


def _added(window: Window, at: float, good: float, bad: float) -> Window:
    number = _number(window, at)
    newest = max([number, *(slot[0] for slot in window.slots)])
    kept = {slot[0]: slot for slot in window.slots if slot[0] > newest - _SLOTS}
    if number > newest - _SLOTS:
        _, had_good, had_bad = kept.get(number, (number, 0.0, 0.0))
        kept[number] = (number, had_good + good, had_bad + bad)
    return replace(window, slots=tuple(kept[key] for key in sorted(kept)))


def _bad_share(window: Window, now: float) -> float:
    oldest = _number(window, now) - _SLOTS
    counted = [slot for slot in window.slots if slot[0] > oldest]
    bad = sum(slot[2] for slot in counted)
    total = bad + sum(slot[1] for slot in counted)
    return bad / total if total else 0.0
