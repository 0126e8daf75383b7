"""What a Guard tells about itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from snowshed.consumers.admission.decided import Brake, Refusal
from snowshed.consumers.decisions.effective import Effective
from snowshed.consumers.local import LocalStats
from snowshed.consumers.permit import Outcome
from snowshed.schemas.propagation import Criticality

__all__ = ["GuardEvent", "GuardStats"]


@dataclass(frozen=True, slots=True)
class GuardEvent:
    """A call was refused, or would have been by a shadow decision."""

    scope: str
    operation: str
    criticality: Criticality
    attempt: int
    refusal: Refusal
    enforced: bool
    """False when the call went on because the decision is only a shadow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardStats:
    """What a Guard has done since it was made, and what it obeys."""

    admitted: int
    in_flight: int
    rejected: dict[Brake, int]
    would_have_rejected: dict[Criticality, int]
    """Calls that shadow decisions would have refused, by class."""
    outcomes: dict[Outcome, int]
    baseline: float | None
    """Admitted first attempts per second, frozen while a decision is in force; None until it is known."""
    effective: Effective
    last_explanation: str
    """Why the last refused call was refused; empty before the first."""
    local: LocalStats = field(default_factory=LocalStats)
    """Where the local brakes stand."""
