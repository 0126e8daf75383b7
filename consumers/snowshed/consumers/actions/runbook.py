"""Prepared plans: what to do about which incidents, how often, and under which conditions; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from snowshed.consumers.actions.executors.base import Executor
from snowshed.schemas.records import ActionKind, ActionMode, Guarantee, IncidentKind, ServiceStatus

__all__ = ["Budget", "Conditions", "Match", "Plan", "Runbook", "Step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which incidents a runbook answers: those that meet all of it; an empty condition is met by all."""

    kinds: frozenset[IncidentKind] = frozenset()
    services: tuple[str, ...] = ()
    """Patterns as in shells."""
    verdicts: frozenset[ServiceStatus] = frozenset()
    """What level 2 must hold of the service."""
    level: int = 0
    """The degrade level that must be in force for the service, or a higher one."""
    confidence: float = 0.0
    open_for: float = 0.0
    """Seconds that the incident must have lasted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many actions may run without a person in any `per` seconds."""

    count: int = 1
    """For each service."""
    total: int = 3
    """For all services."""
    per: float = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What must hold before an action begins; it waits until then, or expires."""

    when_blind: bool = False
    """Whether it may begin while the detector does not see the domain."""
    max_unavailable: float | None = None
    """Share of the service's nodes that may be out, the one acted on included; None for any."""
    spacing: float = 60.0
    """Seconds between two actions of the runbook on one service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One action of a runbook."""

    kind: ActionKind
    executor: Executor
    guarantee: Guarantee = Guarantee.AT_MOST_ONCE
    timeout: float = 60.0
    attempts: int = 3
    """How often an idempotent action is begun, if its executors die or its answers are lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """One prepared plan; a step follows when the one before is done."""

    name: str
    match: Match
    steps: tuple[Step, ...]
    mode: ActionMode = ActionMode.APPROVAL
    budget: Budget = Budget()
    conditions: Conditions = Conditions()
    expires: float = 900.0
    """Seconds after which a proposal that has not begun expires."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All runbooks of an installation."""

    runbooks: tuple[Runbook, ...]
    budget: Budget = field(default_factory=lambda: Budget(count=3, total=10))
    """For all runbooks together."""

    def runbook(self, name: str) -> Runbook | None:
        """The runbook with this name."""
        return self.by_name().get(name)

    def by_name(self) -> Mapping[str, Runbook]:
        """The runbooks by their names."""
        return {runbook.name: runbook for runbook in self.runbooks}

    def step(self, name: str, number: int) -> Step | None:
        """A step, None where it is no longer declared."""
        runbook = self.runbook(name)
        return runbook.steps[number] if runbook is not None and number < len(runbook.steps) else None
