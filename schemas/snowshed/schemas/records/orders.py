"""What an operator decides, in order with what level 2 judges by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from snowshed.schemas.records.control import ScopeKind

__all__ = ["OperatorAction", "OperatorOrder"]


class OperatorAction(Enum):
    """What becomes of a scope's decisions."""

    PIN = "pin"
    """The actuator is set to the order's values, whatever level 2 would decide."""
    VETO = "veto"
    """Nothing is decided: what is in force is lifted."""
    FREEZE = "freeze"
    """What is in force stays as it is, and nothing else is decided."""
    RELEASE = "release"
    """Level 2 decides again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorOrder:
    """An operator's own decision about one scope; a later one about the same actuators replaces it."""

    order_id: str
    domain: str
    scope: str
    """A service, `caller>callee` or a dataset."""
    scope_kind: ScopeKind
    action: OperatorAction
    actuator: str = ""
    """The kind of decision that it is about; empty for all of the scope."""
    rate_multiplier: float | None = None
    """As in `Decision`, for a pin; so are the next three."""
    retry_budget: float | None = None
    p_reject: float | None = None
    degrade_level: int | None = None
    ttl: float | None = None
    """Seconds that it holds; None until it is released."""
    ordered_at: float
    author: str
    """Who ordered it."""
    reason: str
    """Why, in their own words."""
