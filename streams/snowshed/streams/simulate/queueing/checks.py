"""What a fleet and its troubles must fulfil; a trouble that befalls nobody would pass for one that does no harm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.simulate.queueing.fleet import Fleet
from snowshed.streams.simulate.queueing.troubles import (
    CapacityLoss,
    Deploy,
    Flush,
    Gray,
    Lossy,
    Partition,
    Spike,
    Stall,
    Trouble,
)

__all__ = ["check"]

_Place = str | tuple[str, str]


def check(fleet: Fleet, troubles: Sequence[Trouble]) -> None:
    """See that everything named exists and that calls form no cycle.

    Raises:
        ConfigurationError: what is wrong, and with what.
    """
    for wrong in (*_unknown_ends(fleet), *_unknown_places(fleet, troubles)):
        raise ConfigurationError(f"a simulated fleet has {wrong}: correct its links, loads, datasets or troubles")
    calls = TopologicalSorter[str]()
    for link in fleet.links:
        calls.add(link.caller, link.callee)
    try:
        calls.prepare()
    except CycleError as error:
        raise ConfigurationError(f"a simulated fleet calls itself: {' > '.join(error.args[1])}") from error


def _unknown_ends(fleet: Fleet) -> Iterator[str]:
    services, links = _services(fleet), _links(fleet)
    for link in fleet.links:
        if link.callee not in services:
            yield f"no service {link.callee!r}, which {link.caller!r} calls"
    for load in fleet.loads:
        if (load.caller, load.callee) not in links:
            yield f"no link from {load.caller!r} to {load.callee!r}, where load comes in"
    for dataset in fleet.datasets:
        if dataset.service not in services:
            yield f"no service {dataset.service!r}, which is to measure {dataset.name!r}"


def _unknown_places(fleet: Fleet, troubles: Sequence[Trouble]) -> Iterator[str]:
    known: set[_Place] = {*_services(fleet), *_links(fleet)}
    known |= {(dataset.name, replica) for dataset in fleet.datasets for replica in dataset.replicas}
    for trouble in troubles:
        place = _place(trouble)
        if place not in known or (isinstance(trouble, Spike) and place not in fleet.entries):
            yield f"no {place!r} for a {type(trouble).__name__} to befall"


def _place(trouble: Trouble) -> _Place:
    match trouble:
        case CapacityLoss() | Gray() | Deploy() | Lossy():
            return trouble.service
        case Partition() | Flush() | Spike():
            return trouble.caller, trouble.callee
        case Stall():
            return trouble.dataset, trouble.replica


def _services(fleet: Fleet) -> set[str]:
    return {service.name for service in fleet.services}


def _links(fleet: Fleet) -> set[tuple[str, str]]:
    return {(link.caller, link.callee) for link in fleet.links}
