"""The named scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from snowshed.streams.simulate.queueing.calibrated import calibrated
from snowshed.streams.simulate.queueing.fleet import Budget, Cache, Fleet, Link, Load, Retries, Service
from snowshed.streams.simulate.queueing.scenario import Scenario
from snowshed.streams.simulate.queueing.troubles import (
    CapacityLoss,
    Deploy,
    Flush,
    Gray,
    Partition,
    Spike,
    Trouble,
)

__all__ = ["NAMED"]

_START = 60.0
_LENGTH = 150

_INNER = Retries(limit=2, backoff=0.05, budget=Budget(ratio=0.1, depth=20.0))
_SHOP = Fleet(
    services=(
        Service(name="gateway", capacity=600.0, replicas=3),
        Service(name="orders", capacity=240.0, replicas=3),
        Service(name="stock", capacity=300.0, replicas=2),
        Service(name="payments", capacity=150.0, replicas=3),
        Service(name="orders-db", capacity=500.0),
    ),
    links=(
        Link(caller="client", callee="gateway", retries=Retries(limit=2, backoff=0.2)),
        Link(caller="gateway", callee="orders", calls=0.8, timeout=2.0, retries=_INNER),
        Link(caller="gateway", callee="stock", calls=0.6, timeout=1.0, retries=_INNER),
        Link(caller="orders", callee="payments", calls=0.6, timeout=1.0, retries=_INNER),
        Link(caller="orders", callee="stock", calls=0.5, timeout=1.0, retries=_INNER),
        Link(caller="orders", callee="orders-db", calls=2.0, timeout=0.5, retries=_INNER),
    ),
    loads=(Load(caller="client", callee="gateway", rate=100.0),),
)
_CACHED = Fleet(
    services=(Service(name="store", capacity=75.0),),
    links=(
        Link(
            caller="client",
            callee="store",
            timeout=1.0,
            retries=Retries(limit=1),
            cache=Cache(keys=2000, size=1400),
        ),
    ),
    loads=(Load(caller="client", callee="store", rate=300.0),),
)
_EAGER = Retries(limit=3, backoff=0.1)
_CHAIN = Fleet(
    services=tuple(Service(name=name, capacity=400.0, replicas=2) for name in ("front", "middle", "leaf")),
    links=(
        Link(caller="client", callee="front", retries=_EAGER),
        Link(caller="front", callee="middle", timeout=1.5, retries=_EAGER),
        Link(caller="middle", callee="leaf", timeout=0.5, retries=_EAGER),
    ),
    loads=(Load(caller="client", callee="front", rate=100.0),),
)
_DAY = 600
"""Seconds that stand for a day."""


def _daily() -> Fleet:
    loads = (Load(caller="client", callee="gateway", rate=100.0, swing=0.5, period=float(_DAY)),)
    return Fleet(services=_SHOP.services, links=_SHOP.links, loads=loads)


def _of(name: str, description: str, fleet: Fleet, *troubles: Trouble, seconds: int = _LENGTH) -> Scenario:
    return Scenario(name=name, description=description, fleet=fleet, troubles=troubles, seconds=seconds)


_ALL = (
    calibrated("retry-storm"),
    calibrated("retry-storm-passes", factor=0.225),
    _of(
        "capacity-loss",
        "payments is left with a third of its capacity for 20 s",
        _SHOP,
        CapacityLoss(service="payments", factor=1 / 3, start=_START, seconds=20.0),
    ),
    _of(
        "cold-cache",
        "the cache in front of a store that bears a quarter of the load is flushed",
        _CACHED,
        Flush(caller="client", callee="store", start=_START),
    ),
    _of(
        "gray-node",
        "one of three replicas of payments is ten times as slow and fails a fifth of its requests, and beats as before",
        _SHOP,
        Gray(service="payments", start=_START, seconds=40.0, factor=0.1, failing=0.2),
    ),
    _of(
        "partition",
        "no call from orders reaches stock for 20 s, while the gateway reaches it",
        _SHOP,
        Partition(caller="orders", callee="stock", start=_START, seconds=20.0),
    ),
    _of(
        "leaf-fails",
        "the last of three services, each called up to four times, loses nine tenths of its capacity for 10 s",
        _CHAIN,
        CapacityLoss(service="leaf", factor=0.1, start=_START, seconds=10.0),
    ),
    _of(
        "deploy",
        "the replicas of orders restart one after another",
        _SHOP,
        Deploy(service="orders", start=_START, replicas=3),
    ),
    _of(
        "benign-spike",
        "half as much load again for 20 s, which the fleet can bear",
        _SHOP,
        Spike(caller="client", callee="gateway", factor=1.5, start=_START, seconds=20.0),
    ),
    _of("daily-curve", f"a day in {_DAY} s: the load moves between a half and one and a half", _daily(), seconds=_DAY),
    _of("calm", "nothing happens", _SHOP),
)

NAMED: Mapping[str, Scenario] = MappingProxyType({scenario.name: scenario for scenario in _ALL})
"""Every scenario by name."""
