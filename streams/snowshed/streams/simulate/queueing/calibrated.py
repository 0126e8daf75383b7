"""The calibrated model: one client population, one server, a loss of capacity for a while.

Its one free parameter, the load of 0.38 of the capacity, was fitted to the four outcomes that L. Huang et al.
published of a MongoDB server: Metastable Failures in the Wild, OSDI 2022.
"""

from __future__ import annotations

from math import inf

from snowshed.streams.simulate.queueing.fleet import Budget, Fleet, Link, Load, Retries, Service, Shedding
from snowshed.streams.simulate.queueing.scenario import Scenario
from snowshed.streams.simulate.queueing.troubles import CapacityLoss

__all__ = ["LOCAL_BACKOFF", "START", "calibrated"]

START = 60.0
LOCAL_BACKOFF = 0.1
"""Retries of a refused call wait U(0.05, 0.1)·2ⁿ seconds."""
_BUCKET_SECONDS = 10.0


def calibrated(
    name: str = "calibrated",
    *,
    utilisation: float = 0.38,
    factor: float = 0.2,
    trouble: float = 10.0,
    capacity: float = 3000.0,
    seconds: int = 200,
    budget_after: float | None = None,
    shed_above: float = inf,
    reject_cost: float = 0.0,
    drops_expired: bool = False,
    shedding: Shedding | None = None,
) -> Scenario:
    """A run of the model.

    Args:
        name: of the scenario.
        utilisation: load per capacity.
        factor: share of the capacity that is left for a while.
        trouble: how long.
        capacity: requests a second.
        seconds: length of the run.
        budget_after: a central retry budget of a tenth comes into force so long after the trouble's start.
        shed_above: queue delay at which the server refuses requests; clients then back off.
        reject_cost: of a refusal, in requests.
        drops_expired: whether the server drops a request that nobody waits for any longer.
        shedding: a central decision on first attempts.
    """
    rate = utilisation * capacity
    budget = None
    if budget_after is not None:
        budget = Budget(ratio=0.1, depth=0.1 * rate * _BUCKET_SECONDS, since=START + budget_after)
    retries = Retries(limit=4, backoff=LOCAL_BACKOFF if shed_above < inf else 0.0, budget=budget)
    server = Service(
        name="server", capacity=capacity, shed_above=shed_above, reject_cost=reject_cost, drops_expired=drops_expired
    )
    return Scenario(
        name=name,
        description=f"a server at {utilisation:.1%} of its capacity is left with {factor:.1%} of it for {trouble:g} s",
        fleet=Fleet(
            services=(server,),
            links=(Link(caller="client", callee="server", retries=retries, shedding=shedding),),
            loads=(Load(caller="client", callee="server", rate=rate),),
        ),
        troubles=(CapacityLoss(service="server", factor=factor, start=START, seconds=trouble),),
        seconds=seconds,
    )
