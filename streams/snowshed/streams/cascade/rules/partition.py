"""Services that should reach each other do not: a partition, read from the matrix of calls.

A link is in the matrix where at least `HealthPolicy.partition_calls` calls a window are made on it. It is cut when none
of them has succeeded for two windows. Heartbeats say which services live: the silence of a dead one is no partition.
Where the callee reports what it serves, its own view tells lost requests (it lives and hears nothing of this caller)
from lost answers (it finishes the calls in time, and the caller hears of none), whoever else calls it.

A single node of a caller that does not reach what its siblings reach is found by level 1, which sees each node's calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from snowshed.schemas.records import Cause, IncidentKind, Liveness
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.calls import Calls, Edges
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding
from snowshed.streams.cascade.paths import is_heard, is_unanswered, is_unheard
from snowshed.streams.cascade.rows import Bools, Rows
from snowshed.streams.cascade.streaks import Marks, marked
from snowshed.streams.cascade.views import CURRENT, EdgeView
from snowshed.streams.policy import HealthPolicy, OverloadPolicy, Policy
from snowshed.streams.reachability import Link, Partition, PartitionKind, partitions

__all__ = ["RULE", "ending", "expected", "judge", "marks"]

RULE = "partition/1"
NODE_RULE = "partition-node/1"

_CONFIDENCE: Mapping[PartitionKind, float] = {
    PartitionKind.COMPLETE: 0.9,
    PartitionKind.PARTIAL: 0.85,
    PartitionKind.ONE_WAY: 0.8,
}
_NAMED = 3
_NODE = 0.8
"""Confidence that a node is cut off: its own trouble looks the same."""
_WELL = frozenset({Liveness.ALIVE, Liveness.LEFT})
_GONE = frozenset({Liveness.DEAD, Liveness.LEFT})


def marks(rows: Rows, policy: HealthPolicy) -> Marks:
    """What windows do to streaks of those in which calls were made and none succeeded."""
    ok = rows.window["ok"]
    return marked(bad=expected(rows, policy) & (ok == 0.0), clear=ok > 0.0)


def expected(rows: Rows, policy: HealthPolicy) -> Bools:
    """Whether so many calls were made that their silence means something."""
    return rows.admitted >= policy.partition_calls * np.minimum(rows.window["span"], 1.0)


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """The cuts of each domain, and single nodes that are cut off."""
    yield from _cuts(board, policy, now)
    yield from _cut_off(board, now)


def _cuts(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    if not board.calls.once("cut", "", lambda: _has_cuts(board.calls)):
        return
    dead, living = _liveness(board)
    domains: dict[str, dict[Link, EdgeView]] = {}
    for edges in board.callees.values():
        for edge in edges:
            if now < edge.observed_at + CURRENT and edge.window.callee not in dead:
                domains.setdefault(edge.domain, {})[edge.window.caller, edge.window.callee] = edge
    for domain, links in sorted(domains.items()):
        if not any(edge.cut.windows > 1 for edge in links.values()):
            continue
        matrix = _matrix(links, policy.health)
        unanswered = {link for link in links if _stays_one_way(board, link, links[link], policy.overload)}
        # A callee of whose reports many are missing may hear what it does not tell of.
        untold = {link for link in links if _is_untold(board, link, links[link])}
        unheard = {link for link in links if link[1] in living and is_unheard(links[link])}
        # Calls that the callee hears and does not answer in time are its own affair.
        late = ({link for link in links if is_heard(links[link])} | untold) - unanswered
        matrix = {link: works for link, works in matrix.items() if works or link not in late}
        for cut in partitions(matrix, unheard=unheard, unanswered=unanswered):
            yield _finding(domain, cut, links)


def _has_cuts(calls: Calls) -> bool:
    return any(edge.cut.windows > 1 for edges in calls.callees.values() for edge in edges)


def _with_cut_nodes(calls: Calls) -> Edges:
    return tuple([edge for edges in calls.callees.values() for edge in edges if edge.cut_nodes])


def _cut_off(board: Board, now: float) -> Iterator[Finding]:
    """Single nodes that do not reach a service which their siblings reach.

    A service of which a node does not beat is left out: that node may be the only one that the caller's had in use.
    """
    told = board.calls.once("cut nodes", "", lambda: _with_cut_nodes(board.calls))
    if not told:
        return
    ill = {view.health.service for view in board.nodes.values() if view.health.status not in _WELL}
    gone = {name for name, view in board.nodes.items() if view.health.status in _GONE}
    found: dict[tuple[str, str, str], list[EdgeView]] = {}
    for edge in told:
        if now < edge.observed_at + CURRENT and edge.cut.windows <= 1 and edge.window.callee not in ill:
            for node, _ in edge.cut_nodes:
                if node not in gone:
                    found.setdefault((edge.domain, edge.window.caller, node), []).append(edge)
    for (domain, caller, node), several in sorted(found.items()):
        yield _node_finding(domain, caller, node, several)


def _is_untold(board: Board, link: Link, edge: EdgeView) -> bool:
    """Whether it proves nothing that the callee tells of no calls; what has been found before stays found."""
    if not edge.heard or not board.is_blind(link[1]):
        return False
    return not any(
        kind is IncidentKind.PARTITION and {*link} <= {*case.incident.members}
        for (kind, _), case in board.cases.items()
    )


def _stays_one_way(board: Board, link: Link, edge: EdgeView, policy: OverloadPolicy) -> bool:
    """Whether only the answers are lost; what a cut has once been found to be it stays, though retries blur it."""
    near, far = link
    if board.is_open(IncidentKind.PARTITION, f"{near}|{far}"):
        return False
    return is_unanswered(edge, policy) or (
        edge.cut.windows > 1 and board.is_open(IncidentKind.PARTITION, f"{near}>{far}")
    )


def _liveness(board: Board) -> tuple[set[str], set[str]]:
    """Services with a dead node, and those that have nodes, all of which beat."""
    present = [view.health for view in board.nodes.values() if view.health.status is not Liveness.LEFT]
    dead = {one.service for one in present if one.status is Liveness.DEAD}
    silent = {one.service for one in present if one.status is not Liveness.ALIVE}
    return dead, {one.service for one in present} - silent


def ending(board: Board, case: Case) -> Ending:
    """Calls arrive again, or nobody makes them any more."""
    subject = case.incident.subject
    if subject in board.nodes:
        return Ending(f"Calls of {subject} succeed again, or it makes none any more.")
    return Ending(f"Calls across {subject} arrive again.")


def _matrix(edges: Mapping[Link, EdgeView], policy: HealthPolicy) -> Mapping[Link, bool]:
    return {
        link: not edge.cut.windows > 1 for link, edge in edges.items() if edge.cut.windows > 1 or _works(edge, policy)
    }


def _works(edge: EdgeView, policy: HealthPolicy) -> bool:
    return any(one.ok >= policy.partition_calls * min(one.span, 1.0) for one in (edge.window, edge.judged))


def _finding(domain: str, cut: Partition, edges: Mapping[Link, EdgeView]) -> Finding:
    near, far = cut.near[0], cut.far[0]
    subject = f"{near}>{far}" if cut.kind is PartitionKind.ONE_WAY else f"{near}|{far}"
    return Finding(
        kind=IncidentKind.PARTITION,
        subject=subject,
        domain=domain,
        rule=RULE,
        severity="critical",
        summary=_summary(cut),
        members=(*cut.near, *cut.far),
        causes=tuple(
            Cause(name=edges[link].name, score=1.0 / (rank + 1), reason=f"no call arrives, {cut.kind.value} partition")
            for rank, link in enumerate(cut.links[:_NAMED])
        ),
        evidence=tuple(
            edges[link].place.evidence(
                f"calls of {edges[link].name} that succeeded",
                edges[link].window.ok,
                1.0,
                "calls",
                edges[link].observed_at,
            )
            for link in cut.links
        ),
        confidence=_CONFIDENCE[cut.kind],
    )


def _node_finding(domain: str, caller: str, node: str, edges: list[EdgeView]) -> Finding:
    callees = [edge.window.callee for edge in edges]
    return Finding(
        kind=IncidentKind.PARTITION,
        subject=node,
        domain=domain,
        rule=NODE_RULE,
        severity="warning",
        summary=f"No call of {node} to {', '.join(callees)} succeeds, while those of other nodes of {caller} do: it is "
        "the node or its path.",
        members=(caller, *callees),
        causes=(Cause(name=node, score=1.0, reason=f"does not reach {', '.join(callees)}, which its siblings reach"),),
        evidence=tuple(
            edge.place.evidence(
                f"calls of {node} to {edge.window.callee} since the last success",
                dict(edge.cut_nodes)[node],
                0.0,
                "calls",
                edge.observed_at,
            )
            for edge in edges
        ),
        confidence=_NODE,
    )


def _summary(cut: Partition) -> str:
    near, far = ", ".join(cut.near), ", ".join(cut.far)
    match cut.kind:
        case PartitionKind.COMPLETE:
            return f"{near} and {far} are cut off from each other; each side works by itself."
        case PartitionKind.ONE_WAY:
            return f"Calls from {near} do not arrive at {far}, while those from {far} arrive at {near}."
        case PartitionKind.PARTIAL:
            witness = f"{cut.witness} reaches both" if cut.witness else "calls among others still join them"
            return f"Calls from {near} do not arrive at {far}, while {witness}."
