"""A cut runs between the servers of a dataset whose policy says what it keeps then: consistency or availability.

`cp`: the side that the store proves to be without a majority takes no writes until the store proves the contrary.
`ap`: every side answers within the dataset's bound, and answers are marked with their age.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isnan

from snowshed.schemas.records import (
    Consistency,
    ConsistencyMode,
    DecisionKind,
    IncidentKind,
    Liveness,
    ScopeKind,
)
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding, Setting
from snowshed.streams.cascade.views import CURRENT, LagView
from snowshed.streams.consistency import Cut, Evidence, Stance, answers, fenced, marking, reaching, sides
from snowshed.streams.policy import Beyond, Declared, Policy
from snowshed.streams.quorum import QuorumStatus
from snowshed.streams.reachability import Link

__all__ = ["RULE", "ages_of", "ending", "judge", "stances"]

RULE = "consistency/1"

_COMMITS: Mapping[str, bool] = {
    QuorumStatus.HEALTHY.value: True,
    QuorumStatus.DEGRADED.value: True,
    QuorumStatus.CRITICAL.value: True,
    QuorumStatus.LOST.value: False,
}
_CONFIDENCE = 0.95


def stances(board: Board, policy: Policy, now: float) -> dict[str, Stance]:
    """How each dataset that declares its consistency stands now."""
    declared = [dataset for dataset in policy.datasets if policy.consistency_of(dataset)[0] is not None]
    if not declared:
        return {}
    links = _links(board, policy, now)
    found = (_stance(board, policy, dataset, links, now) for dataset in declared)
    return {stance.dataset: stance for stance in found if stance is not None}


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """Datasets of which something is decided, each asking for one setting."""
    for dataset, stance in board.stances.items():
        setting = _fence(board, policy, stance) if stance.fenced else _marks(board, policy, dataset, now)
        yield _finding(board, stance, setting)


def ending(board: Board, case: Case) -> Ending:
    """The servers are together again, or the policy no longer says anything."""
    del board
    return Ending(f"{case.incident.subject} needs neither a fence nor marks any more.")


def ages_of(servers: list[LagView], now: float) -> dict[str, float]:
    """How old an answer of each server is at most now; NaN where its lag is not known."""
    views = [server for server in servers if not server.is_quorum]
    return {
        view.lag.replica: 0.0 if view.is_source else view.lag.high + max(now - view.lag.observed_at, 0.0)
        for view in views
    }


def _stance(board: Board, policy: Policy, dataset: str, links: Mapping[Link, bool], now: float) -> Stance | None:
    declared, bound = policy.consistency_of(dataset)
    if declared is None or policy.protects_dataset(dataset):
        return None
    held = board.stances.get(dataset)
    evidence = _evidence(board, policy, dataset, now)
    places = _places(board, policy, dataset)
    cut = Cut(
        dataset=dataset,
        domain=policy.domain_of_dataset(dataset),
        sides=sides(places, links, evidence),
        evidence=evidence,
        reaching=frozenset() if evidence is None else reaching(places, links, evidence.inside),
    )
    if declared is Declared.CP:
        return fenced(held, cut, now, unfence=policy.consistency.unfence)
    ages = ages_of(board.datasets.get(dataset, []), now).values()
    return marking(held, cut, ages, now, bound=bound or 0.0, fresh=policy.consistency.fresh)


def _places(board: Board, policy: Policy, dataset: str) -> Mapping[str, str]:
    own, group = policy.datasets[dataset], policy.quorums.get(_group(policy, dataset))
    servers = {server.lag.replica for server in board.datasets.get(dataset, ()) if not server.is_quorum}
    voters = () if group is None else group.voters
    return {server: own.places.get(server, server) for server in sorted({*servers, *voters})}


def _group(policy: Policy, dataset: str) -> str:
    return policy.datasets[dataset].quorum or dataset


def _quorum(board: Board, policy: Policy, dataset: str) -> LagView | None:
    return next((view for view in board.datasets.get(_group(policy, dataset), ()) if view.is_quorum), None)


def _evidence(board: Board, policy: Policy, dataset: str, now: float) -> Evidence | None:
    view = _quorum(board, policy, dataset)
    if view is None or now > view.lag.observed_at + policy.consistency.evidence:
        return None
    group = policy.quorums.get(_group(policy, dataset))
    return Evidence(
        report=view.lag.evidence_offset,
        commits=_COMMITS.get(view.lag.condition),
        inside=frozenset(view.lag.inside),
        voters=frozenset() if group is None else frozenset(group.voters),
    )


def _links(board: Board, policy: Policy, now: float) -> Mapping[Link, bool]:
    """The matrix of calls, without services that have a dead node: their silence is no cut."""
    dead = {view.health.service for view in board.nodes.values() if view.health.status is Liveness.DEAD}
    links: dict[Link, bool] = {}
    for edges in board.callees.values():
        for edge in edges:
            window = edge.window
            works = window.ok >= policy.health.partition_calls * min(window.span, 1.0)
            speaks = now < edge.observed_at + CURRENT and window.callee not in dead
            if speaks and (works or edge.cut.windows > 1):
                links[window.caller, window.callee] = works
    return links


def _fence(board: Board, policy: Policy, stance: Stance) -> Setting:
    servers = _places(board, policy, stance.dataset)
    free = tuple(server for server in servers if server not in stance.fenced)
    return _setting(
        stance.dataset,
        "fence/1",
        f"{', '.join(stance.fenced)} of {stance.dataset} take no writes: they are cut off from the majority, as the "
        "store itself says",
        Consistency(mode=ConsistencyMode.FENCE, avoid=stance.fenced, prefer=free),
    )


def _marks(board: Board, policy: Policy, dataset: str, now: float) -> Setting:
    bound = policy.consistency_of(dataset)[1] or 0.0
    found = answers(ages_of(board.datasets.get(dataset, []), now), bound)
    return _setting(
        dataset,
        "serve-stale/1",
        f"{dataset} is answered on every side of the cut, at most {bound:g} s old and marked with its age",
        Consistency(
            mode=ConsistencyMode.SERVE_STALE,
            bound=bound,
            prefer=tuple(server for server, _ in found.within),
            avoid=tuple(server for server, _ in found.beyond),
            ages=tuple(age for _, age in (*found.within, *found.beyond)),
            marked=policy.datasets[dataset].beyond is Beyond.SERVE_MARKED,
        ),
    )


def _setting(dataset: str, rule: str, reason: str, consistency: Consistency) -> Setting:
    return Setting(
        scope=dataset,
        scope_kind=ScopeKind.DATASET,
        kind=DecisionKind.CONSISTENCY,
        rule=rule,
        reason=reason,
        consistency=consistency,
    )


def _finding(board: Board, stance: Stance, setting: Setting) -> Finding:
    views = board.datasets.get(stance.dataset, [])
    return Finding(
        kind=IncidentKind.DIVIDED,
        subject=stance.dataset,
        domain=stance.domain,
        rule=RULE,
        severity="critical",
        summary=f"The servers of {stance.dataset} are cut off from each other: {setting.reason}.",
        members=(stance.dataset,),
        evidence=tuple(
            view.place.evidence(
                f"greatest lag of {view.lag.replica}", view.lag.high, view.lag.slo, "s", view.lag.observed_at
            )
            for view in views
            if not isnan(view.lag.high)
        ),
        confidence=_CONFIDENCE,
        settings=(setting,),
    )
