"""A callee is overloaded: retries are cut first, then features and the inflow.

An edge is bad when the queue delay exceeds its target, when p90 exceeds three times the usual one, or when the success
ratio falls below 0.7 of the usual one; `excess` says by how much the worst of them does. A service that is slow because
it waits for another bad one, with a short queue of its own, is a victim: its inflow is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import inf, isnan, nan
from operator import attrgetter

from snowshed.schemas.records import Cause, IncidentKind
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.calls import Edges
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.containment import contained
from snowshed.streams.cascade.findings import Ending, Finding
from snowshed.streams.cascade.gathering import is_thin
from snowshed.streams.cascade.harm import harmed
from snowshed.streams.cascade.memory import Lasting
from snowshed.streams.cascade.paths import is_on_the_way
from snowshed.streams.cascade.rows import columns
from snowshed.streams.cascade.signals import Signal, signals
from snowshed.streams.cascade.situation import Situation
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.cascade.throttle import Throttle
from snowshed.streams.cascade.triggers import descent, lost
from snowshed.streams.cascade.views import CURRENT, EdgeView, queues
from snowshed.streams.causes.attribution import best, shares
from snowshed.streams.edges.queueing import queue_limit
from snowshed.streams.policy import Policy
from snowshed.streams.stability.course import STABLE, Verdict

__all__ = ["RULE", "ending", "judge", "situation"]

RULE = "overload/1"

_CONFIDENCE = 0.85
_SHOWN = 3
"""Edges that an incident's evidence shows, the worst first."""
_excess = attrgetter("excess")


def situation(board: Board, callee: str, policy: Policy, now: float) -> Situation:
    """What the edges into a callee show now, put together."""
    made_of = (
        policy,
        board.callees.get(callee),
        board.callers.get(callee),
        board.services.get(callee),
        board.is_open(IncidentKind.OVERLOAD, callee),
        *[_trigger(board, domain, callee) for domain in board.cascades],
    )
    return board.memory.recalled("situation", callee, made_of, now, lambda: _situation(board, callee, policy, now))


def _situation(board: Board, callee: str, policy: Policy, now: float) -> Lasting[Situation]:
    limits, standing = policy.overload, board.services.get(callee)
    edges = [edge for edge in board.callees.get(callee, ()) if now < edge.observed_at + CURRENT]
    bad = [
        edge
        for edge in edges
        if edge.overloaded.lasts(limits.hold) and edge.excess > 1.0 and not is_on_the_way(edge, limits)
    ]
    busy = [edge for edge in edges if not is_thin(edge.judged, limits)]
    column = columns([edge.window for edge in edges])
    spans = {*column["span"]}

    def per_second(name: str) -> float:
        if len(spans) == 1:
            return sum(column[name]) / column["span"][0]
        # Counts of windows that are not equally long say nothing beside each other.
        return sum([count / span for count, span in zip(column[name], column["span"], strict=True)])

    first, attempts, rejected, ok = map(per_second, ("first", "attempts", "rejected", "ok"))
    completions = per_second("completions")
    errors = per_second("error_local") + per_second("error_downstream")
    admitted = attempts - rejected
    delays = [delay for delay in column["queue_delay_mean"] if not isnan(delay)]
    domain = edges[0].domain if edges else policy.domain_of(callee)
    waits = culprits(board, callee, policy)
    judgement = standing.judgement if standing else STABLE
    usual_rate = sum(_usual_rate(edge) for edge in edges)
    trigger = "" if waits else _trigger(board, domain, callee)
    found = Situation(
        callee=callee,
        domain=domain,
        overloaded=any(queues(edge, limits) for edge in bad) or (bool(bad) and 2 * len(bad) >= len(busy)),
        # Calls that are lost on their way say nothing of the callee, and so not that it is not well yet either.
        clear=all(edge.excess < limits.exit_ratio or is_on_the_way(edge, limits) for edge in edges),
        excess=max((edge.excess for edge in edges), default=0.0),
        reject_ratio=rejected / attempts if attempts else 0.0,
        usual_rate=usual_rate,
        usual_known=all(not isnan(edge.baseline.first_rate) for edge in edges),
        offered=attempts,
        admitted=admitted,
        reporters=sum(column["reporters"]),
        observed_at=max((edge.observed_at for edge in edges), default=now),
        may_cut=not policy.protects(callee) and not waits and _harms(board, callee, bad, policy),
        pressed=bool(edges) and standing is not None and _pressed(standing, usual_rate, policy),
        queue_delay=max(delays, default=nan),
        ok_share=ok / max(admitted, 1.0),
        timed_out=per_second("timeout") / max(admitted, 1.0),
        goodput=_portion(ok, first),
        amplification=attempts / first if first else 1.0,
        useful=_portion(ok, completions),
        balance=(admitted - errors) / completions if completions > 0.0 else 1.0,
        trigger=trigger,
        arrives=not any(edge.name == trigger and edge.cut.windows for edge in edges),
        metastable=judgement.verdict is Verdict.METASTABLE and not waits,
        effect=judgement.effect,
        capacity=standing.throughput if standing else nan,
        timeout=_timeout(callee, edges, policy),
        cold=judgement.cold >= policy.metastable.cold,
    )
    # Where none of them is current, it tells the time.
    return Lasting(found, min((edge.observed_at + CURRENT for edge in edges), default=now))


