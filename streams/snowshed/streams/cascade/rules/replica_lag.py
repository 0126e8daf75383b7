"""A replica is too stale, or nothing is known of it: readers are sent to fresher servers, and writes wait if none is.

A source that stopped writing markers opens an incident too, but nobody is steered away from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import isnan

from snowshed.schemas.records import (
    Consistency,
    ConsistencyMode,
    DecisionKind,
    IncidentKind,
    LagStatus,
    ScopeKind,
)
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding, Setting
from snowshed.streams.cascade.rules.write_throttle import throttled
from snowshed.streams.cascade.views import LagView
from snowshed.streams.policy import Policy

__all__ = ["RULE", "ending", "judge"]

RULE = "replica-lag/1"

_CONFIDENCE = {LagStatus.FRESH: 0.9, LagStatus.BEHIND: 0.99, LagStatus.UNKNOWN: 0.6}


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """Servers that are behind or unknown, each asking for the same settings: where to read, and whose writes wait."""
    del now  # level 1 has already judged by the clock
    for dataset, servers in board.datasets.items():
        steered = None if policy.protects_dataset(dataset) else _setting(dataset, servers)
        slowed = throttled(board, dataset, policy)
        settings = tuple(setting for setting in (steered, slowed) if setting is not None)
        late = [server for server in servers if server.lag.status is not LagStatus.FRESH and not server.is_quorum]
        yield from (_finding(server, settings) for server in late)
        if slowed is not None and not late:
            # Within the objective still: nobody need know of it but the leader.
            replica = next(server for server in servers if not server.is_source and not server.is_quorum)
            yield replace(_finding(replica, (slowed,)), opens=False)


def ending(board: Board, case: Case) -> Ending:
    """Fresh again, or forgotten."""
    dataset, _, replica = case.incident.subject.rpartition("/")
    server = next((item for item in board.datasets.get(dataset, ()) if item.lag.replica == replica), None)
    if server is None:
        return Ending(f"Nothing was heard of {replica} of {dataset} for so long that it is forgotten.", quiet=True)
    if server.is_source:
        return Ending(f"{replica}, the source of {dataset}, writes markers again.")
    return Ending(f"Replica {replica} of {dataset} is at most {server.lag.high:.1f} s behind again.")


def _setting(dataset: str, servers: list[LagView]) -> Setting | None:
    late = [server for server in servers if server.lag.status is not LagStatus.FRESH and not server.is_source]
    if not late:
        return None
    fresh = [server for server in servers if server.lag.status is LagStatus.FRESH]
    fresh.sort(key=lambda server: (server.is_source, server.lag.high, server.lag.replica))
    avoid = tuple(sorted(server.lag.replica for server in late))
    prefer = tuple(server.lag.replica for server in fresh)
    return Setting(
        scope=dataset,
        scope_kind=ScopeKind.DATASET,
        kind=DecisionKind.CONSISTENCY,
        rule="steer-reads/1",
        reason=f"read {dataset} from {' or '.join(prefer) or 'elsewhere'}: {', '.join(avoid)} may be too stale",
        consistency=Consistency(mode=ConsistencyMode.PREFER, bound=late[0].lag.slo, avoid=avoid, prefer=prefer),
    )


def _finding(server: LagView, settings: tuple[Setting, ...]) -> Finding:
    lag = server.lag
    return Finding(
        kind=IncidentKind.REPLICA_LAG,
        subject=f"{lag.dataset}/{lag.replica}",
        domain=lag.domain,
        rule=RULE,
        severity="warning",
        summary=_summary(server),
        members=(lag.replica,),
        evidence=(
            server.place.evidence(f"least lag of {lag.replica}", lag.low, lag.slo, "s", lag.observed_at),
            server.place.evidence(f"greatest lag of {lag.replica}", lag.high, lag.slo, "s", lag.observed_at),
        ),
        confidence=_CONFIDENCE[lag.status],
        settings=settings,
    )


def _summary(server: LagView) -> str:
    lag = server.lag
    if server.is_source:
        return f"{lag.replica}, the source of {lag.dataset}, has stopped writing markers: lag cannot be measured."
    if lag.status is LagStatus.BEHIND:
        reach = "" if isnan(lag.high) else f" and at most {lag.high:.1f} s"
        return f"Replica {lag.replica} of {lag.dataset} is at least {lag.low:.1f} s{reach} behind its source."
    lost = f" {lag.note}." if lag.note and not lag.condition else ""
    return (
        f"Nobody knows how far replica {lag.replica} of {lag.dataset} is behind: its markers stopped or prove nothing."
        f"{lost}"
    )
