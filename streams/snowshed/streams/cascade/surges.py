"""Finds where a surge comes in that a callee cannot bear, and by how many processes a rate is divided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isnan, nan

from snowshed.schemas.records import Liveness
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.calls import Edges
from snowshed.streams.cascade.inlets import Inlet, accountable
from snowshed.streams.cascade.situation import Situation
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.cascade.views import EdgeView, NodeView
from snowshed.streams.policy import Policy

__all__ = ["Fleet", "asked", "fleet_of", "surged"]

_RUNNING = frozenset({Liveness.ALIVE, Liveness.SUSPECT})
_FARTHEST = 100
"""Services that are looked at on the way up; beyond them a surge counts as coming in where the search has come to."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Where inlets are looked for."""

    callees: Mapping[str, Edges]
    """Edges by callee."""
    services: Mapping[str, Standing]
    surging: Mapping[str, Standing]
    """Those of them that are asked more than usual."""
    crews: Mapping[str, Sequence[NodeView]]
    """Nodes by service."""


def fleet_of(board: Board) -> Fleet:
    """The fleet of a step."""
    surging = {name: one for name, one in board.services.items() if one.surging.since}
    return Fleet(board.callees, board.services, surging, board.crews)


def surged(fleet: Fleet, seen: Situation, known: tuple[Inlet, ...], policy: Policy) -> Situation:
    """A situation with the inlets of the surge that presses its callee, what these are asked, and who enforces a rate.

    Args:
        fleet: everything around.
        seen: what the edges into the callee show.
        known: the inlets of the surge that its trouble began with, where it did.
        policy: which services are spared.
    """
    own = _nodes(fleet, seen.callee)
    if own < seen.reporters:
        seen = replace(seen, reporters=own)
    if not known and fleet.surging and seen.overloaded and seen.usual_known:
        above = _inlets(fleet, seen.callee, policy) or _itself(fleet, seen)
        comes = asked(fleet.callees.get(seen.callee, ()))
        known = accountable(above, _demand(fleet, above), seen.usual_rate, comes)
    if not known:
        return seen
    standings = [fleet.services.get(one.service) for one in known]
    least = tuple(one.asked if one else nan for one in standings)
    return replace(seen, inlets=known, demand=_demand(fleet, known), demand_least=least)


def asked(edges: Sequence[EdgeView]) -> float:
    """First attempts a second that come in on edges now, refused ones included."""
    return sum(edge.window.first / edge.window.span for edge in edges)


def _demand(fleet: Fleet, known: Sequence[Inlet]) -> tuple[float, ...]:
    return tuple(asked(fleet.callees.get(one.service, ())) for one in known)


def _nodes(fleet: Fleet, service: str) -> float:
    """The running nodes of a service; inf where none is known.

    Guards of its callers take their part of its rate, and so do its own. Divided by the greater number of the two, the
    fewer ones would let in too little.
    """
    return float(sum(one.health.status in _RUNNING for one in fleet.crews.get(service, ()))) or inf


def _inlets(fleet: Fleet, callee: str, policy: Policy) -> tuple[Inlet, ...]:
    """The inlets of a callee by name; none where no caller of it is asked more than usual, or where one is spared.

    One that is asked more by chance is none: for the trouble that began meanwhile it would count till its end.
    """
    caused = _caused(fleet, callee, {})
    if any(isnan(calls) or policy.protects(name) for name, calls in caused.items()):
        return ()
    return tuple(
        Inlet(
            service=name,
            usual=_usual(fleet, name),
            caused=caused[name],
            enforcers=min(sum(edge.window.reporters for edge in fleet.callees[name]), _nodes(fleet, name)),
        )
        for name in sorted(caused)
        if fleet.surging[name].asked > _usual(fleet, name)
    )


def _usual(fleet: Fleet, service: str) -> float:
    """Requests a second that a surging service usually gets.

    By what its edges have learned, as what it causes is: of few requests what the service itself has learned may differ
    from that by a third, and so would what it is let.
    """
    learned = sum(edge.baseline.first_rate for edge in fleet.callees.get(service, ()))
    return learned if learned > 0.0 else fleet.surging[service].demand.location


def _itself(fleet: Fleet, seen: Situation) -> tuple[Inlet, ...]:
    """The callee as its own inlet, where it is asked more than usual and nobody further up is, or is spared."""
    standing = fleet.surging.get(seen.callee)
    if standing is None or not standing.asked > seen.usual_rate:
        return ()
    return (Inlet(seen.callee, usual=seen.usual_rate, caused=seen.usual_rate, enforcers=seen.reporters),)


def _caused(fleet: Fleet, service: str, known: dict[str, Mapping[str, float]]) -> Mapping[str, float]:
    """By inlet, how many of the calls that a service usually gets it causes; nothing where none of them surges."""
    if service in known:
        return known[service]
    known[service] = {}  # what calls itself in a circle brings nothing from outside
    found: dict[str, float] = {}
    for edge in fleet.callees.get(service, ()):
        name = edge.window.caller
        caller = fleet.surging.get(name)
        if caller is None or name == service:
            continue
        above = _caused(fleet, name, known) if len(known) < _FARTHEST else known[service]
        usual = _usual(fleet, name)
        share = edge.baseline.first_rate / usual
        for inlet, calls in (above or {name: usual}).items():
            found[inlet] = found.get(inlet, 0.0) + calls * share
    known[service] = found
    return found
