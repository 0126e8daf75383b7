"""The scenarios by name. Where one plays what others have published, its text says whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.propagation import Criticality
from snowshed.streams.lab.heap import HeapSpec
from snowshed.streams.lab.scenario import BROKER, Act, Scenario, edge
from snowshed.streams.lab.specs import (
    CacheSpec,
    ClassSpec,
    Downstream,
    LoadSpec,
    Patience,
    ServiceSpec,
    StoreSpec,
    Surge,
)

__all__ = ["SCENARIOS", "scenario"]

_BEGIN, _END, _LENGTH = 15.0, 25.0, 60.0
_CLASSES = (
    ClassSpec(criticality=Criticality.CRITICAL_PLUS, share=0.05),
    ClassSpec(criticality=Criticality.CRITICAL, share=0.25),
    ClassSpec(criticality=Criticality.SHEDDABLE_PLUS, share=0.3),
    ClassSpec(criticality=Criticality.SHEDDABLE, share=0.4),
)
_EAGER = Patience(timeout=3.0, attempts=5)
"""The published client: it waits three seconds and resends at once, four times (Huang et al., OSDI 2022)."""


def _capacity(service: str, share: float, begin: float = _BEGIN, end: float = _END) -> tuple[Act, Act]:
    return (
        Act(begin, service, {"capacity": share}, f"{service} keeps {share:.0%} of its capacity"),
        Act(end, service, {"capacity": 1.0}, f"{service} has all of its capacity again"),
    )


_RETRY_STORM = Scenario(
    name="retry_storm",
    summary="a server loses four fifths of its capacity for 10 s; its clients resend what was not answered in 3 s",
    expected=(
        "off: stays down although the server is well again (metastable, Huang et al., OSDI 2022); "
        "both: back within seconds"
    ),
    services=(ServiceSpec(name="server"),),
    load=LoadSpec(callee="server", rate=330.0, seconds=_LENGTH, patience=_EAGER),
    trouble=(_BEGIN, _END),
    acts=_capacity("server", 0.2),
)
_CAPACITY_LOSS = Scenario(
    name="capacity_loss",
    summary="a server keeps 60 % of its capacity for 20 s, less than is asked of it; clients back off and resend",
    expected="off: everybody waits too long; both: what the server can bear is answered in time, the low classes last",
    services=(ServiceSpec(name="server"),),
    load=LoadSpec(
        callee="server",
        rate=540.0,
        seconds=_LENGTH,
        patience=Patience(timeout=1.0, attempts=3, backoff=0.2),
        classes=_CLASSES,
    ),
    trouble=(_BEGIN, 35.0),
    acts=_capacity("server", 0.6, end=35.0),
)
_PRIORITY_SPIKE = Scenario(
    name="priority_spike",
    summary="the lowest of four classes grows to 12 times its rate for 20 s",
    expected="both: the high classes do not notice (Netflix 2024: above 99.4 %, prefetch down to 20 %)",
    services=(ServiceSpec(name="server"),),
    load=LoadSpec(
        callee="server",
        rate=250.0,
        seconds=_LENGTH,
        patience=Patience(timeout=1.0, attempts=2, backoff=0.1),
        classes=_CLASSES,
        surges=(Surge(start=_BEGIN, seconds=20.0, factor=12.0, criticality=Criticality.SHEDDABLE),),
    ),
    trouble=(_BEGIN, 35.0),
)
_CACHE_FLUSH = Scenario(
    name="cache_flush",
    summary="the look-aside cache in front of a store that bears a quarter of the load is emptied",
    expected="off: the cache never fills again (Huang et al., OSDI 2022); both: it does, behind a bounded inflow",
    services=(
        ServiceSpec(
            name="web",
            slots=400,
            service_time=0.005,
            cache=CacheSpec(keys=3000),
            calls=(Downstream(callee="store", patience=Patience(timeout=1.0, attempts=2)),),
        ),
        ServiceSpec(name="store", slots=3, service_time=0.04),
    ),
    load=LoadSpec(callee="web", rate=300.0, seconds=_LENGTH, patience=Patience(timeout=2.0, attempts=3), keys=3000),
    trouble=(_BEGIN, _BEGIN + 1),
    acts=(Act(_BEGIN, "web", {"flush": True}, "the cache is emptied"),),
)
_FULL_HEAP = Scenario(
    name="full_heap",
    summary=(
        "a server is asked 260 times a second for 15 s where 220 is usual, then 180, and 140 at last; what waits fills "
        "its heap, and it collects garbage ever more often"
    ),
    expected=(
        "off: it stays slow at the rate that it bore before, and at less (Huang et al., OSDI 2022); "
        "both: no queue fills the heap"
    ),
    # 250 requests a second with an empty queue, 150 with a full heap.
    services=(
        ServiceSpec(
            name="server", slots=20, service_time=0.076, heap=HeapSpec(size=256.0, rest=128.0, each=0.25, cost=0.0002)
        ),
    ),
    load=LoadSpec(
        callee="server",
        rate=220.0,
        seconds=_LENGTH,
        patience=Patience(timeout=1.0),
        surges=(
            Surge(start=_BEGIN, seconds=15.0, factor=260.0 / 220.0),
            Surge(start=38.0, seconds=8.0, factor=180.0 / 220.0),
            Surge(start=46.0, seconds=14.0, factor=140.0 / 220.0),
        ),
    ),
    trouble=(_BEGIN, 30.0),
)
_THRICE = Patience(timeout=1.0, attempts=4)
_CHAIN = Scenario(
    name="chain",
    summary="the last of three services in a row keeps a tenth of its capacity for 10 s; each layer tries four times",
    expected="off: up to 64 attempts at the leaf for one request; both: at most 1.35",
    services=(
        ServiceSpec(
            name="front", slots=400, service_time=0.002, calls=(Downstream(callee="middle", patience=_THRICE),)
        ),
        ServiceSpec(name="middle", slots=200, service_time=0.002, calls=(Downstream(callee="leaf", patience=_THRICE),)),
        ServiceSpec(name="leaf", slots=8, service_time=0.02),
    ),
    load=LoadSpec(callee="front", rate=150.0, seconds=_LENGTH, patience=_THRICE),
    trouble=(_BEGIN, _END),
    acts=_capacity("leaf", 0.1),
)
_CONTROL_PLANE_LOSS = replace(
    _RETRY_STORM,
    name="control_plane_loss",
    summary="the retry storm, and Kafka is killed 2 s into it for 20 s",
    expected="both: no call waits for Kafka or fails for it, and goodput is at most a tenth below retry_storm's",
    acts=(
        *_capacity("server", 0.2),
        Act(_BEGIN + 2, BROKER, {"running": False}, "Kafka is killed"),
        Act(_BEGIN + 22, BROKER, {"running": True}, "Kafka is started again"),
    ),
)
_PARTITION = Scenario(
    name="partition",
    summary="what web sends to stock is lost for 15 s, while both are well",
    expected="off: every request of web hangs in its calls to stock; both: the edge is named and left alone",
    services=(
        ServiceSpec(
            name="web",
            slots=150,
            service_time=0.005,
            calls=(Downstream(callee="stock", patience=Patience(timeout=1.0, attempts=3)),),
        ),
        ServiceSpec(name="stock"),
    ),
    load=LoadSpec(callee="web", rate=200.0, seconds=_LENGTH, patience=Patience(timeout=2.0, attempts=3)),
    trouble=(_BEGIN, 30.0),
    acts=(
        Act(_BEGIN, edge("web", "stock"), {"drop": 1.0}, "what web sends to stock is lost"),
        Act(30.0, edge("web", "stock"), {"drop": 0.0}, "it arrives again"),
    ),
    proxied=(("web", "stock"),),
)

_HURRY = Patience(timeout=1.0, attempts=2, backoff=0.1)
_FOLLOWER_LAG = Scenario(
    name="follower_lag",
    summary="twice the writes for 10 s, more than a follower applies; each request writes, then reads what it wrote",
    expected="off: reads stay too old long after the surge; both: they go to the leader until the follower is near",
    services=(
        ServiceSpec(
            name="web",
            slots=200,
            service_time=0.002,
            calls=(
                Downstream(callee="leader", patience=_HURRY, operation="write"),
                Downstream(callee="leader", patience=_HURRY, operation="read", dataset="orders", replica="follower"),
            ),
        ),
        ServiceSpec(name="leader", store=StoreSpec(dataset="orders", followers=("follower",))),
        ServiceSpec(name="follower", store=StoreSpec(dataset="orders", apply_rate=130.0)),
    ),
    load=LoadSpec(
        callee="web",
        rate=100.0,
        seconds=_LENGTH,
        patience=_HURRY,
        stale_after=2.0,
        surges=(Surge(start=_BEGIN, seconds=10.0, factor=2.0),),
    ),
    trouble=(_BEGIN, _END),
)
_APIS = ("home", "search", "product", "basket", "checkout")
_SHARED = Patience(timeout=0.5, attempts=3, backoff=0.05)


def _api(name: str, *callees: str) -> ServiceSpec:
    return ServiceSpec(
        name=name,
        slots=300,
        service_time=0.002,
        calls=tuple(Downstream(callee=callee, patience=_SHARED) for callee in callees),
    )


_SURGE = Scenario(
    name="surge",
    summary="one of five interfaces that share four services is asked five times as often for 20 s",
    expected="off: all five go down with two of the shared services; both: what surges is cut where it comes in",
    services=(
        _api("home", "catalog", "currency"),
        _api("search", "catalog"),
        _api("product", "catalog", "currency", "cart"),
        _api("basket", "cart", "shipping"),
        _api("checkout", "cart", "catalog", "currency", "shipping"),
        ServiceSpec(name="catalog", slots=4, service_time=0.04),
        ServiceSpec(name="currency", slots=6, service_time=0.04),
        ServiceSpec(name="cart", slots=3, service_time=0.04),
        ServiceSpec(name="shipping", slots=3, service_time=0.04),
    ),
    load=LoadSpec(
        callee="home",
        rate=80.0,
        seconds=_LENGTH,
        patience=Patience(timeout=1.0, attempts=3, backoff=0.1),
        classes=tuple(ClassSpec(criticality=Criticality.CRITICAL, share=0.2, callee=name) for name in _APIS),
        surges=(Surge(start=25.0, seconds=20.0, factor=5.0, callee="product"),),
    ),
    trouble=(25.0, 45.0),
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        one.name: one
        for one in (
            _RETRY_STORM,
            _CAPACITY_LOSS,
            _PRIORITY_SPIKE,
            _CACHE_FLUSH,
            _FULL_HEAP,
            _CHAIN,
            _SURGE,
            _PARTITION,
            _FOLLOWER_LAG,
            _CONTROL_PLANE_LOSS,
        )
    }
)
"""Every scenario by name, in the order in which they are best looked at."""


def scenario(name: str) -> Scenario:
    """The scenario of this name; hyphens count as underscores.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        return SCENARIOS[name.replace("-", "_")]
    except KeyError:
        raise ConfigurationError(f"there is no scenario {name!r}; there are {', '.join(SCENARIOS)}") from None
