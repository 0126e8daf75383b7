"""How much time or how many failures are more than usual, and how much of that a component owes to itself.

Whose it is follows from `snowshed.streams.causes.attribution`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from snowshed.streams.causes.attribution import own
from snowshed.streams.causes.history import Edge, Flags, Floats, History

__all__ = ["FAILURES", "TIME", "Excess", "Period", "Quantity", "own_excess", "robust_scale"]

_FEWEST = 5
"""Usual intervals needed before anything can be called unusual."""
_RELATIVE = 0.02
"""Least deviation that counts, as a share of the usual."""


@dataclass(frozen=True, slots=True)
class Period:
    """Which intervals are usual and which belong to the incident."""

    usual: Flags
    incident: Flags


@dataclass(frozen=True, slots=True)
class Excess:
    """What is more than usual over an incident."""

    amount: float
    """Requests times milliseconds, or failures; negative when there is less."""
    z: float
    """Robust standard deviations of the usual."""
    relative: float
    """The amount as a multiple of the usual time, or as a share of the requests."""


def robust_scale(values: Floats) -> float:
    """1.4826 times the median absolute deviation; the standard deviation where more than half are equal."""
    if values.size == 0:
        return 0.0
    scale = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return scale if scale > 0.0 else float(np.std(values))


def latency_excess(requests: Floats, latency: Floats, period: Period) -> Excess | None:
    """Time spent beyond the usual latency: Σ requests · (latency − median)."""
    there = np.isfinite(latency)
    usual, incident = period.usual & there, period.incident & there
    if np.count_nonzero(usual) < _FEWEST or not incident.any():
        return None
    weight = np.where(np.isfinite(requests), requests, 1.0)
    middle = float(np.median(latency[usual]))
    beyond = weight * (latency - middle)
    floor = _RELATIVE * middle * float(np.median(weight[usual]))
    time = middle * float(weight[incident].sum())
    return _judged(beyond[incident], max(robust_scale(beyond[usual]), floor, 1e-9), time)


def errors_excess(requests: Floats, errors: Floats, period: Period) -> Excess | None:
    """Failures beyond the usual share of the requests; by chance they vary as a Poisson number does."""
    there = np.isfinite(errors) & np.isfinite(requests)
    usual, incident = period.usual & there, period.incident & there
    if np.count_nonzero(usual) < _FEWEST or not incident.any():
        return None
    share = float(errors[usual].sum() / max(requests[usual].sum(), 1.0))
    beyond = errors - share * requests
    chance = np.sqrt(max(share * float(requests[usual].mean()), 0.25))
    scale = max(robust_scale(beyond[usual]), float(chance))
    return _judged(beyond[incident], scale, float(requests[incident].sum()))


def _judged(beyond: Floats, scale: float, whole: float) -> Excess:
    # The worse half, because the fault may end before the incident's last interval.
    worse = np.sort(beyond)[beyond.size // 2 :]
    amount = float(beyond.sum())
    return Excess(amount, float(worse.mean()) / scale, amount / max(whole, 1e-9))


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is conserved along calls, and how its excess is taken."""

    name: str
    unit: str
    measure: Callable[[Floats, Floats, Period], Excess | None]
    """From requests and values; None where too little was measured."""
    of: Callable[[History, str], Floats]
    of_edge: Callable[[History, Edge], Floats | None]

    def total(self, history: History, period: Period, component: str) -> Excess | None:
        """A component's whole excess."""
        return self.measure(history.series(component, "requests"), self.of(history, component), period)


TIME = Quantity("latency", "ms", latency_excess, History.latency, History.edge_latency)
FAILURES = Quantity(
    "errors",
    "failures",
    errors_excess,
    lambda history, component: history.series(component, "errors"),
    lambda history, edge: history.edge_series(edge, "errors"),
)


def own_excess(history: History, period: Period, quantity: Quantity, totals: Mapping[str, Excess]) -> dict[str, float]:
    """Each component's excess without what its callees account for.

    Args:
        history: the measurements.
        period: usual and incident.
        quantity: time or failures.
        totals: the excess of every component that has a significant one.
    """
    passed = (
        (name, _passed(history, period, quantity, Edge(name, callee), totals[callee]))
        for name in totals
        for callee in history.callees.get(name, ())
        if callee in totals
    )
    return own({name: total.amount for name, total in totals.items()}, passed)


def _passed(history: History, period: Period, quantity: Quantity, edge: Edge, callee: Excess) -> float:
    """What of a callee's excess this caller suffers: as measured on the edge, or else by its share of the requests."""
    values, requests = quantity.of_edge(history, edge), history.edge_series(edge, "requests")
    if values is not None and requests is not None:
        measured = quantity.measure(requests, values, period)
        if measured is not None:
            return max(measured.amount, 0.0)
    volumes = {name: _volume(history, name, period) for name in history.callers[edge.callee]}
    known = sum(volumes.values())
    share = volumes[edge.caller] / known if known > 0.0 else 1.0 / len(volumes)
    return max(callee.amount, 0.0) * share


def _volume(history: History, component: str, period: Period) -> float:
    requests = history.series(component, "requests")[period.incident]
    return float(np.nansum(requests)) if requests.size else 0.0
