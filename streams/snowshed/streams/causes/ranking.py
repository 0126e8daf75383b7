"""Ranks who may have started it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snowshed.streams.causes.attribution import best, shares
from snowshed.streams.causes.excess import FAILURES, TIME, Excess, Period, Quantity, own_excess, robust_scale
from snowshed.streams.causes.history import Floats, History

__all__ = ["RankedCause", "rank"]

_SIGNIFICANT = 3.0
"""Robust standard deviations."""
_GONE = 0.2
"""Share of the usual requests below which a component has vanished (DBSherlock's flush and stall cases fall below)."""
_SEEN = 0.5
_SUPPORT = 0.15
"""Weight of resources where time or failures speak: they tell the trigger from its equals, no more."""


@dataclass(frozen=True, slots=True)
class RankedCause:
    """A component that may have started it."""

    name: str
    score: float
    """0 to 1: the share of the excess that it owes to itself, and how its resources support that."""
    reason: str
    """What it rests on, in a few words with values."""


_NOTHING = (0.0, ("", 0.0))


@dataclass(frozen=True, slots=True)
class _Claim:
    share: float
    reason: str


def rank(history: History, period: Period, metric: str, scope: frozenset[str]) -> tuple[RankedCause, ...]:
    """Best first; empty where nothing is out of the usual.

    Args:
        history: the measurements.
        period: usual and incident.
        metric: `latency` or `availability` when an alarm named it; else both are looked at.
        scope: components to consider.
    """
    claims: dict[str, _Claim] = {}
    for quantity in (FAILURES, TIME) if metric == "availability" else (TIME, FAILURES):
        _merge(claims, _claims(history, period, quantity, scope))
        if claims and metric:
            break
    resources = _resources(history, period, scope)
    if not claims:
        return _shown({name: (score, _resource_reason(found)) for name, (score, found) in resources.items()})
    support = _SUPPORT if resources else 0.0
    return _shown(
        {
            name: ((claim.share + support * resources.get(name, _NOTHING)[0]) / (1.0 + support), claim.reason)
            for name, claim in claims.items()
        }
    )


def _merge(claims: dict[str, _Claim], more: Mapping[str, _Claim]) -> None:
    for name, claim in more.items():
        if name not in claims or claims[name].share < claim.share:
            claims[name] = claim


def _claims(history: History, period: Period, quantity: Quantity, scope: frozenset[str]) -> dict[str, _Claim]:
    found = ((name, quantity.total(history, period, name)) for name in history.components)
    totals = {name: total for name, total in found if total and total.z >= _SIGNIFICANT and total.amount > 0.0}
    own = own_excess(history, period, quantity, totals)
    own = _handed_on(history, period, {name: amount for name, amount in own.items() if name in scope})
    return {name: _Claim(share, _reason(quantity, own[name], totals.get(name))) for name, share in shares(own).items()}


def _handed_on(history: History, period: Period, own: dict[str, float]) -> dict[str, float]:
    """A caller's own excess belongs to a callee that has fallen silent: nobody is left there to show it."""
    handed = dict(own)
    for caller, amount in own.items():
        gone = [callee for callee in history.callees.get(caller, ()) if _vanished(history, period, caller, callee)]
        for callee in gone:
            handed[callee] = handed.get(callee, 0.0) + amount / len(gone)
            handed[caller] = 0.0
    return handed


def _vanished(history: History, period: Period, caller: str, callee: str) -> bool:
    return _kept(history, period, callee) < _GONE and _kept(history, period, caller) > _SEEN


def _kept(history: History, period: Period, component: str) -> float:
    """Requests in the incident as a share of the usual; 1 where they are not measured or few."""
    requests = history.series(component, "requests")
    usual = requests[period.usual]
    usual = usual[np.isfinite(usual)]
    if usual.size < np.count_nonzero(period.usual) / 2 or float(np.median(usual)) < 1.0:
        return 1.0
    now = np.nan_to_num(requests[period.incident], nan=0.0)
    return float(np.median(now) / np.median(usual))


def _resources(history: History, period: Period, scope: frozenset[str]) -> dict[str, tuple[float, tuple[str, float]]]:
    """How far each component's resources are out of the usual, as a share of the farthest, and which one."""
    found: dict[str, tuple[str, float]] = {}
    for name in scope & set(history.components):
        values = ((m, _deviation(history.series(name, m), period)) for m in history.metrics(name) if _is_resource(m))
        worst = max(values, key=lambda pair: pair[1], default=("", 0.0))
        if worst[1] >= _SIGNIFICANT:
            found[name] = worst
    most = max((z for _, z in found.values()), default=0.0)
    return {name: (z / most, (metric, z)) for name, (metric, z) in found.items()}


def _is_resource(metric: str) -> bool:
    return metric.startswith("res.")


def _deviation(values: Floats, period: Period) -> float:
    there = np.isfinite(values)
    usual, now = values[period.usual & there], values[period.incident & there]
    if usual.size < 5 or now.size == 0:
        return 0.0
    middle = float(np.median(usual))
    scale = max(robust_scale(usual), 0.02 * abs(middle), 1e-9)
    away = np.sort(np.abs(now - middle))[now.size // 2 :]
    return float(away.mean()) / scale


def _reason(quantity: Quantity, own: float, total: Excess | None) -> str:
    if total is None:
        return "fell silent, and its callers suffer"
    return f"{_amount(quantity, own)} of its excess {_amount(quantity, total.amount)} come from no callee"


def _amount(quantity: Quantity, amount: float) -> str:
    return f"{amount / 1000.0:.3g} s" if quantity is TIME else f"{amount:.3g} {quantity.unit}"


def _resource_reason(found: tuple[str, float]) -> str:
    metric, z = found
    return f"{metric.removeprefix('res.')} is {z:.1f} deviations from usual"


def _shown(scored: Mapping[str, tuple[float, str]]) -> tuple[RankedCause, ...]:
    return tuple(RankedCause(name, score, reason) for name, score, reason in best(scored))
