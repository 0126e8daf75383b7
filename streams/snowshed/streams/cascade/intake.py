"""Observations into the state: the newest of each thing, and how long it has been bad."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from snowshed.schemas.records import EdgeObservations, IncidentKind, Lag, Liveness, NodeHealth
from snowshed.streams.cascade.board import DomainState
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.inbound import Inbound, inbound, remembered, renewed
from snowshed.streams.cascade.observations import Observation, Place
from snowshed.streams.cascade.reached import reached
from snowshed.streams.cascade.rows import cut_off
from snowshed.streams.cascade.rules import node_failed
from snowshed.streams.cascade.sight import Missing, Sight, late, left_out, lost, missed
from snowshed.streams.cascade.standing import Standing, season_of, stood, unseen
from snowshed.streams.cascade.views import EdgeView, LagView, NodeView
from snowshed.streams.cascade.watching import Reported, watched
from snowshed.streams.policy import Policy
from snowshed.streams.stability.season import Season

__all__ = ["adopt", "forget", "take"]

_CURRENT = 0.9
"""Share of a window's length for which it stands for the present: a little less than until the next one ends."""


def take(current: dict[str, DomainState], observations: Iterable[Observation], number: int, policy: Policy) -> None:
    """Put observations into `current`; edges seen by a detector that was late are left out, their moment has passed."""
    # Clocks that are off, which may be for weeks, change nothing about what is usual.
    alarmed = {
        value.incident.domain
        for value in current.values()
        if isinstance(value, Case) and value.incident.kind is not IncidentKind.CLOCK
    }
    for observation in observations:
        place = Place(number, observation.offset)
        match observation.record:
            case NodeHealth() as health:
                key = f"node/{health.node}"
                known = current.get(key)
                current[key] = _charged(known if isinstance(known, NodeView) else None, health, place, policy)
            case Lag() as lag:
                current[f"lag/{lag.dataset}/{lag.replica}"] = LagView(lag, place)
            case EdgeObservations() as record if late(record, policy.decisions):
                _miss(current, left_out(record), record.domain, place, policy)
            case EdgeObservations() as record:
                _miss(current, lost(record), record.domain, place, policy)
                callees = _watch(current, record, place, policy)
                _stand(current, callees, record.observed_at, alarmed, policy)
            case _:
                pass


def forget(current: dict[str, DomainState], now: float, policy: Policy) -> None:
    """Let go of views so old that they say nothing any more."""
    for key, value in list(current.items()):
        left = _left(value, now, policy.decisions.remember)
        if left is None:
            del current[key]
        elif left is not value:
            current[key] = left


def _left(value: DomainState, now: float, age: float) -> DomainState | None:
    match value:
        case Inbound():
            return remembered(value, now, age)
        case Standing():
            return None if now > value.observed_at + age else value
        case NodeView(health=record) | LagView(lag=record):
            return None if now > record.observed_at + age else value
        case _:
            return value  # a season is a few hundred bytes, and a service that comes back is glad of it


def adopt(current: dict[str, DomainState]) -> None:
    """Put edges that earlier releases wrote one by one with the others into the same callee."""
    for key, edge in [(key, value) for key, value in current.items() if isinstance(value, EdgeView)]:
        del current[key]
        held = _inbound(current, edge.window.callee)
        known = [] if held is None else [one.window.caller for one in held.edges]
        if edge.window.caller not in known:
            new = inbound(edge.window.callee, [edge], held)
            current[new.key] = new


def _watch(current: dict[str, DomainState], record: EdgeObservations, place: Place, policy: Policy) -> Iterable[str]:
    """Put the windows of an observation into `current`; the callees that they are of, in their order."""
    reported = Reported(record.domain, record.observed_at, place)
    rows, windows, usual = reached(record)
    callers, callees = [window.caller for window in windows], [window.callee for window in windows]
    for run in _runs(callers, callees):
        groups = list(_groups(current, callers, callees, run))
        held = [edge for group in groups for edge in group.held]
        edges = watched(reported, rows.part(run), (windows[run], usual[run]), held, policy)
        for row, cut in cut_off(record).items():
            if run.start <= row < run.stop:
                edges[row - run.start] = edges[row - run.start]._replace(cut_nodes=cut)
        for group in groups:
            part = edges[group.rows.start - run.start : group.rows.stop - run.start]
            if group.whole is not None:
                new = renewed(group.whole, tuple(part), record.observed_at)
            else:
                new = inbound(group.callee, part, _inbound(current, group.callee))
            current[new.key] = new
    return dict.fromkeys(callees)


