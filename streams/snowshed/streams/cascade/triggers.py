"""Who started it, and who only suffers: both directions in which trouble travels.

A loss of capacity travels from callee to caller. Its trigger keeps what it fails or makes wait beyond the usual once
its callees' share is taken off: `snowshed.streams.causes.attribution`, by which measurements are ranked after the fact
as well. Where all of that lies on calls that are lost on their way, the path is at fault. A surge of demand travels
from caller to callee: its trigger is the most upstream service that gets more requests than usual, and one further down
that does all of its usual work is its victim. Retries feed trouble and do not begin it.

The score is the share of the largest excess; of a surge, the share of the failing services below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan, sqrt

from snowshed.schemas.records import Cause
from snowshed.streams.cascade.calls import Calls
from snowshed.streams.cascade.gathering import is_thin
from snowshed.streams.cascade.harm import short_of_work
from snowshed.streams.cascade.paths import are_answers_lost, is_heard, was_on_the_way
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.cascade.views import EdgeView
from snowshed.streams.causes.attribution import best, own, shares
from snowshed.streams.edges.queueing import queue_limit
from snowshed.streams.policy import Policy
from snowshed.streams.stability.branching import reached

__all__ = ["Pair", "Scene", "descent", "lost", "triggers"]

_NAMED = 3
_SHARE = 0.5
"""Share of a service's failed calls from which on its own errors count as local evidence."""
_LEAST = 0.05
"""Share of all its calls from which on they do."""
_ONSET = 1.0
"""Seconds by which a surge may be seen after what it brought about."""
_NOTABLE = 0.5
"""Excess as a share of the usual below which it may be chance."""

Pair = tuple[str, str]
_Claim = tuple[float, str]
"""Score and reason."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A group of failing services and the calls around it."""

    onsets: Mapping[str, float]
    """Since when each service of the group fails."""
    edges: Mapping[Pair, EdgeView]
    """All calls of the domain."""
    services: Mapping[str, Standing]
    began: float
    """When the trouble began."""


@dataclass(frozen=True, slots=True)
class _Load:
    requests: float = 1.0
    """First attempts as a multiple of the usual."""
    calls: float = 1.0
    """The same of all attempts: what its own callees may get as first ones."""


_USUAL = _Load()


def triggers(scene: Scene, policy: Policy) -> tuple[Cause, ...]:
    """The likeliest triggers, best first, at most three."""
    into = _into(scene.edges)
    loads = {name: _load(edges, scene.services.get(name), policy) for name, edges in into.items()}
    surges = dict(_surges(scene, loads))
    claims = dict(_losses(scene, into, policy, surged=bool(surges)))
    for name, claim in surges.items():
        claims[name] = max(claims.get(name, claim), claim)
    return tuple(Cause(name=name, score=score, reason=reason) for name, score, reason in best(claims, _NAMED))


def descent(calls: Calls, start: str) -> dict[str, float]:
    """The excess of its own of a service, and of each one further down to which most of it is passed on."""
    waits = any(edge.dues.waited > _NOTABLE * edge.dues.usual for edge in calls.callees.get(start, ()))
    what = "descent of waiting" if waits else "descent of failures"
    way: dict[str, float] = {}
    at = start
    while at not in way:
        way[at], at = calls.around(what, at, partial(_descended, calls, at, waits=waits))
    return way


def _descended(calls: Calls, at: str, *, waits: bool) -> tuple[float, str]:
    """A service's own excess, and the one that most of the rest comes from; itself where there is no such."""
    into, out = calls.callees.get(at, ()), calls.callers.get(at, ())
    came = sum(_due(edge, waits=waits) for edge in into)
    passed = {edge.window.callee: _due(edge, waits=waits) for edge in out if edge.window.callee != at}
    left = own({at: came}, ((at, amount) for amount in passed.values()))
    worst = max(passed, key=lambda name: (passed[name], name), default=at)
    return left[at], worst if 2.0 * passed.get(worst, 0.0) > came else at


def _due(edge: EdgeView, *, waits: bool) -> float:
    dues = edge.dues
    amount, chance = (dues.waited, _NOTABLE * dues.usual) if waits else (dues.failed, dues.chance)
    return amount if amount > chance else 0.0


def _losses(
    scene: Scene, into: Mapping[str, list[EdgeView]], policy: Policy, *, surged: bool
) -> Iterator[tuple[str, _Claim]]:
    """Services with an excess of their own, or the paths to them."""
    below = {caller: set[str]() for caller, _ in scene.edges}
    for caller, callee in scene.edges:
        below[caller].add(callee)
    scope = reached(scene.onsets, below)
    edges = {pair: edge for pair, edge in scene.edges.items() if pair[1] in scope}
    failed = _own({pair: (edge.dues.failed, edge.dues.chance) for pair, edge in edges.items()})
    waited = _own({pair: (edge.dues.waited, _NOTABLE * edge.dues.usual) for pair, edge in edges.items()})
    for name in sorted({*failed, *waited}):
        share = max(failed.get(name, 0.0), waited.get(name, 0.0))
        standing = scene.services.get(name)
        if surged and _is_victim_of_a_surge(scene, name, policy):
            continue
        paths = lost(into[name], policy)
        if paths:
            for edge in paths:
                yield edge.name, (share, f"brings no answer of {name}, while others get theirs")
        else:
            yield name, (share, _reason(into[name], standing, policy))