def culprits(board: Board, callee: str, policy: Policy) -> Edges:
    """Bad edges that the callee itself calls out on, worst first; while its own queue is long, only those that are cut.

    A call that is lost on its way holds its caller's slot until the time-out, and so makes the queue before it long.
    """
    return board.calls.around("culprits", callee, lambda: _culprits(board, callee, policy))


def _culprits(board: Board, callee: str, policy: Policy) -> Edges:
    busy = any(queues(edge, policy.overload) for edge in board.callees.get(callee, ()))
    outward = [
        edge
        for edge in board.callers.get(callee, ())
        if edge.window.callee != callee and (is_on_the_way(edge, policy.overload) if busy else _holds_up(edge, policy))
    ]
    return tuple(sorted(outward, key=_excess, reverse=True))  # edges are in the order of their names


def _holds_up(edge: EdgeView, policy: Policy) -> bool:
    """Whether the trouble of an edge's caller may come from there; its calls may be refused by a decision, too."""
    refused = edge.window.rejected > policy.overload.reject_ratio * edge.window.attempts
    bad = edge.overloaded.lasts(policy.overload.hold) or edge.amplified.lasts(policy.retry.hold)
    return bad or refused or edge.cut.windows > 1


def _pressed(standing: Standing, usual_rate: float, policy: Policy) -> bool:
    """Whether first attempts, refused ones included, exceed what is usual and what the callee has ever done."""
    return standing.asked > max(usual_rate, standing.peak) * (1.0 + policy.retry.flat)


def _trigger(board: Board, domain: str, callee: str) -> str:
    """The callee or the edge into it with which a declared cascade began; empty where none did."""
    case = board.cascades.get(domain)
    first = case.incident.causes[0].name if case and case.incident.causes else ""
    return first if first.rpartition(">")[2] == callee else ""


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """Callees under control."""
    for callee, throttle in board.throttles.items():
        made_of = (
            policy,
            throttle,
            board.callees.get(callee),
            board.services.get(callee),
            culprits(board, callee, policy),
            _causes(board, callee, policy),
            board.is_open(IncidentKind.OVERLOAD, callee),
        )
        yield board.memory.recalled(RULE, callee, made_of, now, partial(_found, board, throttle, policy, now))


def _found(board: Board, throttle: Throttle, policy: Policy, now: float) -> Lasting[Finding]:
    callee = throttle.callee
    edges = board.callees.get(callee, ())
    current = [edge for edge in edges if now < edge.observed_at + CURRENT]
    bad = [edge for edge in current if edge.overloaded.lasts(policy.overload.hold)]
    opens = _harms(board, callee, bad, policy)
    acute = any(edge.excess > 1.0 for edge in bad)
    found = _finding(board, throttle, current or edges, policy, opens=opens, acute=acute)
    return Lasting(found, min((edge.observed_at + CURRENT for edge in current), default=inf))


def _harms(board: Board, callee: str, bad: list[EdgeView], policy: Policy) -> bool:
    """Whether the overload harms somebody, or has done so since it began."""
    return board.is_open(IncidentKind.OVERLOAD, callee) or harmed(bad, board.services.get(callee), policy)


