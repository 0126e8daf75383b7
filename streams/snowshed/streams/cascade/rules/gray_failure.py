"""A service beats and yet fails its callers: a gray failure.

At least two callers must see errors of its own or time-outs in far more than the usual share of their calls, for two
windows. One complaining caller proves nothing: it may be the caller, or the path. A service that merely waits for
another bad one, or whose queue is long, has a plainer explanation and is left to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from snowshed.schemas.records import Cause, IncidentKind, Liveness
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding
from snowshed.streams.cascade.rules.overload import culprits
from snowshed.streams.cascade.views import EdgeView, NodeView, Streak, extended
from snowshed.streams.edges.baseline import Baseline
from snowshed.streams.edges.window import EdgeWindow
from snowshed.streams.policy import HealthPolicy, Policy

__all__ = ["RULE", "ending", "judge", "noted"]

RULE = "gray-failure/1"

_CONFIDENCE = 0.8
_CURRENT = 3.0
"""Seconds after which an edge's newest window no longer speaks of the present."""


def noted(streak: Streak, window: EdgeWindow, baseline: Baseline, *, now: float, policy: HealthPolicy) -> Streak:
    """The streak of windows in which far more calls than usual failed by the callee's own doing, after one more."""
    if window.attempts - window.rejected < policy.gray_attempts:
        return streak
    share = _failed(window) / (window.attempts - window.rejected)
    usual = max(1.0 - baseline.ok_ratio, policy.gray_least) if baseline.ok_ratio <= 1.0 else policy.gray_least
    limit = min(policy.gray_growth * usual, policy.gray_most)
    return extended(streak, bad=share > limit, clear=share < limit / 2.0, span=window.span, now=now)


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """Services whose nodes all beat and whose callers complain together."""
    nodes: dict[str, list[NodeView]] = {}
    for view in board.nodes.values():
        nodes.setdefault(view.health.service, []).append(view)
    for service, edges in board.callees.items():
        beating = nodes.get(service, [])
        if not beating or any(view.health.status is not Liveness.ALIVE for view in _present(beating)):
            continue
        complaining = [edge for edge in edges if edge.failing.windows > 1 and now < edge.observed_at + _CURRENT]
        if len(complaining) >= policy.health.confirmations and _own(board, service, policy):
            yield _finding(service, complaining, beating, policy)


def ending(board: Board, case: Case) -> Ending:
    """Its callers are content, or it is dead after all."""
    dead = any(
        view.health.service == case.incident.subject and view.health.status is Liveness.DEAD
        for view in board.nodes.values()
    )
    if dead:
        return Ending(f"{case.incident.subject} has a node that is dead.", quiet=True)
    return Ending(f"{case.incident.subject} answers its callers again.")


def _present(views: list[NodeView]) -> list[NodeView]:
    return [view for view in views if view.health.status is not Liveness.LEFT]


def _own(board: Board, service: str, policy: Policy) -> bool:
    """Whether neither a long queue nor another bad service explains it."""
    queues = any(edge.window.queue_delay_mean > policy.overload.queue_delay for edge in board.callees.get(service, ()))
    return not queues and not culprits(board, service, policy)


def _failed(window: EdgeWindow) -> float:
    return window.error_local + window.timeout


def _finding(service: str, edges: list[EdgeView], nodes: list[NodeView], policy: Policy) -> Finding:
    callers = [edge.window.caller for edge in edges]
    worst = max(edges, key=lambda edge: (_share(edge), edge.name))
    reason = f"beats, and fails {_share(worst):.0%} of the calls of {worst.window.caller}"
    limit = policy.health.gray_growth * policy.health.gray_least
    return Finding(
        kind=IncidentKind.GRAY_FAILURE,
        subject=service,
        domain=worst.domain,
        rule=RULE,
        severity="critical",
        summary=f"{service} looks alive and fails: {', '.join(callers)} see errors or time-outs, up to "
        f"{_share(worst):.0%} of their calls, while {len(nodes)} of its nodes beat.",
        members=(service, *callers),
        causes=(Cause(name=service, score=1.0, reason=reason),),
        evidence=tuple(
            edge.place.evidence(f"failed calls of {edge.name}", _share(edge), limit, "ratio", edge.observed_at)
            for edge in edges
        ),
        confidence=_CONFIDENCE,
    )


def _share(edge: EdgeView) -> float:
    return _failed(edge.window) / max(edge.window.attempts - edge.window.rejected, 1.0)
