"""A service stays in trouble although the trigger has gone: the loop that keeps it there is named.

The judgement is that of `snowshed.streams.stability.metastable`. A service that waits for another bad one is left out:
its trigger is further down.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan

from snowshed.schemas.records import Cause, Evidence, IncidentKind
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding
from snowshed.streams.cascade.rules.overload import culprits
from snowshed.streams.cascade.rules.retry_amplification import budget
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.policy import Policy
from snowshed.streams.stability.course import Effect, Judgement, Verdict

__all__ = ["RULE", "ending", "judge"]

RULE = "metastable/1"

_CONFIDENCE = 0.9
_SAID = {
    Effect.RETRIES: "retries keep it there, {0.amplification:.1f} attempts for every request",
    Effect.WASTED_WORK: "{0.wasted:.0%} of what it does comes too late for its callers",
    Effect.COLD_CACHE: "every request costs {0.cold:.1f} times the usual calls, as behind a cold cache",
    Effect.CAPACITY_LOSS: "it does only {0.throughput:.0%} of its usual work since the surge",
}


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """Services found metastable, except those that wait for another."""
    del now  # the windows have been judged when they came in
    for service, standing in board.services.items():
        if standing.judgement.verdict is not Verdict.METASTABLE:
            continue
        if board.is_open(IncidentKind.METASTABLE, service) or not culprits(board, service, policy):
            yield _finding(standing, board, policy)


def ending(board: Board, case: Case) -> Ending:
    """Goodput is back."""
    del board
    return Ending(f"{case.incident.subject} answers its callers in time again.")


def _finding(standing: Standing, board: Board, policy: Policy) -> Finding:
    service, found = standing.service, standing.judgement
    effect = found.effect or Effect.WASTED_WORK
    callers = [edge.window.caller for edge in board.callees.get(service, ())]
    why = f"{service} does not recover by itself: {effect.value}"
    return Finding(
        kind=IncidentKind.METASTABLE,
        subject=service,
        domain=standing.domain,
        rule=RULE,
        severity="critical",
        summary=f"{service} does not recover although the trigger has gone: {_SAID[effect].format(found)}.",
        members=(service, *callers),
        causes=(Cause(name=effect.value, score=_CONFIDENCE),),
        evidence=tuple(_evidence(standing, found, policy)),
        confidence=_CONFIDENCE,
        settings=(budget(board, service, policy.retry, why),),
    )


def _evidence(standing: Standing, found: Judgement, policy: Policy) -> Iterator[Evidence]:
    limits, service = policy.metastable, standing.service
    for series, value, limit in (
        (f"goodput of {service} as a share of demand", found.goodput, limits.goodput),
        (f"throughput of {service} against the usual", found.throughput, 1.0 - limits.flat),
        (f"attempts per request of {service}", found.amplification, limits.amplification),
        (f"work of {service} that came too late", found.wasted, limits.wasted),
        (f"calls per request of {service} against the usual", found.cold, limits.cold),
    ):
        if not isnan(value):
            yield standing.place.evidence(series, value, limit, "ratio", standing.observed_at)
