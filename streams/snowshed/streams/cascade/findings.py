"""What a rule hands on: a condition that holds, and the settings that would contain it."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.schemas.records import (
    Cause,
    Consistency,
    DecisionKind,
    Evidence,
    IncidentKind,
    PriorityFloor,
    ScopeKind,
)

__all__ = ["Ending", "Finding", "Setting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What one actuator should be set to; fields as in `Decision`."""

    scope: str
    scope_kind: ScopeKind
    kind: DecisionKind
    rule: str
    reason: str
    rate_multiplier: float | None = None
    absolute_cap: float | None = None
    per_instance_fallback: float | None = None
    retry_budget: float | None = None
    attempt_cap: int | None = None
    p_reject: float | None = None
    degrade_level: int | None = None
    priority_floor: PriorityFloor | None = None
    features_off: tuple[str, ...] = ()
    timeout: float | None = None
    consistency: Consistency | None = None

    @property
    def key(self) -> str:
        """Key of the actuator on the decisions topic."""
        return f"{self.scope}|{self.kind.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A condition that holds now; fields as in `Incident`."""

    kind: IncidentKind
    subject: str
    domain: str
    rule: str
    severity: str
    """`warning` or `critical`."""
    summary: str
    members: tuple[str, ...]
    causes: tuple[Cause, ...] = ()
    evidence: tuple[Evidence, ...]
    confidence: float
    predicted: tuple[str, ...] = ()
    entry_share: float | None = None
    patience: float = 0.0
    """Seconds that it must last before people are told."""
    settings: tuple[Setting, ...] = ()
    acute: bool = True
    """Whether it holds at this moment, and is not merely held open until it has stayed away."""
    opens: bool = True
    """Whether it is worth an incident; where not, it only asks for its settings."""

    @property
    def key(self) -> str:
        """State key of its incident."""
        return f"incident/{self.kind.value}/{self.subject}"


@dataclass(frozen=True, slots=True)
class Ending:
    """How an incident ended."""

    summary: str
    quiet: bool = False
    """Whether people need not be told."""
