"""Guards as Prometheus and OpenTelemetry see them, through their own registries and readers."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from snowshed.consumers import Guard, LocalBrakes, Permit
from snowshed.consumers.brakes import CircuitOptions, ConcurrencyLimitOptions, ThrottleOptions
from snowshed.consumers.integrations.opentelemetry import observe_guards
from snowshed.consumers.integrations.prometheus import GuardCollector
from snowshed.consumers.testing import decision, in_memory_view, set_decisions
from snowshed.schemas.propagation import Criticality
from snowshed.schemas.records import DecisionKind, DecisionMode

_SHADOW = decision("orders", DecisionKind.BREAKER, p_reject=1.0, mode=DecisionMode.SHADOW)


def _used() -> tuple[Guard, Permit]:
    """A guard that has admitted three calls, refused one, and shadowed one; and that of them which is in flight."""
    view = in_memory_view(decision("orders", DecisionKind.DEGRADE, degrade_level=3))
    brakes = LocalBrakes(circuit=CircuitOptions(), limit=ConcurrencyLimitOptions(), throttle=ThrottleOptions())
    guard = Guard("orders", view=view, local=brakes)
    with guard("read"):
        pass
    guard("read").dropped()
    guard.try_admit("read", criticality=Criticality.SHEDDABLE)
    with set_decisions(guard, _SHADOW):
        return guard, guard("read")


_EXPECTED = {
    ("admitted", ""): 3.0,
    ("rejected", "degrade"): 1.0,
    ("would_have_rejected", "critical"): 1.0,
    ("ended", "succeeded"): 1.0,
    ("ended", "dropped"): 1.0,
    ("in_flight", ""): 1.0,
    ("degrade_level", ""): 3.0,
    ("decisions", ""): 1.0,
    ("stale", ""): 0.0,
    ("queue_delay", ""): 0.0,
    ("cursor", ""): 511.0,
    ("concurrency_limit", ""): 20.0,
    ("throttle", ""): 0.0,
    ("circuit", "closed"): 1.0,
    ("circuit", "open"): 0.0,
    ("circuit", "half_open"): 0.0,
    ("circuit", "ramp_10"): 0.0,
    ("circuit", "ramp_25"): 0.0,
    ("circuit", "ramp_50"): 0.0,
}


def _scraped(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    seen: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("scope") == "orders"
            name = sample.name.removeprefix("snowshed_guard_").removesuffix("_total").removesuffix("_seconds")
            seen[name, "".join(labels.values())] = sample.value
    return seen


def test_prometheus_scrapes_what_guards_have_done() -> None:
    registry = CollectorRegistry()
    guard, _held = _used()
    registry.register(GuardCollector([guard]))
    seen = _scraped(registry)
    assert 0 <= seen.pop(("decision_age", "")) < 10
    assert seen == _EXPECTED
    guard("read").succeeded()
    assert _scraped(registry)["admitted", ""] == 4.0


def test_guards_that_come_later_are_scraped_too() -> None:
    registry = CollectorRegistry()
    guards: list[Guard] = []
    registry.register(GuardCollector(lambda: guards))
    assert _scraped(registry) == {}
    guards.append(Guard("orders"))
    assert _scraped(registry)["admitted", ""] == 0.0


def _collected(reader: InMemoryMetricReader) -> dict[tuple[str, str], float]:
    data: Any = reader.get_metrics_data()
    seen: dict[tuple[str, str], float] = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        for point in metric.data.data_points:
            attributes = dict(point.attributes)
            assert attributes.pop("snowshed.scope") == "orders"
            seen[metric.name.removeprefix("snowshed.guard."), "".join(attributes.values())] = point.value
    return seen


def test_opentelemetry_collects_what_guards_have_done() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    guard, _held = _used()
    guards = [guard]
    observe_guards(provider.get_meter("shop"), lambda: guards)
    seen = _collected(reader)
    assert 0 <= seen.pop(("decision_age", "")) < 10
    assert seen == _EXPECTED
    guards[0]("read").succeeded()
    assert _collected(reader)["admitted", ""] == 4.0
    provider.shutdown()


def test_opentelemetry_takes_a_plain_list_of_guards_too() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    observe_guards(provider.get_meter("shop"), [Guard("orders")])
    assert _collected(reader)["in_flight", ""] == 0.0
    provider.shutdown()
