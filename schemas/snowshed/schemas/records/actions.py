"""What is done about incidents: one record for each state of an action, and the word of a person on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["ActionKind", "ActionMode", "ActionOrder", "ActionState", "ActionStatus", "Guarantee", "OrderVerdict"]


class ActionKind(Enum):
    """What an action does to its target."""

    RESTART = "restart"
    SCALE_OUT = "scale_out"
    MIGRATE = "migrate"
    PROMOTE_REPLICA = "promote_replica"
    DRAIN = "drain"
    CUSTOM = "custom"


class ActionMode(Enum):
    """Who lets an action run."""

    APPROVAL = "approval"
    """A person."""
    AUTOMATIC = "automatic"
    """Its budget, and a person once that is spent."""
    DRY_RUN = "dry_run"
    """Nobody: it only says what it would do."""


class Guarantee(Enum):
    """What a runbook says of running its action twice."""

    AT_MOST_ONCE = "at_most_once"
    """It must not be: after a crash a person is asked."""
    IDEMPOTENT = "idempotent"
    """It may be: with the same key a second run changes nothing more."""


class ActionStatus(Enum):
    """How far an action has come."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    CLAIMED = "claimed"
    """An executor has it and has not begun."""
    RUNNING = "running"
    """It has begun, or may have."""
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It may have been done or not: its executor died, or the answer was lost."""
    REFUSED = "refused"
    EXPIRED = "expired"
    REHEARSED = "rehearsed"
    """A dry run has said what would be done."""


class OrderVerdict(Enum):
    """What a person says of a proposed action."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionState:
    """An action as it stands after one step; a higher `seq` replaces a lower one."""

    action_id: str
    """Follows from incident, runbook and step; also the key that an executor hands on."""
    seq: int
    runbook: str
    step: int
    kind: ActionKind
    executor: str
    target: str
    """What is acted on, in words."""
    mode: ActionMode
    guarantee: Guarantee
    status: ActionStatus
    at: float
    by: str
    """Who brought it here: an executor, a person or a rule."""
    reason: str
    domain: str
    service: str
    node: str = ""
    """The node acted on, where it is one."""
    incident_id: str
    decision_id: str = ""
    """The newest decision of the incident when the action was proposed."""
    proposed_at: float
    expires_at: float
    """An action that has not begun by then never does."""
    claimed_at: float | None = None
    """When an executor last took it; it counts against budgets since."""
    attempt: int = 0
    """How often it was begun."""
    output: str = ""
    """The end of what it printed or answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOrder:
    """A person's word on an action."""

    action_id: str
    verdict: OrderVerdict
    by: str
    at: float
    reason: str = ""
