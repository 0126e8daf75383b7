"""What level 2 decides, and what it tells people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from snowshed.schemas.records.incident import Evidence

__all__ = [
    "Consistency",
    "ConsistencyMode",
    "Decision",
    "DecisionKind",
    "DecisionMode",
    "Notice",
    "PriorityFloor",
    "ScopeKind",
]


class ScopeKind(Enum):
    """What a decision applies to."""

    SERVICE = "service"
    EDGE = "edge"
    API = "api"
    DATASET = "dataset"


class DecisionKind(Enum):
    """Which actuator a decision moves."""

    RATE = "rate"
    RETRY = "retry"
    BREAKER = "breaker"
    DEGRADE = "degrade"
    CONSISTENCY = "consistency"


class DecisionMode(Enum):
    """Whether a Guard acts on a decision or only counts what it would have done."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class ConsistencyMode(Enum):
    """What readers and writers of a dataset should do."""

    NONE = "none"
    PREFER = "prefer"
    SERVE_STALE = "serve_stale"
    FENCE = "fence"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityFloor:
    """The lowest priority still admitted: class 0 (highest) to 3, cohort 0 to 127 within it."""

    level: int
    cohort: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """Where a dataset may be read from and how stale an answer may be."""

    mode: ConsistencyMode
    bound: float | None = None
    """Seconds of staleness a reader may accept."""
    avoid: tuple[str, ...] = ()
    """Replicas that are too stale to read from or, under a fence, servers that take no writes; empty there for all."""
    prefer: tuple[str, ...] = ()
    """Servers to read from, freshest first."""
    ages: tuple[float, ...] = ()
    """How old an answer of each of `prefer`, then of `avoid`, was at most when this was issued; NaN if not known."""
    marked: bool = False
    """Whether a read that no server answers within the bound is answered and marked, instead of refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One setting of one actuator for one scope, with its reason; a higher (epoch, seq) replaces a lower one."""

    decision_id: str
    domain: str
    scope: str
    """A service, `caller>callee`, an API or a dataset."""
    scope_kind: ScopeKind
    kind: DecisionKind
    active: bool
    """False lifts the decision: the actuator goes back to local-only over one ttl."""
    epoch: int
    seq: int
    issued_at: float
    ttl: float
    mode: DecisionMode = DecisionMode.ENFORCE
    rate_multiplier: float | None = None
    """Multiplies the rate from before the incident."""
    absolute_cap: float | None = None
    """Requests per second over the whole fleet."""
    per_instance_fallback: float | None = None
    """Requests per second for one process."""
    priority_floor: PriorityFloor | None = None
    retry_budget: float | None = None
    """Retries allowed as a fraction of first attempts."""
    attempt_cap: int | None = None
    timeout: float | None = None
    p_reject: float | None = None
    degrade_level: int | None = None
    consistency: Consistency | None = None
    reason: str
    incident_id: str = ""
    evidence: tuple[Evidence, ...] = ()
    confidence: float
    features_off: tuple[str, ...] = ()
    """Features of the policy that are switched off at this degrade level."""
    order_id: str = ""
    """The operator's order behind it; empty for one of level 2's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message for people: an incident opened, changed or closed."""

    notice_id: str
    incident_id: str
    domain: str
    severity: str
    title: str
    text: str
    issued_at: float