def _runs(callers: Sequence[str], callees: Sequence[str]) -> Iterator[slice]:
    """The rows in runs in which no edge is twice: one, unless a record has several windows of an edge."""
    pairs = list(zip(callers, callees, strict=True))
    begun, met = 0, set[tuple[str, str]]()
    for row, pair in enumerate(pairs) if len({*pairs}) < len(pairs) else ():
        if pair in met:
            yield slice(begun, row)
            begun = row
            met.clear()
        met.add(pair)
    yield slice(begun, len(pairs))


class _Group(NamedTuple):
    """Rows beside each other that are of one callee."""

    callee: str
    rows: slice
    held: Sequence[EdgeView | None]
    """What is remembered of the edge of each."""
    whole: Inbound | None
    """What is remembered of the callee, where the rows are all of its edges in their order."""


def _groups(
    current: Mapping[str, DomainState], callers: Sequence[str], callees: Sequence[str], run: slice
) -> Iterator[_Group]:
    for callee, places in groupby(range(run.start, run.stop), key=callees.__getitem__):
        found = list(places)
        rows, known = slice(found[0], found[-1] + 1), _inbound(current, callee)
        if known is not None and known.callers == tuple(callers[rows]):
            yield _Group(callee, rows, known.edges, known)
        else:
            edges = dict(zip(known.callers, known.edges, strict=True)) if known is not None else {}
            yield _Group(callee, rows, [edges.get(caller) for caller in callers[rows]], None)


def _present(current: Mapping[str, DomainState], callee: str, now: float) -> Sequence[EdgeView]:
    """The edges into a callee by the windows that speak of this moment, those that end now first.

    Reporters that see something wrong close theirs earlier than others, and each then stands for what an edge does
    until its next one may end.
    """
    found = _inbound(current, callee)
    if found is None or found.oldest >= now:
        return () if found is None else found.edges
    lasting = [edge for edge in found.edges if now - edge.observed_at < _CURRENT * edge.window.span]
    return sorted(lasting, key=lambda edge: edge.observed_at < now)


def _inbound(current: Mapping[str, DomainState], callee: str) -> Inbound | None:
    found = current.get(f"inbound/{callee}")
    return found if isinstance(found, Inbound) else None


def _charged(held: NodeView | None, health: NodeHealth, place: Place, policy: Policy) -> NodeView:
    """The node's view, with one more penalty when it has just been convicted."""
    if held is None:
        held = NodeView(health, place)
        convicted = health.status is Liveness.DEAD
    else:
        convicted = health.status is Liveness.DEAD and held.health.status is not Liveness.DEAD
    if not convicted:
        return NodeView(health, place, held.penalty, held.charged)
    now = health.observed_at
    return NodeView(health, place, node_failed.penalty(held, now, policy.health) + 1.0, now)


def _miss(
    current: dict[str, DomainState], missing: Iterable[Missing], domain: str, place: Place, policy: Policy
) -> None:
    for one in missing:
        held = current.get(f"sight/{one.callee}")
        sight = missed(held if isinstance(held, Sight) else None, one, domain, place, policy.decisions)
        current[sight.key] = sight


def _stand(
    current: dict[str, DomainState], callees: Iterable[str], now: float, alarmed: Container[str], policy: Policy
) -> None:
    def caller(name: str) -> Standing | None:
        found = current.get(f"service/{name}")
        return found if isinstance(found, Standing) else None

    new: dict[str, DomainState] = {}
    for service in callees:
        edges = _present(current, service, now)
        found, known = current.get(f"service/{service}"), current.get(f"season/{service}")
        held, season = found if isinstance(found, Standing) else None, known if isinstance(known, Season) else None
        sight = current.get(f"sight/{service}")
        if held is not None and isinstance(sight, Sight) and sight.blind_since:
            new[held.key] = unseen(held, edges, policy)
            continue
        after = stood(held, edges, caller, policy, frozen=edges[0].domain in alarmed, season=season)
        new[after.key] = after
        learned = season_of(season, held, after, policy.change.season_windows)
        if learned is not None:
            new[learned.key] = learned
    # Only now, for what a service is asked rests on how its callers stood before.
    current |= new