def ending(board: Board, case: Case) -> Ending:
    """All signals are clear again."""
    del board
    return Ending(f"{case.incident.subject} answers as usual again.")


def _timeout(callee: str, edges: list[EdgeView], policy: Policy) -> float | None:
    """A half more than the usual 99th percentile, and the queue delay that is no trouble yet; None where it hurts.

    A callee that goes on with calls that nobody waits for does only more useless work when its callers give up early.
    """
    named = policy.services.get(callee)
    usual = max((edge.baseline.p90 for edge in edges if not isnan(edge.baseline.p90)), default=nan)
    if named is None or not named.drops_expired or isnan(usual):
        return None
    return policy.control.timeout * policy.control.tail * usual + queue_limit(policy.overload.queue_delay, usual)


def _portion(part: float, whole: float) -> float:
    """1 where nothing is known of the whole."""
    return min(part / whole, 1.0) if whole > 0.0 else 1.0


def _usual_rate(edge: EdgeView) -> float:
    learned = edge.baseline.first_rate
    return edge.window.first / edge.window.span if isnan(learned) else learned


def _finding(
    board: Board, throttle: Throttle, edges: Sequence[EdgeView], policy: Policy, *, opens: bool, acute: bool
) -> Finding:
    callee = throttle.callee
    blamed = culprits(board, callee, policy)
    worst = sorted(edges, key=_excess, reverse=True)[:_SHOWN]
    because = f" because it waits for {blamed[0].window.callee}" if blamed else ""
    shown = [(edge, signal) for edge in worst for signal in signals(edge.judged, edge.baseline, policy.overload)]
    return Finding(
        kind=IncidentKind.OVERLOAD,
        subject=callee,
        domain=throttle.domain,
        rule=RULE,
        severity="critical" if throttle.level > 1 else "warning",
        summary=_summary(callee, because, shown),
        members=(callee, *(edge.window.caller for edge in edges)),
        causes=_causes(board, callee, policy),
        evidence=tuple(
            edge.place.evidence(f"{name} of {edge.name}", value, limit, unit, edge.observed_at)
            for edge, (name, _, (value, limit, unit)) in shown
        ),
        confidence=_CONFIDENCE,
        settings=tuple(contained(board, throttle, policy)),
        acute=acute,
        opens=opens,
    )


def _causes(board: Board, callee: str, policy: Policy) -> tuple[Cause, ...]:
    """Where its excess comes from: itself, or who is furthest down the way on which most of it is passed on."""
    return board.calls.once("causes", callee, lambda: _traced(board, callee, policy))


def _traced(board: Board, callee: str, policy: Policy) -> tuple[Cause, ...]:
    excess = descent(board.calls, callee)
    made_of = (*excess.values(), *map(board.callees.get, excess))
    name = ">".join(excess)
    return board.calls.memory.recalled("causes", name, made_of, 0.0, partial(_blamed, board, callee, excess, policy))


def _blamed(board: Board, callee: str, excess: Mapping[str, float], policy: Policy) -> Lasting[tuple[Cause, ...]]:
    way = shares(excess)
    named: dict[str, tuple[float, str]] = {}
    for name, share in way.items():
        edges = board.callees.get(name, ()) if name != callee else ()
        paths = lost(edges, policy)
        named |= dict.fromkeys([edge.name for edge in paths] or [name], (share, ""))
    ranked = best(named, _SHOWN)
    causes = tuple(Cause(name=name, score=score) for name, score, _ in ranked)
    return Lasting(causes or (Cause(name=callee, score=1.0),))


def _summary(callee: str, because: str, shown: Sequence[tuple[EdgeView, Signal]]) -> str:
    worst = max((signal for _, (_, signal, _) in shown), default=0.0)
    said = max(
        (
            f"{name} of {edge.name} is {value:.3g} {unit} against a limit of {limit:.3g}"
            for edge, (name, signal, (value, limit, unit)) in shown
            if signal == worst
        ),
        default="",
    )
    if worst > 1.0:
        return f"{callee} is overloaded{because}: {said}."
    # Inside its limits again, but held until it has stayed there.
    return f"{callee} recovers{because}: {said or 'its callers have fallen silent'}."
