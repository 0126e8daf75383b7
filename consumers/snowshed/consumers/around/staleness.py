"""How old an answer may be that is served from a cache; pure."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.consumers.decisions.effective import Effective
from snowshed.schemas.records import ConsistencyMode

__all__ = ["Staleness", "allowed_staleness"]

_STALE_FROM_LEVEL = 2


@dataclass(frozen=True, slots=True)
class Staleness:
    """What is allowed beyond the time for which an answer is fresh."""

    unasked: float
    """Seconds up to which an answer is served without asking for a newer one; 0 for none."""
    unanswered: float
    """Seconds up to which an answer may stand in for one that was not to be had; 0 for none."""


def allowed_staleness(effective: Effective, bound: float) -> Staleness:
    """What is in force says about answers that the caller would accept up to `bound` seconds old.

    From degrade level 2 on, and when a decision says to serve stale answers, the callee is spared. A decision's own
    bound lowers the caller's. On the side of a cut that is fenced nothing stale is served.
    """
    consistency = effective.consistency
    mode = ConsistencyMode.NONE if consistency is None else consistency.mode
    if mode is ConsistencyMode.FENCE:
        return Staleness(0.0, 0.0)
    if consistency is not None and consistency.bound is not None:
        bound = min(bound, consistency.bound)
    is_spared = effective.degrade_level >= _STALE_FROM_LEVEL or mode is ConsistencyMode.SERVE_STALE
    return Staleness(bound if is_spared else 0.0, bound)
