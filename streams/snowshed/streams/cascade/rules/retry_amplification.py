"""Callers retry so much that they hurt the callee: the retry budget of the whole fleet is cut.

The factor is RAF = A/F, all attempts per first attempt. From 1.5 it counts where first attempts are flat, because a
surge of demand is not amplification, and from 2 in any case: retries further up arrive as first attempts. It is taken
over a sliding 5 s where a window is thin or holds retries alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import inf

import numpy as np

from snowshed.schemas.records import Cause, DecisionKind, IncidentKind, ScopeKind
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.calls import Edges
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding, Setting
from snowshed.streams.cascade.memory import Lasting
from snowshed.streams.cascade.rows import Bools, Rows
from snowshed.streams.cascade.streaks import Marks, marked
from snowshed.streams.cascade.views import EdgeView, Sample
from snowshed.streams.edges.window import EdgeWindow
from snowshed.streams.policy import Policy, RetryPolicy
from snowshed.streams.stability.amplification import amplification

__all__ = ["RULE", "budget", "ending", "factor", "judge", "marks"]

RULE = "retry-amplification/1"

_CONFIDENCE = 0.9
_SHOWN = 3
"""Edges that an incident's evidence shows, the worst first."""
_NOISE = 3.0
"""Standard deviations of a Poisson count that still pass for flat."""


def factor(window: EdgeWindow, samples: tuple[Sample, ...], policy: RetryPolicy) -> float:
    """RAF of a window, or of the sliding span where the window is too thin or has no first attempt."""
    first = window.first if window.attempts >= policy.minimum_attempts else 0.0
    return amplification(first, window.attempts, samples)


def marks(rows: Rows, samples: Sequence[tuple[Sample, ...]], policy: Policy) -> Marks:
    """What windows do to streaks of amplified ones.

    Args:
        rows: the windows.
        samples: the windows of the sliding span on the edge of each row, that row included.
        policy: the thresholds.
    """
    limits = policy.retry
    first, attempts = rows.window["first"], rows.window["attempts"]
    enough = attempts >= limits.minimum_attempts
    alone = enough & (first > 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(alone, attempts / first, 0.0)
    for row in np.flatnonzero(~alone).tolist():
        carried = sum(one.attempts for one in samples[row])
        enough[row] = carried >= limits.minimum_attempts
        ratio[row] = amplification(0.0, attempts[row], samples[row])
    worked = ~(rows.ok_ratio < policy.overload.ok_ratio * rows.usual["ok_ratio"])
    least = np.where(_flat(rows, limits), limits.act, limits.certain)
    return marked(bad=enough & (ratio >= least), clear=(ratio < limits.warn) & worked)


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """Callees with an amplified edge, until all of their edges have been clear for long enough."""
    for callee, edges in board.callees.items():
        if not any(edge.amplified.last for edge in edges):
            continue
        made_of = (policy, edges, _is_forbidden(board, callee), board.is_open(IncidentKind.RETRY_AMPLIFICATION, callee))
        found = board.memory.recalled(RULE, callee, made_of, now, partial(_found, board, callee, edges, policy, now))
        if found is not None:
            yield found


def _found(board: Board, callee: str, edges: Edges, policy: Policy, now: float) -> Lasting[Finding | None]:
    """What holds of a callee until the next of its edges has been clear for long enough."""
    clean = policy.retry.clean
    recent = [edge for edge in edges if now < edge.amplified.last + clean and edge.amplified.last]
    lasting = [edge for edge in recent if edge.amplified.lasts(policy.retry.hold)]
    shown = lasting or (recent if board.is_open(IncidentKind.RETRY_AMPLIFICATION, callee) else [])
    until = min((edge.amplified.last + clean for edge in recent), default=inf)
    return Lasting(_finding(board, callee, shown, policy) if shown else None, until)


def ending(board: Board, case: Case) -> Ending:
    """Retries are back to normal."""
    del board
    return Ending(f"Callers of {case.incident.subject} no longer pile up retries.")


def budget(board: Board, callee: str, policy: RetryPolicy, reason: str) -> Setting:
    """The setting that cuts retries to a callee, by its degrade level."""
    forbidden = _is_forbidden(board, callee)
    return Setting(
        scope=callee,
        scope_kind=ScopeKind.SERVICE,
        kind=DecisionKind.RETRY,
        rule="cut-retries/1",
        reason=reason,
        retry_budget=0.0 if forbidden else policy.budget,
        attempt_cap=1 if forbidden else policy.attempt_cap,
    )


def _is_forbidden(board: Board, callee: str) -> bool:
    throttle = board.throttles.get(callee)
    return throttle is not None and throttle.forbids_retries


def _flat(rows: Rows, policy: RetryPolicy) -> Bools:
    first, usual = rows.window["first"], rows.usual["first_rate"]
    noise = _NOISE / np.sqrt(np.maximum(first, 1.0))
    most = usual * (1.0 + np.maximum(policy.flat, noise))
    return np.isnan(usual) | (first / rows.window["span"] <= most)


def _finding(board: Board, callee: str, edges: list[EdgeView], policy: Policy) -> Finding:
    factors = {edge.window.caller: factor(edge.window, edge.samples, policy.retry) for edge in edges}
    retries = {edge.window.caller: max(edge.window.attempts - edge.window.first, 0.0) for edge in edges}
    total = sum(retries.values()) or 1.0
    # Edges are in the order of their names, and stay so where their factors are equal.
    ordered = sorted(edges, key=lambda edge: factors[edge.window.caller], reverse=True)
    worst = ordered[0]
    said = f"{worst.window.caller} sends {factors[worst.window.caller]:.1f} attempts for every request to {callee}"
    ranked = sorted(retries, key=lambda caller: (-retries[caller], caller))[:3]
    return Finding(
        kind=IncidentKind.RETRY_AMPLIFICATION,
        subject=callee,
        domain=worst.domain,
        rule=RULE,
        severity="critical",
        summary=f"Retries amplify the load on {callee}: {said}.",
        members=(callee, *(edge.window.caller for edge in edges)),
        causes=tuple(Cause(name=caller, score=retries[caller] / total) for caller in ranked if retries[caller]),
        evidence=tuple(
            edge.place.evidence(
                f"attempts per request on {edge.name}",
                factors[edge.window.caller],
                policy.retry.act,
                "ratio",
                edge.observed_at,
            )
            for edge in ordered[:_SHOWN]
        ),
        confidence=_CONFIDENCE,
        settings=(budget(board, callee, policy.retry, f"callers retry {callee} more than it can bear"),),
    )
