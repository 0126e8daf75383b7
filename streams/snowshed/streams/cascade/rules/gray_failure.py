"""A service beats and yet fails its callers: a gray failure.

At least two callers must see errors of its own or time-outs in far more than the usual share of their calls, for two
windows. One complaining caller proves nothing: it may be the caller, or the path. Where it is the only one, what the
service itself shows must say so: errors that it answered with, or a queue of its own. A service that merely waits for
another bad one, or whose queue is long, has a plainer explanation and is left to it; unless the median call is as fast
as ever, for then only some of its nodes have that queue.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from snowshed.schemas.records import Cause, IncidentKind, Liveness
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding
from snowshed.streams.cascade.gathering import is_thin
from snowshed.streams.cascade.paths import is_on_the_way
from snowshed.streams.cascade.rows import Rows
from snowshed.streams.cascade.rules.overload import culprits
from snowshed.streams.cascade.streaks import Marks, marked
from snowshed.streams.cascade.views import CURRENT, EdgeView, NodeView, queues
from snowshed.streams.edges.window import EdgeWindow
from snowshed.streams.policy import HealthPolicy, Policy

__all__ = ["RULE", "ending", "judge", "marks"]

RULE = "gray-failure/1"

_CONFIDENCE = 0.8
_CLEAN = 5.0
"""Seconds without complaints that end it: one bad node among several shows by fits and starts."""


def marks(rows: Rows, policy: HealthPolicy) -> Marks:
    """What windows do to streaks of those in which far more calls than usual failed by the callee's own doing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (rows.window["error_local"] + rows.window["timeout"]) / rows.admitted
    usual = np.fmax(1.0 - rows.usual["ok_ratio"], policy.gray_least)
    limit = np.minimum(policy.gray_growth * usual, policy.gray_most)
    return marked(bad=share > limit, clear=share < limit / 2.0, kept=rows.admitted < policy.gray_attempts)


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """Services whose nodes all beat and whose callers complain together, or that are themselves evidence enough."""
    for service, edges in board.callees.items():
        beating = _present(board.crews.get(service, []))
        if not beating or any(view.health.status is not Liveness.ALIVE for view in beating):
            continue
        current = [edge for edge in edges if now < edge.observed_at + CURRENT]
        complaining = [edge for edge in current if edge.failing.windows > 1 and _counts(edge, policy)]
        if complaining and _shows(board, service, complaining, current, policy):
            yield _finding(service, complaining, beating, policy)
        elif board.is_open(IncidentKind.GRAY_FAILURE, service):
            recent = [edge for edge in current if now < edge.failing.last + _CLEAN and _counts(edge, policy)]
            if recent:
                yield replace(_finding(service, recent, beating, policy), acute=False)


def _counts(edge: EdgeView, policy: Policy) -> bool:
    return not is_on_the_way(edge, policy.overload)


def _shows(board: Board, service: str, complaining: list[EdgeView], current: list[EdgeView], policy: Policy) -> bool:
    partly = len(board.crews.get(service, ())) > 1 and _partly(complaining)
    return _confirmed(complaining, current, policy, partly=partly) and _own(board, service, policy, partly=partly)


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


def _partly(edges: list[EdgeView]) -> bool:
    """Whether most callers find the median call as fast as ever: some of its nodes are bad, and others are not."""
    calls = sum(edge.judged.attempts for edge in edges)
    fine = sum(edge.judged.attempts for edge in edges if edge.judged.p50 <= edge.baseline.p90)
    return 2.0 * fine > calls


def _confirmed(complaining: list[EdgeView], current: list[EdgeView], policy: Policy, *, partly: bool) -> bool:
    """Whether it is no single caller's own trouble: several say so, or all do and the service itself shows it."""
    if len(complaining) >= policy.health.confirmations:
        return True
    if any(edge not in complaining and not is_thin(edge.judged, policy.overload) for edge in current):
        return False
    answered = sum(edge.judged.error_local for edge in complaining)
    failed = sum(_failed(edge.judged) for edge in complaining)
    return 2.0 * answered > failed or (partly and any(queues(edge, policy.overload) for edge in complaining))


def _own(board: Board, service: str, policy: Policy, *, partly: bool) -> bool:
    """Whether neither a long queue of all its nodes nor another bad service explains it."""
    queued = any(queues(edge, policy.overload) for edge in board.callees.get(service, ()))
    return (partly or not queued) and not culprits(board, service, policy)


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
    return _failed(edge.judged) / max(edge.judged.attempts - edge.judged.rejected, 1.0)
