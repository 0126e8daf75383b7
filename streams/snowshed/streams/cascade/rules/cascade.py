"""Trouble spreads along calls: a domain has a cascade.

It does when at least two failing services are joined by calls, and either the branching index has been 1 or more for
two windows or a fifth of the entry volume is outside its objective. It ends when fewer than two fail together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf, isnan, nan

from snowshed.schemas.records import Cause, Evidence, IncidentKind
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding
from snowshed.streams.cascade.memory import Lasting
from snowshed.streams.cascade.reports import processors, vulnerability_of
from snowshed.streams.cascade.rules.retry_amplification import factor
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.cascade.triggers import Pair, Scene, triggers
from snowshed.streams.cascade.views import CURRENT, EdgeView
from snowshed.streams.policy import CascadePolicy, Policy
from snowshed.streams.stability.amplification import worst_path
from snowshed.streams.stability.branching import branching, entries, joined
from snowshed.streams.stability.prediction import Prediction, predicted

__all__ = ["RULE", "ending", "judge"]

RULE = "cascade/1"

_CONFIDENCE = 0.8
_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Scene:
    """One domain as it is now."""

    domain: str
    onsets: dict[str, float]
    """Failing services joined by calls, the largest such group; since when each fails."""
    edges: Mapping[Pair, EdgeView]
    index: float
    lasting: bool
    """Whether the index was high in the window before, too."""
    share: float
    """Of the entry volume that is outside its objective."""


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """Domains with a cascade."""
    failing: dict[str, dict[str, float]] = {}
    for service, standing in board.services.items():
        if standing.anomalous_since and now < standing.observed_at + CURRENT:
            failing.setdefault(standing.domain, {})[service] = standing.onset(policy.change)
    for domain, onsets in failing.items():
        scene = _scene(board, domain, onsets, policy.cascade, now) if len(onsets) > 1 else None
        if scene is not None and len(scene.onsets) > 1:
            spreads = scene.lasting or scene.share >= policy.cascade.entry_share
            if spreads or board.is_open(IncidentKind.CASCADE, domain):
                yield _finding(board, scene, policy, now)


def ending(board: Board, case: Case) -> Ending:
    """No two services fail together any more."""
    del board
    return Ending(f"Trouble no longer spreads in {case.incident.subject}.")


def _scene(board: Board, domain: str, onsets: dict[str, float], policy: CascadePolicy, now: float) -> _Scene:
    edges, share = board.calls.once("domain", domain, partial(_calls, board, domain))
    standings = [board.services[name] for name in onsets]
    group = board.memory.recalled(
        "group", domain, (policy, board.calls, *standings), now, partial(_group, onsets, edges)
    )
    index, before = (branching(group, edges, at, policy.window) for at in (now, now - policy.window))
    return _Scene(domain, group, edges, index, min(index, before) >= policy.branching, share)


def _calls(board: Board, domain: str) -> tuple[Mapping[Pair, EdgeView], float]:
    """All calls of a domain, and the share of what comes in that is outside its objective."""
    edges = {
        (edge.window.caller, edge.window.callee): edge
        for into in board.callees.values()
        for edge in into
        if edge.domain == domain
    }
    volume = {edge: edges[edge].window.first for edge in entries(edges)}
    out = sum(count for edge, count in volume.items() if edges[edge].overloaded.windows > 1)
    return edges, out / (sum(volume.values()) or 1.0)


def _group(onsets: Mapping[str, float], edges: Mapping[Pair, EdgeView]) -> Lasting[dict[str, float]]:
    """The largest group that calls join, since when each fails, the earliest first."""
    names = sorted(joined(onsets, edges)[0], key=lambda name: (onsets[name], name))
    return Lasting({name: onsets[name] for name in names})


def _finding(board: Board, scene: _Scene, policy: Policy, now: float) -> Finding:
    factors = {
        edge: factor(view.window, view.samples, policy.retry)
        for edge, view in scene.edges.items()
        if now < view.observed_at + CURRENT
    }
    path = worst_path(factors)
    victims = _victims(board, scene, policy)
    held = board.cascades.get(scene.domain)
    began = min(scene.onsets.values())
    if held is not None:
        began = min(began, held.incident.opened_at)
    causes = triggers(Scene(scene.onsets, scene.edges, board.services, began), policy)
    first = board.services[next(iter(scene.onsets))]
    at, place = first.observed_at, first.place
    evidence = [
        place.evidence(f"branching index of {scene.domain}", scene.index, policy.cascade.branching, "ratio", at),
        place.evidence("entry volume outside its objective", scene.share, policy.cascade.entry_share, "ratio", at),
    ]
    if path.services:
        evidence.append(
            place.evidence(f"attempts per request along {'>'.join(path.services)}", path.factor, nan, "ratio", at)
        )
    evidence += [item for victim in victims for item in _danger(victim, board, policy)]
    evidence += [
        item for name in list(scene.onsets)[:_NAMED] for item in _vulnerable(board.services[name], board, policy)
    ]
    return Finding(
        kind=IncidentKind.CASCADE,
        subject=scene.domain,
        domain=scene.domain,
        rule=RULE,
        severity="critical",
        summary=_summary(scene, causes, victims),
        members=tuple(scene.onsets),
        causes=causes,
        evidence=tuple(evidence),
        confidence=_CONFIDENCE,
        predicted=tuple(victim.service for victim in victims),
        entry_share=scene.share,
    )


def _victims(board: Board, scene: _Scene, policy: Policy) -> list[Prediction]:
    callers = {caller for caller, callee in scene.edges if callee in scene.onsets and caller not in scene.onsets}
    found: list[Prediction] = []
    for caller in sorted(callers & board.services.keys()):
        prediction = predicted(caller, board.services[caller].in_flight, _limit(board, caller, policy), policy.cascade)
        if prediction is not None:
            found.append(prediction)
    return sorted(found, key=lambda victim: (victim.left, -victim.share, victim.service))[:_NAMED]


def _limit(board: Board, service: str, policy: Policy) -> float:
    """Calls a service can hold: as configured, or from how full its nodes say that their pools are."""
    named = policy.services.get(service)
    if named is not None and named.concurrency is not None:
        return named.concurrency
    pools = [view.health.pool for view in board.crews.get(service, ()) if view.health.pool > 0.0]
    return board.services[service].in_flight[-1][1] * len(pools) / sum(pools) if pools else nan


def _danger(victim: Prediction, board: Board, policy: Policy) -> Iterator[Evidence]:
    standing = board.services[victim.service]
    yield standing.place.evidence(
        f"calls in flight of {victim.service} against its limit",
        victim.share,
        policy.cascade.in_flight_share,
        "ratio",
        standing.observed_at,
    )


def _vulnerable(standing: Standing, board: Board, policy: Policy) -> Iterator[Evidence]:
    seen = vulnerability_of(standing, processors(board.nodes.values()).get(standing.service, nan), policy)
    for bound, value in (("at least", seen.low), ("at most", seen.high)):
        if not isnan(value):
            series = f"vulnerability of {standing.service}, {bound} ({seen.method})"
            yield standing.place.evidence(series, value, 1.0, "ratio", standing.observed_at)


def _summary(scene: _Scene, causes: tuple[Cause, ...], victims: list[Prediction]) -> str:
    begun = f"{causes[0].name}, which {causes[0].reason}" if causes else next(iter(scene.onsets))
    text = (
        f"Trouble spreads from {begun}: {len(scene.onsets)} services of {scene.domain} fail together and "
        f"{scene.share:.0%} of what comes in is outside its objective"
    )
    if not victims:
        return f"{text}."
    return f"{text}; next {', '.join(_next(victim) for victim in victims)}."


def _next(victim: Prediction) -> str:
    return f"{victim.service} in {victim.left:.0f} s" if victim.left < inf else victim.service
