"""Observations into the state: the newest of each thing, and how long it has been bad."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from snowshed.schemas.records import EdgeObservations, IncidentKind, Lag, Liveness, NodeHealth
from snowshed.streams.cascade.board import DomainState
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.inbound import Inbound, inbound, remembered
from snowshed.streams.cascade.observations import Observation, Place
from snowshed.streams.cascade.rows import Report, cut_off, of_record, singly
from snowshed.streams.cascade.rules import node_failed
from snowshed.streams.cascade.sight import Missing, Sight, late, left_out, lost, missed
from snowshed.streams.cascade.standing import Standing, season_of, stood, unseen
from snowshed.streams.cascade.views import EdgeView, LagView, NodeView
from snowshed.streams.cascade.watching import Reported, watched
from snowshed.streams.policy import Policy
from snowshed.streams.stability.season import Season

__all__ = ["adopt", "forget", "take"]


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
                _stand(current, _watch(current, record, place, policy), alarmed, policy)
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


def _watch(
    current: dict[str, DomainState], record: EdgeObservations, place: Place, policy: Policy
) -> dict[str, list[EdgeView]]:
    """Put the windows of an observation into `current`; the edges that they are of, by callee, in their order."""
    reported, rows, reports = Reported(record.domain, record.observed_at, place), of_record(record), singly(record)
    seen: dict[str, list[EdgeView]] = {}
    nodes = cut_off(record)
    for run in _runs(reports):
        part = reports[run]
        found: dict[str, list[EdgeView]] = {}
        for row, edge in enumerate(watched(reported, rows.part(run), part, _held(current, part), policy), run.start):
            cut = nodes.get(row)
            found.setdefault(edge.window.callee, []).append(edge._replace(cut_nodes=cut) if cut else edge)
        for callee, edges in found.items():
            new = inbound(callee, edges, _inbound(current, callee))
            current[new.key] = new
            seen.setdefault(callee, []).extend(edges)
    return seen


def _runs(reports: Sequence[Report]) -> Iterator[slice]:
    """The rows in runs in which no edge is twice: one, unless a record has several windows of an edge."""
    begun, met = 0, set[tuple[str, str]]()
    for row, (window, _) in enumerate(reports):
        pair = window[:2]
        if pair in met:
            yield slice(begun, row)
            begun = row
            met.clear()
        met.add(pair)
    yield slice(begun, len(reports))


def _held(current: Mapping[str, DomainState], reports: Sequence[Report]) -> list[EdgeView | None]:
    """What is remembered of the edge of each row."""
    known: dict[str, Mapping[str, EdgeView]] = {}
    for callee in {window.callee for window, _ in reports}:
        found = _inbound(current, callee)
        known[callee] = {edge.window.caller: edge for edge in found.edges} if found is not None else {}
    return [known[window.callee].get(window.caller) for window, _ in reports]


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
    current: dict[str, DomainState], seen: dict[str, list[EdgeView]], alarmed: Container[str], policy: Policy
) -> None:
    callers = {
        edge.window.caller: value
        for edges in seen.values()
        for edge in edges
        if isinstance(value := current.get(f"service/{edge.window.caller}"), Standing)
    }
    for service, edges in seen.items():
        found, known = current.get(f"service/{service}"), current.get(f"season/{service}")
        held, season = found if isinstance(found, Standing) else None, known if isinstance(known, Season) else None
        sight = current.get(f"sight/{service}")
        if held is not None and isinstance(sight, Sight) and sight.blind_since:
            current[held.key] = unseen(held, edges, policy)
            continue
        new = stood(held, edges, callers, policy, frozen=edges[0].domain in alarmed, season=season)
        current[new.key] = new
        learned = season_of(season, held, new, policy.change.season_windows)
        if learned is not None:
            current[learned.key] = learned
