"""Observations into the state: the newest of each thing, and how long it has been bad."""

from __future__ import annotations

from collections.abc import Container, Iterable
from math import isnan
from typing import NamedTuple

from snowshed.schemas.records import EdgeObservations, Lag, Liveness, NodeHealth
from snowshed.streams.cascade.board import DomainState
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.dues import NOTHING, Dues, summed
from snowshed.streams.cascade.gathering import gathered, is_full
from snowshed.streams.cascade.harm import piling
from snowshed.streams.cascade.observations import Observation, Place
from snowshed.streams.cascade.paths import is_on_the_way
from snowshed.streams.cascade.rules import gray_failure, node_failed, overload, partition, retry_amplification
from snowshed.streams.cascade.sight import Missing, Sight, late, left_out, lost, missed
from snowshed.streams.cascade.standing import Standing, season_of, stood, unseen
from snowshed.streams.cascade.views import EdgeView, LagView, NodeView, Sample, Streak, windows
from snowshed.streams.edges.baseline import Baseline
from snowshed.streams.edges.window import EdgeWindow
from snowshed.streams.policy import Policy
from snowshed.streams.stability.season import Season

__all__ = ["forgotten", "take"]

_RESTING = Streak()


def take(current: dict[str, DomainState], observations: Iterable[Observation], number: int, policy: Policy) -> None:
    """Put observations into `current`; edges seen by a detector that was late are left out, their moment has passed."""
    alarmed = {value.incident.domain for value in current.values() if isinstance(value, Case)}
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
                seen: dict[str, list[EdgeView]] = {}
                for window, baseline, cut_nodes in windows(record):
                    key = f"edge/{window.caller}>{window.callee}"
                    held = current.get(key)
                    view = _viewed(
                        held if isinstance(held, EdgeView) else None,
                        record,
                        window,
                        baseline,
                        place=place,
                        cut_nodes=cut_nodes,
                        policy=policy,
                    )
                    current[key] = view
                    seen.setdefault(window.callee, []).append(view)
                _stand(current, seen, alarmed, policy)
            case _:
                pass


def forgotten(value: DomainState, now: float, policy: Policy) -> bool:
    """Whether a view is so old that it says nothing any more."""
    match value:
        case EdgeView() | Standing():
            return now > value.observed_at + policy.decisions.remember
        case NodeView(health=record) | LagView(lag=record):
            return now > record.observed_at + policy.decisions.remember
        case _:
            return False  # a season is a few hundred bytes, and a service that comes back is glad of it


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


def _viewed(
    held: EdgeView | None,
    record: EdgeObservations,
    window: EdgeWindow,
    baseline: Baseline,
    *,
    place: Place,
    cut_nodes: tuple[tuple[str, float], ...],
    policy: Policy,
) -> EdgeView:
    now = record.observed_at
    samples: tuple[Sample, ...] = (Sample(now, window.first, window.attempts),)
    if held is not None:
        oldest = now - policy.retry.carry
        samples = (*[sample for sample in held.samples if sample.at > oldest], *samples)
    amplified, cut = (held.amplified, held.cut) if held is not None else (_RESTING, _RESTING)
    view = EdgeView(
        domain=record.domain,
        observed_at=now,
        window=window,
        baseline=baseline,
        place=place,
        samples=samples,
        amplified=retry_amplification.noted(amplified, window, baseline, samples, now=now, policy=policy),
        cut=partition.noted(cut, window, now=now, policy=policy.health),
        heard=now if not isnan(window.completions) else held.heard if held is not None else 0.0,
        cut_nodes=cut_nodes,
    )
    lost = is_on_the_way(view, policy.overload)
    dues = summed(held.dues if held is not None else NOTHING, window, baseline, lost=lost)
    gathering = gathered(held.gathering if held is not None else None, window)
    if is_full(gathering, policy.overload):
        return _judged(held, view, gathering, dues, policy)
    return _with(view, held or view, cut=view.cut, excess=(held or view).excess, dues=dues, gathering=gathering)


def _judged(held: EdgeView | None, view: EdgeView, gathering: EdgeWindow, dues: Dues, policy: Policy) -> EdgeView:
    """The view with the verdicts that enough calls allow."""
    now, baseline, before = view.observed_at, view.baseline, held.judged if held is not None else None
    held = held or view
    excess = overload.excess(gathering, baseline, policy.overload)
    return _with(
        view,
        _Verdicts(
            overload.noted(held.overloaded, gathering, excess, now=now, policy=policy.overload),
            gray_failure.noted(held.failing, gathering, baseline, now=now, policy=policy.health),
            piling(held.piling, before, gathering, now=now, policy=policy.overload),
            None if gathering is view.window else gathering,
        ),
        cut=view.cut if gathering is view.window else _cut(view, gathering, policy),
        excess=excess,
        dues=dues,
    )


class _Verdicts(NamedTuple):
    """What rests on enough calls."""

    overloaded: Streak
    failing: Streak
    piling: Streak
    gathered: EdgeWindow | None


def _with(
    view: EdgeView,
    verdicts: EdgeView | _Verdicts,
    *,
    cut: Streak,
    excess: float,
    dues: Dues,
    gathering: EdgeWindow | None = None,
) -> EdgeView:
    # Written out, because dataclasses.replace takes twice as long and this is done for each edge and window.
    return EdgeView(
        domain=view.domain,
        observed_at=view.observed_at,
        window=view.window,
        baseline=view.baseline,
        place=view.place,
        samples=view.samples,
        amplified=view.amplified,
        overloaded=verdicts.overloaded,
        failing=verdicts.failing,
        cut=cut,
        heard=view.heard,
        piling=verdicts.piling,
        excess=excess,
        dues=dues,
        gathering=gathering,
        gathered=verdicts.gathered,
        cut_nodes=view.cut_nodes,
    )


def _cut(view: EdgeView, gathering: EdgeWindow, policy: Policy) -> Streak:
    """With all that was gathered, where one window alone has too few calls to mean anything."""
    if partition.is_expected(view.window, policy.health):
        return view.cut
    return partition.noted(view.cut, gathering, now=view.observed_at, policy=policy.health)
