"""Cases in which something is broken."""

from __future__ import annotations

from dataclasses import replace

from snowshed.streams.simulate.corpus.case import Case, case
from snowshed.streams.simulate.corpus.fleets import cached, joined, replicated
from snowshed.streams.simulate.queueing.calibrated import calibrated
from snowshed.streams.simulate.queueing.fleet import Fleet
from snowshed.streams.simulate.queueing.troubles import CapacityLoss, Flush, Gray, Partition, Stall

__all__ = ["capacity_loss", "cold_cache", "complete", "gray_node", "one_edge", "replication_lag", "retry_storm"]

_AFTER = 22
"""Seconds from the trigger's end to the case's."""


def retry_storm(seed: int, onset: float, utilisation: float, factor: float, trouble: float) -> Case:
    """Clients that try again at once, and a server that loses capacity for a while."""
    scenario = calibrated(utilisation=utilisation, capacity=400.0)
    return case(
        "retry_storm",
        scenario.fleet,
        CapacityLoss(service="server", factor=factor, start=onset, seconds=trouble),
        seed=seed,
        seconds=int(onset + trouble) + _AFTER,
        says=f"load {utilisation:g} of the capacity, {factor:g} of it left for {trouble:g} s, four resends at once",
        trigger=("server",),
    )


def cold_cache(seed: int, onset: float, rate: float, keys: int, held: float) -> Case:
    """A cache that loses all it holds."""
    return case(
        "cold_cache",
        cached(rate, keys, held),
        Flush(caller="client", callee="store", start=onset),
        seed=seed,
        seconds=int(onset) + 40,
        says=f"the cache of {held:g} of {keys} keys is flushed under {rate:g} requests a second",
        trigger=("store", "client>store"),
    )


def capacity_loss(seed: int, fleet: Fleet, onset: float, service: str, *, factor: float, trouble: float) -> Case:
    """A service that loses capacity."""
    return case(
        "capacity_loss",
        fleet,
        CapacityLoss(service=service, factor=factor, start=onset, seconds=trouble),
        seed=seed,
        seconds=int(onset + trouble) + _AFTER,
        says=f"{service} is left with {factor:g} of its capacity for {trouble:g} s",
        trigger=(service,),
    )


def gray_node(seed: int, fleet: Fleet, onset: float, node: tuple[str, int], *, speed: float, failing: float) -> Case:
    """A replica that is slow or fails, and beats as before."""
    service, replica = node
    gray = Gray(service=service, replica=replica, start=onset, seconds=25.0, factor=speed, failing=failing)
    name = f"{service}-{replica + 1}"
    return case(
        "gray_node",
        fleet,
        gray,
        seed=seed,
        seconds=int(onset) + 25 + _AFTER,
        says=f"{name} works at {speed:g} of its speed and fails {failing:g} of its requests for 25 s",
        trigger=(name, service),
    )


def one_edge(seed: int, fleet: Fleet, onset: float, edge: tuple[str, str], trouble: float, *, one_way: bool) -> Case:
    """An edge that carries nothing, or no answers, while others reach the callee."""
    caller, callee = edge
    cut = Partition(caller=caller, callee=callee, start=onset, seconds=trouble, one_way=one_way)
    lost = "no answer comes back" if one_way else "nothing gets through"
    return case(
        "partition_one_way" if one_way else "partition_partial",
        fleet,
        cut,
        seed=seed,
        seconds=int(onset + trouble) + _AFTER,
        says=f"{lost} from {caller} to {callee} for {trouble:g} s, while others reach {callee}",
        trigger=(f"{caller}>{callee}",),
    )


def complete(seed: int, fleet: Fleet, onset: float, inside: tuple[str, ...], *, rate: float, trouble: float) -> Case:
    """A group of services that is cut off from all others, and goes on among itself.

    Args:
        seed: of all that is random.
        fleet: whom it befalls.
        onset: when.
        inside: the group; the first of them is called from within it, too.
        rate: how often.
        trouble: how long.
    """
    whole = joined(fleet, "jobs", inside[0], rate)
    group = {*inside, "jobs"}
    crossing = [link for link in whole.links if (link.caller in group) != (link.callee in group)]
    cut = Partition(caller="", callee="", start=onset, seconds=trouble)
    return case(
        "partition_complete",
        whole,
        *(replace(cut, caller=link.caller, callee=link.callee) for link in crossing),
        seed=seed,
        seconds=int(onset + trouble) + _AFTER,
        says=f"{' and '.join(inside)} are cut off from the others for {trouble:g} s",
        trigger=(*(f"{link.caller}>{link.callee}" for link in crossing), *inside),
    )


def replication_lag(seed: int, onset: float, names: tuple[str, str], replica: str, factor: float) -> Case:
    """A replica that applies only a share of the writes."""
    service, dataset = names
    return case(
        "replication_lag",
        replicated(service, dataset, ("r1", "r2"), 20.0),
        Stall(dataset=dataset, replica=replica, start=onset, seconds=20.0, factor=factor),
        seed=seed,
        seconds=int(onset) + 20 + _AFTER,
        says=f"replica {replica} of {dataset} applies {factor:g} of the writes for 20 s",
        trigger=(f"{dataset}/{replica}", replica, dataset),
    )
