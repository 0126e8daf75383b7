"""What level 2 tells of each service while nothing is wrong: how it stands, and how vulnerable it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import isnan, nan

from snowshed.schemas.records import ServiceHealth, ServiceStatus
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.cascade.views import NodeView
from snowshed.streams.folding import Batch, Emission
from snowshed.streams.policy import Policy
from snowshed.streams.stability.vulnerability import Load, Vulnerability, vulnerability

__all__ = ["processors", "reported", "vulnerability_of"]

_RULE = "service-{}/1"


def reported(
    standings: Iterable[Standing], nodes: Iterable[NodeView], batch: Batch[object], policy: Policy
) -> Iterator[tuple[Standing, Emission]]:
    """The standings whose report is due, with it: at once when the verdict changes, else after `CascadePolicy.report`.

    A service that nobody has called since is not reported again.
    """
    due = [one for one in standings if _due(one, batch.now, policy)]
    cpus = processors(nodes) if due else {}
    for one in due:
        record = _health(one, cpus.get(one.service, nan), batch, policy)
        rule = _RULE.format(one.judgement.verdict.value.replace("_", "-"))
        told = replace(one, reported=batch.now, told=one.judgement.verdict)
        yield told, Emission("health", f"service/{one.service}", record, rule)


def processors(nodes: Iterable[NodeView]) -> dict[str, float]:
    """Mean share of CPU in use by service, of those nodes that report it."""
    known: dict[str, list[float]] = {}
    for view in nodes:
        if not isnan(view.health.cpu):
            known.setdefault(view.health.service, []).append(view.health.cpu)
    return {service: sum(cpus) / len(cpus) for service, cpus in known.items()}


def vulnerability_of(standing: Standing, cpu: float, policy: Policy) -> Vulnerability:
    """V of a service with what the policy says of its capacity and retries."""
    named = policy.services.get(standing.service)
    load = Load(
        rate=standing.demand.location,
        peak=standing.peak,
        saturated=standing.saturated,
        cpu=cpu,
        capacity=named.capacity if named is not None else None,
    )
    allowed = named.retries if named is not None and named.retries is not None else standing.retries
    return vulnerability(load, allowed)


def _due(standing: Standing, now: float, policy: Policy) -> bool:
    if standing.judgement.verdict is not standing.told:
        return True
    return standing.observed_at > standing.reported and now >= standing.reported + policy.cascade.report


def _health(standing: Standing, cpu: float, batch: Batch[object], policy: Policy) -> ServiceHealth:
    seen = vulnerability_of(standing, cpu, policy)
    return ServiceHealth(
        domain=standing.domain,
        service=standing.service,
        status=ServiceStatus(standing.judgement.verdict.value),
        observed_at=batch.now,
        detector_lag=batch.detector_lag,
        demand=standing.demand.location,
        inflow=standing.inflow,
        throughput=standing.throughput,
        vulnerability_low=seen.low,
        vulnerability_high=seen.high,
        vulnerability_method=seen.method,
    )
