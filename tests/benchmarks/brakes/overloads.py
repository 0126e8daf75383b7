"""The overloads that are played: B1 to B4 and B17, with published utilisations and patience and scaled rates."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.schemas.propagation import Criticality
from snowshed.streams.lab.scenario import Scenario
from snowshed.streams.lab.specs import ClassSpec, Downstream, LoadSpec, Patience, ServiceSpec, Surge

__all__ = ["Sizes", "class_spike", "step", "subsequent", "sustained", "three_times"]

_CLASSES = (
    ClassSpec(criticality=Criticality.CRITICAL_PLUS, share=0.05),
    ClassSpec(criticality=Criticality.CRITICAL, share=0.25),
    ClassSpec(criticality=Criticality.SHEDDABLE_PLUS, share=0.30),
    ClassSpec(criticality=Criticality.SHEDDABLE, share=0.40),
)
_PATIENT = Patience(timeout=0.5, attempts=4)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long the phases last."""

    calm: float
    """Seconds before the overload."""
    overload: float
    sustained: float
    """Seconds of the overload that is to show oscillation."""


def subsequent(k: int, sizes: Sizes) -> Scenario:
    """B1: a task needs k calls to one service that is offered twice what it bears."""
    server = ServiceSpec(name="server", slots=5, service_time=0.02)
    calls = Downstream(callee="server", patience=_PATIENT, times=k)
    return Scenario(
        name=f"subsequent-{k}",
        summary=f"B1 tasks of {k} calls at twice the capacity",
        expected="half of the tasks",
        services=(ServiceSpec(name="entry", slots=2000, service_time=1e-4, calls=(calls,)), server),
        load=LoadSpec(
            callee="entry",
            rate=2 * server.capacity / k,
            seconds=sizes.calm + sizes.overload,
            patience=Patience(timeout=0.5),
        ),
        trouble=(sizes.calm, sizes.calm + sizes.overload),
    )


def step(sizes: Sizes) -> Scenario:
    """B2: from 0.8 to 1.4 times the capacity."""
    server = ServiceSpec(name="server", slots=10, service_time=0.02)
    return _surged("step", "B2 1.4 times the capacity", server, rate=0.8 * server.capacity, factor=1.75, sizes=sizes)


def three_times(sizes: Sizes) -> Scenario:
    """B3: three times the capacity, in four classes."""
    server = ServiceSpec(name="server", slots=40, service_time=0.12)
    return _surged(
        "three-times",
        "B3 three times the capacity",
        server,
        rate=0.6 * server.capacity,
        factor=5.0,
        sizes=sizes,
        timeout=1.0,
    )


def class_spike(sizes: Sizes) -> Scenario:
    """B4: the lowest of four classes grows to 12 times its rate."""
    server = ServiceSpec(name="server", slots=5, service_time=0.02)
    rate = 0.6 * server.capacity
    return _surged(
        "class-spike",
        "B4 twelve times the lowest class",
        server,
        rate=rate,
        factor=12.0,
        sizes=sizes,
        only=Criticality.SHEDDABLE,
    )


def sustained(sizes: Sizes) -> Scenario:
    """B17: 1.5 times the capacity for long."""
    server = ServiceSpec(name="server", slots=10, service_time=0.02)
    lasting = Sizes(sizes.calm, sizes.sustained, sizes.sustained)
    return _surged(
        "sustained",
        "B17 1.5 times the capacity for long",
        server,
        rate=0.75 * server.capacity,
        factor=2.0,
        sizes=lasting,
    )


def _surged(
    name: str,
    summary: str,
    server: ServiceSpec,
    *,
    rate: float,
    factor: float,
    sizes: Sizes,
    timeout: float = 0.5,
    only: Criticality | None = None,
) -> Scenario:
    surge = Surge(start=sizes.calm, seconds=sizes.overload, factor=factor, criticality=only)
    return Scenario(
        name=name,
        summary=summary,
        expected="what the capacity allows",
        services=(server,),
        load=LoadSpec(
            callee="server",
            rate=rate,
            seconds=sizes.calm + sizes.overload,
            patience=Patience(timeout=timeout, attempts=4),
            classes=_CLASSES,
            surges=(surge,),
        ),
        trouble=(sizes.calm, sizes.calm + sizes.overload),
    )