def _own(excess: Mapping[Pair, tuple[float, float]]) -> dict[str, float]:
    """What of the excess is each service's own, as shares of the largest.

    Args:
        excess: how much each call has beyond the usual, and how much may be chance.
    """
    totals: dict[str, float] = {}
    chance: dict[str, float] = {}
    for (_, callee), (amount, least) in excess.items():
        totals[callee] = totals.get(callee, 0.0) + amount
        chance[callee] = chance.get(callee, 0.0) + least
    notable = {name: amount for name, amount in totals.items() if amount > chance[name]}
    return shares(
        own(notable, ((caller, amount) for (caller, callee), (amount, _) in excess.items() if callee in notable))
    )


def _surges(scene: Scene, loads: Mapping[str, _Load]) -> Iterator[tuple[str, _Claim]]:
    """Services that get more requests than usual although none of their callers gets more calls."""
    callers: dict[str, set[str]] = {}
    callees: dict[str, set[str]] = {}
    for caller, callee in scene.edges:
        callers.setdefault(callee, set()).add(caller)
        callees.setdefault(caller, set()).add(callee)
    for name in sorted(reached(scene.onsets, callers)):
        rise = loads.get(name, _USUAL).requests
        if (
            rise > 1.0
            and _began_with_a_surge(scene, name)
            and all(loads.get(caller, _USUAL).calls <= 1.0 for caller in callers.get(name, ()))
        ):
            hit = scene.onsets.keys() & reached([name], callees)
            yield name, (len(hit) / len(scene.onsets), f"gets {rise:.1f} times its usual requests")


def _began_with_a_surge(scene: Scene, name: str) -> bool:
    """Whether it got more requests than usual when the trouble began: a backlog worked off is a surge as well."""
    standing = scene.services.get(name)
    if standing is None or not standing.surging.since:
        return False
    return standing.surging.since <= scene.began + _ONSET


def _is_victim_of_a_surge(scene: Scene, name: str, policy: Policy) -> bool:
    """Whether it gets more requests than usual and does all of its usual work."""
    standing = scene.services.get(name)
    return _began_with_a_surge(scene, name) and standing is not None and not short_of_work(standing, policy)


def _into(edges: Mapping[Pair, EdgeView]) -> dict[str, list[EdgeView]]:
    into: dict[str, list[EdgeView]] = {}
    for (_, callee), edge in edges.items():
        into.setdefault(callee, []).append(edge)
    return into


def _load(edges: list[EdgeView], standing: Standing | None, policy: Policy) -> _Load:
    """What comes in as a multiple of the usual; 1 where that is within its usual spread."""
    usual = standing.demand.location if standing is not None else 0.0
    if standing is None or not usual > 0.0:
        return _USUAL
    # The usual spread is that of windows of a second; shorter ones vary more.
    span = min((edge.window.span for edge in edges), default=1.0)
    noise = policy.metastable.noise * standing.demand.scale(policy.change) / sqrt(min(span, 1.0))
    most = usual + max(policy.metastable.flat * usual, noise)
    first = sum(edge.window.first / edge.window.span for edge in edges)
    attempts = sum(edge.window.attempts / edge.window.span for edge in edges)
    return _Load(first / usual if first > most else 1.0, attempts / usual if attempts > most else 1.0)


def lost(edges: Sequence[EdgeView], policy: Policy) -> list[EdgeView]:
    """The edges whose path is at fault: by the callee's own view, or because it answers another busy caller as ever."""
    proven = [edge for edge in edges if was_on_the_way(edge, policy.overload)]
    if proven:
        return proven
    bad = [edge for edge in edges if edge.overloaded.windows > 1 or edge.cut.windows > 1]
    good = [edge for edge in edges if edge not in bad and not is_thin(edge.judged, policy.overload)]
    if not good or any(is_heard(edge) and not are_answers_lost(edge, policy.overload) for edge in bad):
        return []
    return bad if len(bad) == 1 or all(edge.cut.windows > 1 for edge in bad) else []


def _reason(edges: list[EdgeView], standing: Standing | None, policy: Policy) -> str:
    """What of a service's own signals is farthest beyond its limit, in words."""
    found = [(0.0, "fails or makes wait beyond what its callees do")]
    found += [
        (_queue_excess(edge, policy), f"has a queue of its own of {edge.judged.queue_delay_mean:.2g} s")
        for edge in edges
        if _queue_excess(edge, policy) > 1.0
    ]
    if standing is not None and short_of_work(standing, policy):
        left = standing.throughput / standing.served.location
        found.append((1.0 / max(left, 0.01), f"does {left:.0%} of its usual work"))
    local = sum(edge.judged.error_local for edge in edges)
    errors = local + sum(edge.judged.error_downstream for edge in edges)
    attempts = sum(edge.judged.attempts for edge in edges)
    if attempts and errors and local >= _SHARE * errors and local > _LEAST * attempts:
        found.append((1.0 + local / attempts, f"{local / attempts:.0%} of its calls fail by its own errors"))
    return max(found)[1]


def _queue_excess(edge: EdgeView, policy: Policy) -> float:
    """Its queue delay over the limit of that; 0 where nobody knows it."""
    excess = edge.judged.queue_delay_mean / queue_limit(policy.overload.queue_delay, edge.baseline.p90)
    return 0.0 if isnan(excess) else excess
