"""Observations into the state: the newest of each thing, and how long it has been bad."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from snowshed.schemas.records import EdgeObservations, Lag, NodeHealth
from snowshed.streams.cascade.board import DomainState
from snowshed.streams.cascade.observations import Observation, Place
from snowshed.streams.cascade.rules import overload, retry_amplification
from snowshed.streams.cascade.views import EdgeView, LagView, NodeView, Sample, windows
from snowshed.streams.policy import Policy

__all__ = ["forgotten", "take"]


def take(current: dict[str, DomainState], observations: Iterable[Observation], partition: int, policy: Policy) -> None:
    """Put observations into `current`; edges seen by a detector that was late are left out, their moment has passed."""
    for observation in observations:
        place = Place(partition, observation.offset)
        match observation.record:
            case NodeHealth() as health:
                current[f"node/{health.node}"] = NodeView(health, place)
            case Lag() as lag:
                current[f"lag/{lag.dataset}/{lag.replica}"] = LagView(lag, place)
            case EdgeObservations() as record if record.detector_lag <= policy.decisions.detector_lag:
                for window, baseline in windows(record):
                    new = EdgeView(
                        domain=record.domain,
                        observed_at=record.observed_at,
                        window=window,
                        baseline=baseline,
                        place=place,
                    )
                    held = current.get(f"edge/{new.name}")
                    current[f"edge/{new.name}"] = _continued(held if isinstance(held, EdgeView) else new, new, policy)
            case _:
                pass


def forgotten(value: DomainState, now: float, policy: Policy) -> bool:
    """Whether a view is so old that it says nothing any more."""
    match value:
        case NodeView(health=record) | LagView(lag=record):
            return now > record.observed_at + policy.decisions.remember
        case EdgeView():
            return now > value.observed_at + policy.decisions.remember
        case _:
            return False


def _continued(held: EdgeView, new: EdgeView, policy: Policy) -> EdgeView:
    now, window, baseline = new.observed_at, new.window, new.baseline
    kept = [sample for sample in held.samples if sample.at > now - policy.retry.carry]
    samples = (*kept, Sample(now, window.first, window.attempts))
    return replace(
        new,
        samples=samples,
        amplified=retry_amplification.noted(held.amplified, window, baseline, samples, now=now, policy=policy),
        overloaded=overload.noted(held.overloaded, window, baseline, now=now, policy=policy.overload),
    )
