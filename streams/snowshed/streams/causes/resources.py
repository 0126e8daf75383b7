"""How far each component's gauges are out of the usual in an incident, each held against its own wandering.

What most components show of the same gauge is demand, or its absence, and is taken off: only what is a component's own
accuses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from snowshed.streams.causes.excess import Period
from snowshed.streams.causes.history import Floats, History
from snowshed.streams.causes.usual import learned, reach, running_medians

__all__ = ["Strained", "strained"]

_WINDOW = 300
"""Usual intervals, the newest, that are compared with."""
_FEWEST = 5
_SMOOTH = 3
_SHARE = 8
"""One in so many gauges, but two, say how far out a component is: one alone is soon out by itself."""
_PEERS = 4
"""Components with a gauge of the same name from which on it tells something that most show the same."""

Strained = tuple[float, str]
"""Bounds of its own wandering, 1 is out of the usual; and the gauge that is farthest out."""


def strained(history: History, period: Period, names: Iterable[str]) -> dict[str, Strained]:
    """The components whose gauges can be judged, each with how far out they are."""
    ratios = {name: found for name in names if (found := _ratios(history, period, name))}
    common = _common(ratios)
    return {name: _strain(found, common) for name, found in ratios.items()}


def _ratios(history: History, period: Period, name: str) -> dict[str, float]:
    """By gauge, how far above or below it is, as a multiple of its bound."""
    gauges = [metric for metric in history.metrics(name) if metric.startswith("res.")]
    usual, incident = np.flatnonzero(period.usual)[-_WINDOW:], np.flatnonzero(period.incident)
    if not gauges or usual.size < _FEWEST or not incident.size:
        return {}
    rows = np.column_stack([history.series(name, gauge) for gauge in gauges])
    requests = history.series(name, "requests")
    known = learned(rows[usual], requests[usual], _FEWEST)
    before = np.vstack([np.full((1, rows.shape[1]), np.nan), rows[:-1]])
    away = known.away(running_medians(known.values(rows, before, requests), _SMOOTH))
    found = _worse_half(away[incident]) / reach(away[usual])
    return {gauge: float(ratio) for gauge, ratio in zip(gauges, found, strict=True) if np.isfinite(ratio)}


def _worse_half(away: Floats) -> Floats:
    """By column, the mean of the half that is farther out: a fault may end before the incident's last interval."""
    order = np.argsort(np.where(np.isnan(away), -1.0, np.abs(away)), axis=0)
    worse = np.take_along_axis(away, order[away.shape[0] // 2 :], axis=0)
    there = np.isfinite(worse)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, worse, 0.0).sum(axis=0) / there.sum(axis=0))


def _common(ratios: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """By gauge, what most components show of it."""
    shown: dict[str, list[float]] = {}
    for found in ratios.values():
        for gauge, ratio in found.items():
            shown.setdefault(gauge, []).append(ratio)
    return {gauge: float(np.median(values)) for gauge, values in shown.items() if len(values) >= _PEERS}


def _strain(found: Mapping[str, float], common: Mapping[str, float]) -> Strained:
    own = {gauge: abs(ratio - common.get(gauge, 0.0)) for gauge, ratio in found.items()}
    ordered = sorted(own, key=lambda gauge: (-own[gauge], gauge))
    farthest = ordered[: max(len(ordered) // _SHARE, 2)]
    return float(np.mean([own[gauge] for gauge in farthest])), ordered[0].removeprefix("res.")
