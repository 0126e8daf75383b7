"""A node is dead: level 1 says so, or its callers confirm a suspicion.

A suspicion that n callers confirm becomes a conviction after T(n) = max − (max − min)·ln(n + 1)/ln(k + 1), the form of
SWIM and Lifeguard; max is level 1's own patience, so that confirmation only ever hastens the verdict. A caller confirms
when the share of its calls that time out, fail or are refused exceeds five times the usual share and 1 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp2, isnan, log

from snowshed.schemas.records import IncidentKind, Liveness
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding
from snowshed.streams.cascade.views import EdgeView, NodeView
from snowshed.streams.policy import HealthPolicy, Policy

__all__ = ["RULE", "confirms", "ending", "judge", "patience", "penalty"]

RULE = "node-failed/1"

_CONFIRMED, _UNCONFIRMED = 0.95, 0.9
_GROWTH = 5.0
_LEAST = 0.01


def patience(confirmations: int, beat: float, policy: HealthPolicy) -> float:
    """T(n): seconds from suspicion to conviction for beats every `beat` seconds."""
    longest = max(policy.unconfirmed_beats * beat, policy.unconfirmed_minimum)
    shortest = min(policy.confirmed_beats * beat, longest)
    share = log(min(confirmations, policy.confirmations) + 1) / log(policy.confirmations + 1)
    return longest - (longest - shortest) * share


def confirms(edge: EdgeView, since: float) -> bool:
    """Whether the caller's newest window, closed after `since`, shows that calls fail."""
    window, usual = edge.window, edge.baseline.ok_ratio
    failed = window.timeout + window.error_downstream + window.rejected
    usual_share = 0.0 if isnan(usual) else 1.0 - usual
    share = failed / max(window.attempts, 1.0)
    return edge.observed_at >= since and failed >= 1.0 and share > max(_GROWTH * usual_share, _LEAST)


def penalty(view: NodeView, now: float, policy: HealthPolicy) -> float:
    """What is left of a node's penalty, which halves every `flap_half_life` seconds."""
    return view.penalty * exp2(-max(now - view.charged, 0.0) / policy.flap_half_life)


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """Nodes that are dead by level 1's verdict, or by their callers'."""
    for node, view in board.nodes.items():
        health = view.health
        innocent = health.status in {Liveness.ALIVE, Liveness.LEFT}
        edges = () if innocent else board.callees.get(health.service, ())
        witnesses = [edge for edge in edges if confirms(edge, health.since)]
        if health.status is Liveness.DEAD or _convicted(board, view, len(witnesses), policy, now):
            yield _finding(node, view, witnesses)
        elif health.status is Liveness.ALIVE and _flaps(board, view, policy.health, now):
            yield _flapping(node, view, now, policy.health)


def ending(board: Board, case: Case) -> Ending:
    """Back, gone on purpose, or forgotten; only the first is news."""
    node = case.incident.subject
    view = board.nodes.get(node)
    if view is None:
        return Ending(f"Node {node} has been away so long that it is no longer expected.", quiet=True)
    if view.health.status is Liveness.LEFT:
        return Ending(f"Node {node} left on purpose.", quiet=True)
    return Ending(f"Node {node} is back.")


def _convicted(board: Board, view: NodeView, witnesses: int, policy: Policy, now: float) -> bool:
    health = view.health
    if health.status is Liveness.OBSERVER_SUSPECT:
        return board.is_open(IncidentKind.NODE_FAILED, health.node)
    if health.status is not Liveness.SUSPECT:
        return False
    if board.is_open(IncidentKind.NODE_FAILED, health.node):
        return True
    return witnesses > 0 and now >= health.since + patience(witnesses, health.interval, policy.health)


def _flaps(board: Board, view: NodeView, policy: HealthPolicy, now: float) -> bool:
    """Whether a node that is back has died so often that its return is not believed yet."""
    if view.penalty < policy.flap_hold or not board.is_open(IncidentKind.NODE_FAILED, view.health.node):
        return False
    return penalty(view, now, policy) >= policy.flap_release


def _flapping(node: str, view: NodeView, now: float, policy: HealthPolicy) -> Finding:
    health = view.health
    return Finding(
        kind=IncidentKind.NODE_FAILED,
        subject=node,
        domain=health.domain,
        rule=RULE,
        severity="warning",
        summary=f"Node {node} of {health.service} flaps: it is back, and has died too often to be believed.",
        members=(node,),
        evidence=(
            view.place.evidence(
                f"penalty of {node}", penalty(view, now, policy), policy.flap_release, "convictions", health.observed_at
            ),
        ),
        confidence=_UNCONFIRMED,
    )


def _finding(node: str, view: NodeView, witnesses: list[EdgeView]) -> Finding:
    health = view.health
    silence = view.place.evidence(
        f"silence of {node}", health.observed_at - health.last_seen, health.interval, "s", health.observed_at
    )
    failing = [
        edge.place.evidence(
            f"calls of {edge.name} that did not fail",
            edge.window.ok_ratio,
            edge.baseline.ok_ratio,
            "ratio",
            edge.observed_at,
        )
        for edge in witnesses
    ]
    callers = ", ".join(edge.window.caller for edge in witnesses)
    said = f", and calls from {callers} fail" if witnesses else ""
    return Finding(
        kind=IncidentKind.NODE_FAILED,
        subject=node,
        domain=health.domain,
        rule=RULE,
        severity="warning",
        summary=f"Node {node} of {health.service} is dead: no sign of life since its last beat{said}.",
        members=(node, *(edge.window.caller for edge in witnesses)),
        evidence=(silence, *failing),
        confidence=_CONFIRMED if witnesses else _UNCONFIRMED,
    )
