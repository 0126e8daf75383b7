"""A service does less than its usual work while as much is asked of it: its capacity is lost.

The judgement is that of `snowshed.streams.stability.metastable`, which tells it from a state that outlives its trigger.
A service that waits for another bad one is left out: the capacity that is lost is further down.
"""

from __future__ import annotations

from collections.abc import Iterator

from snowshed.schemas.records import Cause, IncidentKind
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding
from snowshed.streams.cascade.rules.overload import culprits
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.policy import Policy
from snowshed.streams.stability.course import Verdict

__all__ = ["RULE", "ending", "judge"]

RULE = "capacity-loss/1"

_CONFIDENCE = 0.8


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """Services that have lost capacity, except those that wait for another."""
    del now  # the windows have been judged when they came in
    for service, standing in board.services.items():
        if standing.judgement.verdict is not Verdict.CAPACITY_LOSS:
            continue
        if board.is_open(IncidentKind.CAPACITY_LOSS, service) or not culprits(board, service, policy):
            yield _finding(standing, board, policy)


def ending(board: Board, case: Case) -> Ending:
    """It works as usual, or has got into a state that an incident of another kind tells."""
    subject = case.incident.subject
    if board.is_open(IncidentKind.METASTABLE, subject):
        return Ending(f"{subject} has its capacity again and does not recover.", quiet=True)
    return Ending(f"{subject} does its usual work again.")


def _finding(standing: Standing, board: Board, policy: Policy) -> Finding:
    service, left = standing.service, standing.judgement.throughput
    limit = 1.0 - policy.metastable.flat
    reason = f"does {left:.0%} of its usual work while as much is asked of it"
    return Finding(
        kind=IncidentKind.CAPACITY_LOSS,
        subject=service,
        domain=standing.domain,
        rule=RULE,
        severity="critical",
        summary=f"{service} {reason}.",
        members=(service, *(edge.window.caller for edge in board.callees.get(service, ()))),
        causes=(Cause(name=service, score=1.0, reason=reason),),
        evidence=(
            standing.place.evidence(
                f"throughput of {service} against the usual", left, limit, "ratio", standing.observed_at
            ),
        ),
        confidence=_CONFIDENCE,
    )
