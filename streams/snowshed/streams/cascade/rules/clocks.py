"""Clocks of nodes are off by more than `HealthPolicy.clock_off`: people are told whose, and by how much.

Nothing is decided for it, and nobody is accused by it: beats, timings and markers are placed by the broker's clock, and
what is learned goes on. A clock counts as right again below half of the limit. Where most nodes of a domain are off,
what they are compared with is the likelier culprit.
"""

from __future__ import annotations

from collections.abc import Iterator

from snowshed.schemas.records import IncidentKind
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding
from snowshed.streams.cascade.views import NodeView
from snowshed.streams.health.node import GONE
from snowshed.streams.policy import HealthPolicy, Policy

__all__ = ["RULE", "ending", "judge"]

RULE = "clock/1"

_PATIENCE = 10.0
"""Seconds that people are spared: a clock that is being set takes no longer."""
_SHOWN = 3
_NAMED = 20
_CONFIDENCE = 0.95


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """The domains with nodes whose clocks are off."""
    del now  # the offset is of the newest report
    wrong: dict[str, list[NodeView]] = {}
    for view in board.nodes.values():
        if _off(view) > _limit(board, view, policy.health):
            wrong.setdefault(view.health.domain, []).append(view)
    for domain, views in sorted(wrong.items()):
        yield _finding(domain, views, _expected(board, domain), policy.health)


def ending(board: Board, case: Case) -> Ending:
    """The clocks are right, or their nodes are gone."""
    del board
    return Ending(f"No clock in {case.incident.domain} is known to be off any more.")


def _off(view: NodeView) -> float:
    return 0.0 if view.health.status in GONE else abs(view.health.clock_ahead)


def _limit(board: Board, view: NodeView, policy: HealthPolicy) -> float:
    case = board.cases.get((IncidentKind.CLOCK, _subject(view.health.domain))) if view.health.clock_ahead else None
    named = case is not None and view.health.node in case.incident.members
    return policy.clock_off / 2.0 if named else policy.clock_off


def _subject(domain: str) -> str:
    return f"clocks-{domain}"


def _expected(board: Board, domain: str) -> int:
    """How many nodes of a domain are expected to beat."""
    return sum(one.health.domain == domain and one.health.status not in GONE for one in board.nodes.values())


def _finding(domain: str, views: list[NodeView], all_nodes: int, policy: HealthPolicy) -> Finding:
    worst = sorted(views, key=lambda view: (-_off(view), view.health.node))
    return Finding(
        kind=IncidentKind.CLOCK,
        subject=_subject(domain),
        domain=domain,
        rule=RULE,
        severity="warning",
        summary=_summary(worst, all_nodes, policy),
        members=tuple(view.health.node for view in worst[:_NAMED]),
        evidence=tuple(
            view.place.evidence(
                f"lead of the clock of {view.health.node} over the broker's",
                view.health.clock_ahead,
                policy.clock_off,
                "s",
                view.health.observed_at,
            )
            for view in worst[:_SHOWN]
        ),
        confidence=_CONFIDENCE,
        patience=_PATIENCE,
    )


def _summary(worst: list[NodeView], all_nodes: int, policy: HealthPolicy) -> str:
    first, count = worst[0], len(worst)
    if count == 1:
        said = f"The clock of {first.health.node} is {_lead(first)}: its records are placed by the broker's time."
    else:
        names = ", ".join(f"{view.health.node} is {_lead(view)}" for view in worst[:_SHOWN])
        more = ", …" if count > _SHOWN else ""
        said = f"The clocks of {count} nodes are off: {names}{more}. Their records are placed by the broker's time."
    most = all_nodes >= policy.correlated_nodes and count >= policy.correlated_share * all_nodes
    doubt = f" That is {count} of {all_nodes} nodes: it may be the broker's own clock that is off."
    return said + doubt if most else said


def _lead(view: NodeView) -> str:
    ahead = view.health.clock_ahead
    return f"{abs(ahead):.{0 if abs(ahead) >= 10.0 else 1}f} s {'ahead' if ahead > 0.0 else 'behind'}"
