"""All intervals of a stream as one series a component and metric, and who calls whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isnan, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snowshed.streams.causes.intervals import LATENCIES, Interval, Sample

__all__ = ["EXTERNAL", "Edge", "Flags", "Floats", "History", "component_samples"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
EXTERNAL = "@external"
"""The caller of requests that come from outside."""


class Edge(NamedTuple):
    """Who calls whom."""

    caller: str
    callee: str


class History:
    """What has been measured so far.

    A component without a row of its own is measured by its callers: their edges are added up. Where only the callee
    measured, and its totals stand on several edges, they count once.

    Args:
        edges: calls that are known beforehand; those of edge rows are added.
    """

    def __init__(self, edges: Iterable[tuple[str, str]] = ()) -> None:
        self.times: list[float] = []
        self.spans: list[float] = []
        self._components: dict[str, dict[str, list[float]]] = {}
        self._rows: dict[str, list[int]] = {}
        self._edges: dict[Edge, dict[str, list[float]]] = {}
        self.callees: dict[str, set[str]] = {}
        self.callers: dict[str, set[str]] = {}
        for caller, callee in edges:
            self._connect(caller, callee)

    def add(self, interval: Interval) -> None:
        """Take one interval more."""
        for caller, callee in interval.edges:
            self._connect(caller, callee)
        number = len(self.times)
        self.times.append(interval.t)
        self.spans.append(interval.dt)
        for name, sample in component_samples(interval).items():
            _append(self._components.setdefault(name, {}), number, sample)
        for name in interval.nodes:
            self._rows.setdefault(name, []).append(number)
        for (caller, callee), sample in interval.edges.items():
            if sample.shared <= 1.0 and caller != EXTERNAL:
                _append(self._edges.setdefault(Edge(caller, callee), {}), number, sample)

    @property
    def components(self) -> list[str]:
        """Everything that has been measured, by name."""
        return sorted(self._components)

    def metrics(self, component: str) -> list[str]:
        """What has been measured of a component."""
        return sorted(self._components.get(component, {}))

    def series(self, component: str, metric: str) -> Floats:
        """One metric by interval, NaN where it was not measured."""
        return self._padded(self._components.get(component, {}).get(metric))

    def reported(self, component: str) -> Flags:
        """In which intervals the component had a row of its own."""
        there = np.zeros(len(self.times), dtype=np.bool_)
        there[self._rows.get(component, [])] = True
        return there

    def latency(self, component: str) -> Floats:
        """The component's latency in milliseconds, by the statistic that is measured most often, the mean first."""
        return self._latency(self._components.get(component, {}))

    def edge_series(self, edge: Edge, metric: str) -> Floats | None:
        """One metric of an edge; None where nobody measured it apart from the callee's other callers."""
        return self._padded(self._edges[edge].get(metric)) if edge in self._edges else None

    def edge_latency(self, edge: Edge) -> Floats | None:
        """An edge's latency; None where nobody measured it apart."""
        return self._latency(self._edges[edge]) if edge in self._edges else None

    def below(self, component: str) -> frozenset[str]:
        """The component and everything that it calls, directly or not."""
        found, waiting = {component}, [component]
        while waiting:
            for callee in self.callees.get(waiting.pop(), ()):
                if callee not in found:
                    found.add(callee)
                    waiting.append(callee)
        return frozenset(found)

    def _connect(self, caller: str, callee: str) -> None:
        if EXTERNAL not in {caller, callee} and caller != callee:
            self.callees.setdefault(caller, set()).add(callee)
            self.callers.setdefault(callee, set()).add(caller)

    def _latency(self, metrics: Mapping[str, list[float]]) -> Floats:
        found = [self._padded(metrics[f"latency.{name}"]) for name in LATENCIES if f"latency.{name}" in metrics]
        if not found:
            return self._padded(None)
        return max(found, key=lambda values: np.count_nonzero(np.isfinite(values)))

    def _padded(self, values: list[float] | None) -> Floats:
        out = np.full(len(self.times), nan)
        if values:
            out[: len(values)] = values
        return out


def component_samples(interval: Interval) -> dict[str, Sample]:
    """What is known of each component in one interval: its own row, or else the edges that lead to it."""
    incoming: dict[str, list[Sample]] = {}
    for (_, callee), sample in interval.edges.items():
        incoming.setdefault(callee, []).append(sample)
    found = {callee: _together(samples) for callee, samples in incoming.items()}
    return {**found, **interval.nodes}


def _together(samples: list[Sample]) -> Sample:
    own = [sample for sample in samples if sample.shared <= 1.0]
    if len(own) < len(samples):
        return next(sample for sample in samples if sample.shared > 1.0)
    if len(own) == 1:
        return own[0]
    requests = sum(_or_zero(sample.requests) for sample in own)
    errors = sum(_or_zero(sample.errors) for sample in own)
    return Sample(requests, errors, {name: _mean(own, name) for name in {n for one in own for n in one.latency}})


def _mean(samples: list[Sample], name: str) -> float:
    weighted = [(max(_or_zero(one.requests), 1e-9), one.latency[name]) for one in samples if name in one.latency]
    return sum(weight * value for weight, value in weighted) / sum(weight for weight, _ in weighted)


def _or_zero(value: float) -> float:
    return 0.0 if isnan(value) else value


def _append(metrics: dict[str, list[float]], number: int, sample: Sample) -> None:
    values = {"requests": sample.requests, "errors": sample.errors}
    values |= {f"latency.{name}": value for name, value in sample.latency.items()}
    values |= {f"res.{name}": value for name, value in sample.resources.items()}
    for name, value in values.items():
        series = metrics.setdefault(name, [])
        series.extend([nan] * (number - len(series)))
        series.append(value)
