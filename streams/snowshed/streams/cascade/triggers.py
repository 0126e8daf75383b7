"""Who started it, and who only suffers: both directions in which trouble travels.

A loss of capacity travels from callee to caller: its trigger is a failing service without a failing callee. A surge of
demand travels from caller to callee: its trigger is the most upstream service that gets more requests than usual. Where
one caller alone sees a service fail that answers others, the path between them is at fault. Retries feed trouble and do
not begin it, so they are told as a reason and never as a trigger.

The score is 0.4·local evidence + 0.3·earliness + 0.3·share of the failing entry volume that the trigger explains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isnan, log1p

from snowshed.schemas.records import Cause
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.cascade.views import EdgeView
from snowshed.streams.policy import Policy
from snowshed.streams.stability.branching import entries, reached

__all__ = ["Scene", "triggers"]

_LOCAL, _EARLY, _EXPLAINED = 0.4, 0.3, 0.3
_NAMED = 3
_SHARE = 0.5
"""Share of a service's failed calls from which on its own errors count as local evidence."""

_LEAST = 0.05
"""Share of all its calls from which on they do."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Scene:
    """A group of failing services and the calls around it."""

    onsets: Mapping[str, float]
    """Since when each service of the group fails."""
    edges: Mapping[Pair, EdgeView]
    """All calls of the domain."""
    services: Mapping[str, Standing]

    def failing(self, pair: Pair) -> bool:
        """Whether a call into the group fails now."""
        edge = self.edges[pair]
        return pair[1] in self.onsets and (edge.overloaded.windows > 1 or edge.amplified.windows > 1)


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    strength: float
    """By how much its own evidence exceeds what is usual; 0 without any."""
    since: float
    explained: float
    reason: str


@dataclass(frozen=True, slots=True)
class _Load:
    requests: float = 1.0
    """First attempts as a multiple of the usual."""
    calls: float = 1.0
    """The same of all attempts: what its own callees may get as first ones."""


_USUAL = _Load()


def triggers(scene: Scene, policy: Policy) -> tuple[Cause, ...]:
    """The likeliest triggers, best first, at most three."""
    failing = [pair for pair in scene.edges if scene.failing(pair)]
    loads = {name: _load(edges, scene.services.get(name), policy) for name, edges in _into(scene.edges).items()}
    found = [*_surges(scene, loads), *_losses(scene, failing, loads, policy)]
    strongest = max((log1p(one.strength) for one in found), default=0.0) or 1.0
    order = sorted({one.since for one in found})
    scored = [
        (
            _LOCAL * log1p(one.strength) / strongest
            + _EARLY * (1.0 - order.index(one.since) / len(order))
            + _EXPLAINED * one.explained,
            one,
        )
        for one in found
    ]
    best = sorted(scored, key=lambda pair: (-pair[0], pair[1].since, pair[1].name))[:_NAMED]
    return tuple(Cause(name=one.name, score=round(score, 3), reason=one.reason) for score, one in best)


def _surges(scene: Scene, loads: Mapping[str, _Load]) -> Iterator[_Candidate]:
    """Services that get more requests than usual although none of their callers gets more calls."""
    callers: dict[str, set[str]] = {}
    callees: dict[str, set[str]] = {}
    for caller, callee in scene.edges:
        callers.setdefault(callee, set()).add(caller)
        callees.setdefault(caller, set()).add(callee)
    for name in sorted(reached(scene.onsets, callers)):
        rise = loads.get(name, _USUAL).requests
        if rise > 1.0 and all(loads.get(caller, _USUAL).calls <= 1.0 for caller in callers.get(name, ())):
            hit = scene.onsets.keys() & reached([name], callees)
            since = min((scene.onsets[one] for one in hit), default=0.0)
            explained = len(hit) / len(scene.onsets)
            yield _Candidate(name, rise, since, explained, f"gets {rise:.1f} times its usual requests")


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
    noise = policy.metastable.noise * standing.demand.scale(policy.change)
    most = usual + max(policy.metastable.flat * usual, noise)
    first = sum(edge.window.first / edge.window.span for edge in edges)
    attempts = sum(edge.window.attempts / edge.window.span for edge in edges)
    return _Load(first / usual if first > most else 1.0, attempts / usual if attempts > most else 1.0)


def _losses(scene: Scene, failing: list[Pair], loads: Mapping[str, _Load], policy: Policy) -> Iterator[_Candidate]:
    """Failing services without a failing callee, or the path to one that answers everybody else.

    One that does all of its usual work and gets more requests than usual is a victim of the surge.
    """
    waiting = {caller for caller, callee in failing if callee != caller}
    up: dict[str, set[str]] = {}
    for caller, callee in failing:
        up.setdefault(callee, set()).add(caller)
    volume = {pair: scene.edges[pair].window.first for pair in entries(scene.edges) if pair in set(failing)}
    for name, since in scene.onsets.items():
        standing = scene.services.get(name)
        surged = loads.get(name, _USUAL).requests > 1.0 and not _short(standing, policy)
        if name in waiting or surged:
            continue
        bad = [scene.edges[pair] for pair in failing if pair[1] == name]
        suffering = reached([name], up)
        explained = sum(count for pair, count in volume.items() if pair[1] in suffering) / (sum(volume.values()) or 1.0)
        strength, reason = _local(bad, standing, policy)
        alone = _alone(scene, name, bad, policy) if not strength else ""
        if alone:
            yield _Candidate(f"{alone}>{name}", 1.0, since, explained, f"{name} answers everybody but {alone}")
        else:
            yield _Candidate(name, strength, since, explained, reason)


def _local(bad: list[EdgeView], standing: Standing | None, policy: Policy) -> tuple[float, str]:
    """By how much a service's own signals exceed their limits, and what says so."""
    found = [(0.0, "fails without a failing callee")]
    delays = [edge.window.queue_delay_mean for edge in bad if not isnan(edge.window.queue_delay_mean)]
    delay = max(delays, default=0.0)
    if delay > policy.overload.queue_delay:
        found.append((delay / policy.overload.queue_delay, f"its own queue is {delay:.2g} s long"))
    if standing is not None and _short(standing, policy):
        left = standing.throughput / standing.served.location
        found.append((1.0 / max(left, 0.01), f"does {left:.0%} of its usual work"))
    local = sum(edge.window.error_local for edge in bad)
    errors = local + sum(edge.window.error_downstream for edge in bad)
    attempts = sum(edge.window.attempts for edge in bad)
    if attempts and errors and local >= _SHARE * errors and local > _LEAST * attempts:
        found.append((1.0 + local / attempts, f"{local / attempts:.0%} of its calls fail by its own errors"))
    return max(found)


def _short(standing: Standing | None, policy: Policy) -> bool:
    """Whether a service does less than its usual work."""
    if standing is None:
        return False
    least = (1.0 - policy.metastable.flat) * standing.served.location
    return standing.throughput < least - policy.metastable.noise * standing.served.scale(policy.change)


def _alone(scene: Scene, name: str, bad: list[EdgeView], policy: Policy) -> str:
    """The only caller for whom a service fails, while it answers at least one other busy one."""
    busy = [
        edge
        for (_, callee), edge in scene.edges.items()
        if callee == name and edge.window.attempts >= policy.overload.minimum_attempts
    ]
    return bad[0].window.caller if len(bad) == 1 and len(busy) > 1 else ""
