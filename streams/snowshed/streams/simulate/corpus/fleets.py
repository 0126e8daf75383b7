"""The fleets of the corpus: other names, shapes and loads in each part, so that nothing can be learned by heart."""

from __future__ import annotations

from dataclasses import replace

from snowshed.streams.simulate.queueing.fleet import Budget, Cache, Dataset, Fleet, Link, Load, Retries, Service

__all__ = ["BOOKINGS", "CACHED", "PAIR", "SHOP", "TRAVEL", "cached", "joined", "loaded", "replicated"]

_PATIENT = Retries(limit=2, backoff=0.05, budget=Budget(ratio=0.1, depth=10.0))
_OUTSIDE = Retries(limit=1, backoff=0.2)

SHOP = Fleet(
    services=(
        Service(name="gateway", capacity=240.0),
        Service(name="orders", capacity=110.0, replicas=2),
        Service(name="payments", capacity=70.0),
        Service(name="stock", capacity=150.0, replicas=3),
    ),
    links=(
        Link(caller="client", callee="gateway", retries=_OUTSIDE),
        Link(caller="gateway", callee="orders", calls=0.8, timeout=2.0, retries=_PATIENT),
        Link(caller="gateway", callee="stock", calls=0.6, timeout=1.0, retries=_PATIENT),
        Link(caller="orders", callee="payments", calls=0.6, timeout=1.0, retries=_PATIENT),
        Link(caller="orders", callee="stock", calls=0.5, timeout=1.0, retries=_PATIENT),
    ),
    loads=(Load(caller="client", callee="gateway", rate=28.0),),
)
"""The tiers of the dev part."""

TRAVEL = Fleet(
    services=(
        Service(name="web", capacity=300.0),
        Service(name="search", capacity=120.0, replicas=2),
        Service(name="booking", capacity=80.0),
        Service(name="ledger", capacity=60.0),
        Service(name="fares", capacity=130.0, replicas=3),
    ),
    links=(
        Link(caller="browser", callee="web", retries=_OUTSIDE),
        Link(caller="web", callee="search", calls=0.9, timeout=1.5, retries=_PATIENT),
        Link(caller="web", callee="booking", calls=0.5, timeout=2.0, retries=_PATIENT),
        Link(caller="booking", callee="ledger", calls=0.9, timeout=1.0, retries=_PATIENT),
        Link(caller="booking", callee="fares", calls=0.8, timeout=0.8, retries=_PATIENT),
        Link(caller="search", callee="fares", calls=0.7, timeout=0.8, retries=_PATIENT),
    ),
    loads=(Load(caller="browser", callee="web", rate=24.0),),
)
"""The tiers of the test part."""

PAIR = Fleet(
    services=(Service(name="api", capacity=250.0), Service(name="core", capacity=120.0, replicas=3)),
    links=(
        Link(caller="client", callee="api", retries=_OUTSIDE),
        Link(caller="api", callee="core", timeout=1.0, retries=_PATIENT),
    ),
    loads=(Load(caller="client", callee="api", rate=32.0),),
)
"""Two services of the dev part."""

BOOKINGS = Fleet(
    services=(Service(name="desk", capacity=200.0), Service(name="seats", capacity=90.0, replicas=3)),
    links=(
        Link(caller="agency", callee="desk", timeout=2.0, retries=_OUTSIDE),
        Link(caller="desk", callee="seats", timeout=0.8, calls=1.2, retries=_PATIENT),
    ),
    loads=(Load(caller="agency", callee="desk", rate=28.0),),
)
"""Two services of the test part."""

CACHED = Fleet(
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
"""A look-aside cache before a slow store."""


def loaded(fleet: Fleet, rate: float, swing: float = 0.0, period: float = 1.0) -> Fleet:
    """A fleet with another load from outside."""
    load = replace(fleet.loads[0], rate=rate, swing=swing, period=period)
    return replace(fleet, loads=(load, *fleet.loads[1:]))


def cached(rate: float, keys: int, held: float) -> Fleet:
    """The cached store under another load, a share of whose keys the cache can hold."""
    [link] = CACHED.links
    cache = Cache(keys=keys, size=int(keys * held))
    return loaded(replace(CACHED, links=(replace(link, cache=cache),)), rate)


def joined(fleet: Fleet, caller: str, callee: str, rate: float) -> Fleet:
    """A fleet with a second source of requests."""
    link = Link(caller=caller, callee=callee, timeout=2.0, retries=_OUTSIDE)
    load = Load(caller=caller, callee=callee, rate=rate)
    return replace(fleet, links=(*fleet.links, link), loads=(*fleet.loads, load))


def replicated(service: str, dataset: str, replicas: tuple[str, ...], rate: float) -> Fleet:
    """One service and the dataset that it measures."""
    return Fleet(
        services=(Service(name=service, capacity=4.0 * rate),),
        links=(Link(caller="client", callee=service),),
        loads=(Load(caller="client", callee=service, rate=rate),),
        datasets=(Dataset(name=dataset, service=service, replicas=replicas),),
    )
