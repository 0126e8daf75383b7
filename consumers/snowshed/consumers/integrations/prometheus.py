"""What Guards have done, for Prometheus.

::

    REGISTRY.register(GuardCollector([guard]))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from snowshed.consumers.brakes import CircuitState
from snowshed.consumers.guard import Guard, GuardStats
from snowshed.consumers.integrations.local_gauges import LOCAL_GAUGES

__all__ = ["GuardCollector"]


class GuardCollector(Collector):
    """Reads the counts of Guards when it is scraped; nothing is counted twice and a call pays nothing for it.

    Args:
        guards: what to read, or a function that tells, where guards come and go. Each scope stands once.
    """

    def __init__(self, guards: Iterable[Guard] | Callable[[], Iterable[Guard]]) -> None:
        self._guards = guards if callable(guards) else tuple(guards)

    def collect(self) -> Iterator[Metric]:
        """The metrics, read now."""
        guards = self._guards() if callable(self._guards) else self._guards
        stats = {guard.scope: guard.stats for guard in guards}
        yield from _counters(stats)
        yield from _gauges(stats)
        yield from _local_gauges(stats)

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not read the guards."""
        return []


def _counters(stats: dict[str, GuardStats]) -> Iterator[Metric]:
    admitted = CounterMetricFamily("snowshed_guard_admitted", "Calls that were admitted.", labels=["scope"])
    refused = CounterMetricFamily("snowshed_guard_rejected", "Calls refused, by brake.", labels=["scope", "brake"])
    shadowed = CounterMetricFamily(
        "snowshed_guard_would_have_rejected",
        "Calls that a shadow decision would have refused, by class.",
        labels=["scope", "criticality"],
    )
    ended = CounterMetricFamily("snowshed_guard_ended", "Calls that ended, by outcome.", labels=["scope", "outcome"])
    for scope, one in stats.items():
        admitted.add_metric([scope], one.admitted)
        for brake, count in one.rejected.items():
            refused.add_metric([scope, brake.value], count)
        for criticality, count in one.would_have_rejected.items():
            shadowed.add_metric([scope, criticality.name.lower()], count)
        for outcome, count in one.outcomes.items():
            ended.add_metric([scope, outcome.value], count)
    yield from (admitted, refused, shadowed, ended)


def _gauges(stats: dict[str, GuardStats]) -> Iterator[Metric]:
    in_flight = GaugeMetricFamily("snowshed_guard_in_flight", "Admitted calls that have not ended.", labels=["scope"])
    level = GaugeMetricFamily("snowshed_guard_degrade_level", "Degrade level in force.", labels=["scope"])
    decisions = GaugeMetricFamily("snowshed_guard_decisions", "Decisions in force.", labels=["scope"])
    age = GaugeMetricFamily(
        "snowshed_guard_decision_age_seconds", "Age of the youngest decision in force.", labels=["scope"]
    )
    stale = GaugeMetricFamily("snowshed_guard_stale", "1 when the control plane is not heard of.", labels=["scope"])
    for scope, one in stats.items():
        in_flight.add_metric([scope], one.in_flight)
        level.add_metric([scope], one.effective.degrade_level)
        decisions.add_metric([scope], len(one.effective.decisions))
        stale.add_metric([scope], float(one.effective.stale))
        if one.effective.age is not None:
            age.add_metric([scope], one.effective.age)
    yield from (in_flight, level, decisions, age, stale)


def _local_gauges(stats: dict[str, GuardStats]) -> Iterator[Metric]:
    for name, description, read in LOCAL_GAUGES:
        gauge = GaugeMetricFamily(f"snowshed_guard_{name}", description, labels=["scope"])
        for scope, one in stats.items():
            value = read(one.local)
            if value is not None:
                gauge.add_metric([scope], value)
        yield gauge
    circuit = GaugeMetricFamily(
        "snowshed_guard_circuit", "1 for the state that the circuit breaker is in.", labels=["scope", "state"]
    )
    for scope, one in stats.items():
        for state in () if one.local.circuit is None else CircuitState:
            circuit.add_metric([scope, state.value], float(state is one.local.circuit))
    yield circuit
