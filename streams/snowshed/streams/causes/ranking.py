"""Ranks who may have started it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snowshed.streams.causes.attribution import best, shares
from snowshed.streams.causes.excess import FAILURES, TIME, Excess, Period, Quantity, own_excess
from snowshed.streams.causes.history import Flags, History
from snowshed.streams.causes.resources import Strained, strained

__all__ = ["RankedCause", "rank"]

_SIGNIFICANT = ((3.0, 1.0), (2.0, 0.5))
"""Robust deviations of calls and bounds of gauges; the second where by the first nobody is out of the usual."""
_FAILING = ("avail", "err", "fail", "success", "timeout", "5xx")
_LASTING = ("lat", "duration", "time", "p50", "p90", "p95", "p99")
"""Parts of the names of metrics."""
_GONE = 0.2
"""Share of the usual requests below which a component has vanished (DBSherlock's flush and stall cases fall below)."""
_SEEN = 0.5
_REPORTED = 0.8
"""Share of the usual intervals in which a component must have had a row, and share after which its last may stand."""
_BESIDE = 0.8
"""Weight of all others where a component's rows have stopped."""
_SUPPORT = 0.15
"""Weight of resources where time or failures speak: they tell the trigger from its equals, no more."""
_SUPPORT_ALONE = 0.5
"""The same where no calls are known, so that a victim's excess cannot be told from its own."""


@dataclass(frozen=True, slots=True)
class RankedCause:
    """A component that may have started it."""

    name: str
    score: float
    """0 to 1: the share of the excess that it owes to itself, and how its resources support that."""
    reason: str
    """What it rests on, in a few words with values."""


@dataclass(frozen=True, slots=True)
class _Claim:
    share: float
    reason: str


def rank(history: History, period: Period, metric: str, scope: frozenset[str]) -> tuple[RankedCause, ...]:
    """Best first; empty where nothing is out of the usual.

    Args:
        history: the measurements.
        period: usual and incident.
        metric: what an alarm named; time and failures are both looked at where it says neither.
        scope: components to consider.
    """
    gone = _gone(history, period, scope)
    claims: dict[str, _Claim] = {}
    gauges = strained(history, period, sorted(scope & set(history.components)))
    for deviations, bounds in _SIGNIFICANT:
        claims = _of_calls(history, period, metric, scope, deviations)
        out = {name: strain for name, strain in gauges.items() if strain[0] >= bounds}
        claims = _supported(claims, out, _SUPPORT if history.callees else _SUPPORT_ALONE)
        if gone:
            claims = {name: _Claim(_BESIDE * claim.share, claim.reason) for name, claim in claims.items()} | gone
        if claims:
            break
    return tuple(
        RankedCause(*one) for one in best({name: (claim.share, claim.reason) for name, claim in claims.items()})
    )


def _of_calls(history: History, period: Period, metric: str, scope: frozenset[str], least: float) -> dict[str, _Claim]:
    claims: dict[str, _Claim] = {}
    about = _about(metric)
    for quantity in (FAILURES, TIME) if about is FAILURES else (TIME, FAILURES):
        _merge(claims, _claims(history, period, quantity, scope, least))
        if claims and about is not None:
            break
    return claims


def _about(metric: str) -> Quantity | None:
    """What an alarm's metric measures, by its name in any monitoring system; None where it is neither, or not said."""
    name = metric.lower()
    if any(word in name for word in _FAILING):
        return FAILURES
    return TIME if any(word in name for word in _LASTING) else None


def _supported(claims: Mapping[str, _Claim], gauges: Mapping[str, Strained], weight: float) -> dict[str, _Claim]:
    """The claims with what the gauges say for them; the gauges' own where there are none."""
    out = shares({name: bounds for name, (bounds, _) in gauges.items()})
    if not claims:
        return {name: _Claim(share, _strain_reason(gauges[name])) for name, share in out.items()}
    weight = weight if out else 0.0
    return {
        name: _Claim((claim.share + weight * out.get(name, 0.0)) / (1.0 + weight), claim.reason)
        for name, claim in claims.items()
    }


def _merge(claims: dict[str, _Claim], more: Mapping[str, _Claim]) -> None:
    for name, claim in more.items():
        if name not in claims or claims[name].share < claim.share:
            claims[name] = claim


def _claims(
    history: History, period: Period, quantity: Quantity, scope: frozenset[str], least: float
) -> dict[str, _Claim]:
    found = ((name, quantity.total(history, period, name)) for name in history.components)
    totals = {name: total for name, total in found if total and total.z >= least and total.amount > 0.0}
    if not history.callees:
        # Who adds time or failures adds most in proportion: whoever calls it has other work, too.
        relative = {name: total.relative for name, total in totals.items() if name in scope}
        return {name: _Claim(share, _proportion(quantity, relative[name])) for name, share in shares(relative).items()}
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


def _gone(history: History, period: Period, scope: frozenset[str]) -> dict[str, _Claim]:
    """Components whose rows have stopped of late, while those of most others go on."""
    missed = {name: _missed(history.reported(name), period) for name in history.components}
    gone = [name for name, is_missed in missed.items() if is_missed]
    others = sum(is_missed is False for is_missed in missed.values())
    if not gone or len(gone) > others:
        return {}
    return {
        name: _Claim(1.0, f"its rows have stopped, those of {others} others go on") for name in gone if name in scope
    }


def _missed(reported: Flags, period: Period) -> bool | None:
    """Whether a component that had a row nearly always has hardly any now; None where it had none before."""
    usual = reported[period.usual]
    last = int(np.flatnonzero(usual)[-1]) + 1 if usual.any() else 0
    # An alarm may come late, so it may have been missed for some time; one that left long before left for itself.
    if last < _REPORTED * usual.size or usual[:last].mean() < _REPORTED:
        return None
    return bool(reported[period.incident].mean() < _SEEN)


def _reason(quantity: Quantity, own: float, total: Excess | None) -> str:
    if total is None:
        return "fell silent, and its callers suffer"
    return f"{_amount(quantity, own)} of its excess {_amount(quantity, total.amount)} come from no callee"


def _proportion(quantity: Quantity, relative: float) -> str:
    what = "its calls take {:.0%} longer than usual" if quantity is TIME else "{:.1%} more of its calls fail than usual"
    return f"{what.format(relative)}; who calls whom is not known"


def _amount(quantity: Quantity, amount: float) -> str:
    return f"{amount / 1000.0:.3g} s" if quantity is TIME else f"{amount:.3g} {quantity.unit}"


def _strain_reason(strain: Strained) -> str:
    bounds, gauge = strain
    return f"its gauges, {gauge} most of all, are {bounds:.1f} times as far out as they get by themselves"
