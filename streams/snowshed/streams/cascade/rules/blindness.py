"""The detector is blind: nodes that live are no longer reported, or what is reported comes late, or some of it never.

Level 1 reports every live node again after `HealthPolicy.refresh` seconds, whatever the node does. So when a report is
overdue by far, level 1 is what has fallen silent, and what the domain looks like is not known. A node whose service the
policy has moved to another domain is reported there from then on, and nothing is missing here. Where reporters have
lost many reports on a callee (`snowshed.streams.cascade.sight`), what is missing there proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import nan

from snowshed.schemas.records import Evidence, IncidentKind, Liveness
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding
from snowshed.streams.cascade.observations import Place
from snowshed.streams.cascade.sight import Sight
from snowshed.streams.cascade.views import NodeView
from snowshed.streams.policy import Policy

__all__ = ["RULE", "behind", "ending", "judge"]

RULE = "detector/1"

_OVERDUE = 3.0
"""Missed reports after which level 1 counts as silent."""
_PATIENCE = 10.0
"""Seconds that people are spared: a successor catches up within them."""
_SHOWN = 3
_NAMED = 20


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """Domains of which part is out of sight."""
    overdue = _OVERDUE * policy.health.refresh
    hidden: dict[str, list[NodeView]] = {}
    for view in board.nodes.values():
        health = view.health
        gone = health.status in {Liveness.DEAD, Liveness.LEFT}
        moved = policy.domain_of(health.service) != health.domain
        if not gone and not moved and now - health.observed_at > overdue:
            hidden.setdefault(health.domain, []).append(view)
    for domain, views in sorted(hidden.items()):
        yield _hidden(domain, views, overdue, now)
    blind: dict[str, list[Sight]] = {}
    for sight in board.sights.values():
        if sight.blind_since:
            blind.setdefault(sight.domain, []).append(sight)
    for domain, sights in sorted(blind.items()):
        yield _partly(domain, sights, policy.decisions.lost_share, now)


def behind(domain: str, place: Place, lag: float, now: float, policy: Policy) -> Finding:
    """Level 2 itself is further behind the log than may be: it decides nothing until it has caught up."""
    limit = policy.decisions.detector_lag
    said = f"{lag:.0f} s behind its input (limit {limit:.0f} s): nothing is tightened and decisions run out"
    return Finding(
        kind=IncidentKind.DETECTOR,
        subject=f"observations-{place.partition}",
        domain=domain,
        rule=RULE,
        severity="warning",
        summary=f"The detector is {said}.",
        members=(),
        evidence=(place.evidence("lag of the detector", lag, limit, "s", now),),
        confidence=1.0,
        patience=_PATIENCE,
    )


def ending(board: Board, case: Case) -> Ending:
    """Everything is in sight again."""
    del board
    return Ending(f"The detector sees all of {case.incident.domain} again.")


def _partly(domain: str, sights: list[Sight], limit: float, now: float) -> Finding:
    worst = sorted(sights, key=lambda sight: (-sight.share, sight.callee))
    shares = ", ".join(f"{sight.share:.0%} of the calls of {sight.callee}" for sight in worst[:_SHOWN])
    more = ", …" if len(worst) > _SHOWN else ""
    since = now - min(sight.blind_since for sight in sights)
    return Finding(
        kind=IncidentKind.DETECTOR,
        subject=f"telemetry-{domain}",
        domain=domain,
        rule=RULE,
        severity="warning",
        summary=f"Reports are lost for {since:.0f} s, of {shares}{more}: nothing is concluded from what is missing "
        "there, and nothing is tightened.",
        members=tuple(sight.callee for sight in worst[:_NAMED]),
        evidence=tuple(item for sight in worst[:_SHOWN] for item in _lost(sight, limit)),
        confidence=1.0,
        patience=_PATIENCE,
    )


def _lost(sight: Sight, limit: float) -> Iterator[Evidence]:
    """How much of a callee is missing, and since when who has lost how many reports on it."""
    newest = sight.gaps[-1].at
    yield sight.place.evidence(f"calls of {sight.callee} that nobody reported", sight.share, limit, "ratio", newest)
    for reporter, reports in sight.reporters[:_SHOWN]:
        series = f"reports on {sight.callee} that {reporter} has lost"
        yield sight.place.evidence(series, reports, nan, "reports", sight.began)


def _hidden(domain: str, views: list[NodeView], overdue: float, now: float) -> Finding:
    oldest = sorted(views, key=lambda view: (view.health.observed_at, view.health.node))
    longest = now - oldest[0].health.observed_at
    names = ", ".join(view.health.node for view in oldest[:_SHOWN]) + (", …" if len(oldest) > _SHOWN else "")
    return Finding(
        kind=IncidentKind.DETECTOR,
        subject=domain,
        domain=domain,
        rule=RULE,
        severity="warning",
        summary=f"No word from the detector of heartbeats about {len(views)} live nodes for {longest:.0f} s: {names}.",
        members=tuple(view.health.node for view in oldest[:_NAMED]),
        evidence=tuple(
            view.place.evidence(
                f"age of what is known of {view.health.node}", now - view.health.observed_at, overdue, "s", now
            )
            for view in oldest[:_SHOWN]
        ),
        confidence=1.0,
        patience=_PATIENCE,
    )
