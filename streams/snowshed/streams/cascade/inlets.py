"""Where a surge comes in that a callee cannot bear: the services furthest up that are asked more than usual.

What is refused there has cost nobody anything yet. Refused at the callee it has cost all the work of the services
before it, and what others ask of the callee is refused with it (TopFull, SIGCOMM 2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, sqrt

from snowshed.schemas.records import Liveness
from snowshed.streams.cascade.calls import Edges
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.cascade.views import EdgeView, NodeView
from snowshed.streams.policy import Policy

__all__ = ["Fleet", "Inlet", "accountable", "asked", "enforcers", "fitting", "inlets", "sufficient", "surpassed"]

_RUNNING = frozenset({Liveness.ALIVE, Liveness.SUSPECT})
_EXPLAINED = 0.5
"""Share of what a callee is asked beyond the usual from which on the inlets account for it."""
_NOTABLE = 0.1
"""Share of the usual, and of all growth, from which on an inlet's growth is no chance."""
_FARTHEST = 100
"""Services that are looked at on the way up; beyond them a surge counts as coming in where the search has come to."""
_NOISE = 3.0
"""Standard deviations of a Poisson count that still pass for chance."""


@dataclass(frozen=True, slots=True)
class Inlet:
    """One service by which more comes in than usual."""

    service: str
    usual: float
    """Requests a second that it usually gets."""
    caused: float
    """How many of the callee's calls a second these usually cause."""
    enforcers: float = 1.0
    """Processes that each take their part of its rate."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Where inlets are looked for."""

    callees: Mapping[str, Edges]
    """Edges by callee."""
    services: Mapping[str, Standing]
    crews: Mapping[str, Sequence[NodeView]]
    """Nodes by service."""


def enforcers(fleet: Fleet, service: str) -> float:
    """By how many processes a rate of a service is to be divided: those that call it, or its own where they are fewer.

    Guards of both kinds take their part. Divided by the greater number, the fewer ones would let in too little.
    """
    callers = sum(edge.window.reporters for edge in fleet.callees.get(service, ()))
    own = float(sum(one.health.status in _RUNNING for one in fleet.crews.get(service, ())))
    return min(callers, own) if own else callers


def inlets(fleet: Fleet, callee: str, policy: Policy) -> tuple[Inlet, ...]:
    """The inlets of a callee by name; none where no caller of it is asked more than usual, or where one is spared."""
    caused = _caused(fleet, callee, {})
    if any(isnan(calls) or policy.protects(name) for name, calls in caused.items()):
        return ()
    return tuple(
        Inlet(
            service=name,
            usual=fleet.services[name].demand.location,
            caused=caused[name],
            enforcers=enforcers(fleet, name),
        )
        for name in sorted(caused)
    )


def asked(edges: Sequence[EdgeView]) -> float:
    """First attempts a second that come in on edges now, refused ones included."""
    return sum(edge.window.first / edge.window.span for edge in edges)


def accountable(found: Sequence[Inlet], demand: Sequence[float], usual: float, comes: float) -> tuple[Inlet, ...]:
    """Those whose surge is a notable part of what the inlets bring; none where that does not account for the trouble.

    While it is cut for the sake of another callee, less of a surge arrives than it would bring: what is refused counts.

    Args:
        found: the inlets.
        demand: what each is asked now.
        usual: calls a second that the callee usually gets.
        comes: how many it gets now.
    """
    grown = [one.caused * max(now / one.usual - 1.0, 0.0) for one, now in zip(found, demand, strict=True)]
    whole = sum(grown)
    if whole < max(_EXPLAINED * (comes - usual), _NOTABLE * usual):
        return ()
    return tuple(one for one, part in zip(found, grown, strict=True) if part > _NOTABLE * whole)


def fitting(found: Sequence[Inlet], multiplier: float, usual_rate: float) -> float:
    """The share of their usual requests with which a callee gets that share of its own; never less than 1.

    The others' calls stay what they are, so that what the callee can bear beyond the usual is all for the inlets.
    """
    return 1.0 + max(multiplier - 1.0, 0.0) * usual_rate / sum(one.caused for one in found)


def sufficient(found: Sequence[Inlet], demand: Sequence[float], usual_rate: float) -> float:
    """The share of its usual calls that a callee gets once the inlets are let all that they are asked."""
    share = max(now / one.usual for one, now in zip(found, demand, strict=True))
    return 1.0 + max(share - 1.0, 0.0) * sum(one.caused for one in found) / usual_rate


def surpassed(found: Sequence[Inlet], demand: Sequence[float], share: float) -> bool:
    """Whether any of them is asked for more than this share of the usual."""
    return any(now > share * one.usual + _NOISE * sqrt(now) for one, now in zip(found, demand, strict=True))


def _caused(fleet: Fleet, service: str, known: dict[str, Mapping[str, float]]) -> Mapping[str, float]:
    """By inlet, how many of the calls that a service usually gets it causes; nothing where none of them surges."""
    if service in known:
        return known[service]
    known[service] = {}  # what calls itself in a circle brings nothing from outside
    found: dict[str, float] = {}
    for edge in fleet.callees.get(service, ()):
        name = edge.window.caller
        caller = fleet.services.get(name)
        if caller is None or not caller.surging.since or name == service:
            continue
        above = _caused(fleet, name, known) if len(known) < _FARTHEST else known[service]
        share = edge.baseline.first_rate / caller.demand.location
        for inlet, calls in (above or {name: caller.demand.location}).items():
            found[inlet] = found.get(inlet, 0.0) + calls * share
    known[service] = found
    return found
