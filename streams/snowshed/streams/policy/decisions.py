"""What all decisions share. The marks are those of `policy.policy`."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.schemas.records import DecisionMode

__all__ = ["DecisionPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPolicy:
    """What all decisions share."""

    ttl: float = 10.0
    """Life of a decision, and the time an actuator takes to relax after it; renewed at half of it [P]."""
    mode: DecisionMode = DecisionMode.ENFORCE
    """SHADOW makes every decision one that is counted but changes nothing."""
    detector_lag: float = 3.0
    """A detector further behind than this tightens nothing [P]."""
    lost_share: float = 0.1
    """Share of a callee's calls, missing because reports were lost, above which it is partly blind: from a tenth on a
    fall counts as lost capacity, `MetastablePolicy.flat` [P]."""
    lost_over: float = 10.0
    """Seconds over which that share is taken: a lost report in ten of a single reporter is none [P]."""
    update: float = 1.0
    """Shortest time between two updates of an open incident [P]."""
    remember: float = 3600.0
    """Time after which what was last heard of a node, an edge or a replica is forgotten [P]."""
