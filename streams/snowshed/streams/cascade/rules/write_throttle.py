"""Every replica of a dataset falls behind its leader: the leader sheds writes by priority.

Reads go to a fresher replica first; this is what is left when there is none. Uber's database manager drives its
admission by the followers' commit lag in the same way. Where the leader is itself held at a degrade level, that stands.
"""

from __future__ import annotations

from math import isnan

from snowshed.schemas.propagation import COHORTS
from snowshed.schemas.records import DecisionKind, PriorityFloor, ScopeKind
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.findings import Setting
from snowshed.streams.consistency import EVERYTHING, Replication, WriteLaw, WriteThrottle, slowed
from snowshed.streams.policy import Policy

__all__ = ["throttled", "throttles"]


def throttles(board: Board, policy: Policy, now: float) -> dict[str, WriteThrottle]:
    """The throttle of each dataset that names its leader and needs one."""
    law = _law(policy)
    found: dict[str, WriteThrottle] = {}
    for dataset, named in policy.datasets.items():
        seen = _freshest(board, dataset)
        held = board.writes.get(dataset)
        if not named.leader or policy.protects(named.leader):
            continue
        new = held if seen is None else slowed(held, dataset, seen, now, law)
        if new is not None:
            found[dataset] = new
    return found


def throttled(board: Board, dataset: str, policy: Policy) -> Setting | None:
    """The lowest priority that the dataset's leader admits, or None where its writes go on as they are."""
    held = board.writes.get(dataset)
    if held is None or held.lowest >= EVERYTHING:
        return None
    leader = policy.datasets[dataset].leader
    if leader in board.throttles:
        return None
    level, cohort = divmod(int(held.lowest), COHORTS)
    return Setting(
        scope=leader,
        scope_kind=ScopeKind.SERVICE,
        kind=DecisionKind.DEGRADE,
        rule="throttle-writes/1",
        reason=f"every replica of {dataset} falls behind {leader}: writes of low priority wait",
        priority_floor=PriorityFloor(level=level, cohort=cohort),
    )


def _law(policy: Policy) -> WriteLaw:
    return WriteLaw(
        begin=policy.consistency.throttle_from,
        drain=policy.consistency.throttle_drain,
        exponent=policy.overload.exponent,
        largest_cut=policy.overload.largest_cut,
        largest_rise=policy.overload.largest_rise,
    )


def _freshest(board: Board, dataset: str) -> Replication | None:
    """The replica that is behind by the least, of those whose lag is known."""
    replicas = [view.lag for view in board.datasets.get(dataset, ()) if not view.is_source and not view.is_quorum]
    known = [lag for lag in replicas if not isnan(lag.high)]
    if not known:
        return None
    best = min(known, key=lambda lag: lag.high)
    return Replication(best.observed_at, best.high, best.slo)
