"""What an operator's order must be, and how one is made from what somebody asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from math import isfinite

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import DecisionKind, OperatorAction, OperatorOrder, ScopeKind
from snowshed.streams.control.levels import LEVELS

__all__ = ["LONGEST", "Place", "Wanted", "checked", "known", "made", "problems"]

LONGEST = 7 * 86_400.0
"""Seconds that an order may hold at most by itself."""

_VALUES: Mapping[str, tuple[DecisionKind, float]] = {
    "rate_multiplier": (DecisionKind.RATE, 1.0),
    "retry_budget": (DecisionKind.RETRY, 1.0),
    "p_reject": (DecisionKind.BREAKER, 1.0),
    "degrade_level": (DecisionKind.DEGRADE, float(len(LEVELS) - 1)),
}
"""What can be pinned: for which actuator, and the largest value."""
_ACTUATORS = frozenset(kind.value for kind in DecisionKind)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scope belongs."""

    domain: str
    kind: ScopeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asks for."""

    scope: str
    action: str
    actuator: str = ""
    value: float | None = None
    """What a pin sets its actuator to."""
    ttl: float | None = None
    author: str = ""
    reason: str = ""
    domain: str = ""
    """Of a scope that has not been seen."""


def made(wanted: Wanted, places: Mapping[str, Place], *, order_id: str, now: float) -> OperatorOrder:
    """The order for what is asked.

    Args:
        wanted: what is asked.
        places: scopes that have been seen.
        order_id: the order's identity.
        now: when it is ordered.

    Raises:
        ConfigurationError: everything that is wrong with it.
    """
    if wanted.action not in {action.value for action in OperatorAction}:
        accepted = ", ".join(action.value for action in OperatorAction)
        raise ConfigurationError(f"{wanted.action!r} is no order: it is one of {accepted}")
    place = _unseen(wanted) if wanted.domain and wanted.scope not in places else known(wanted.scope, places)
    order = OperatorOrder(
        order_id=order_id,
        domain=place.domain,
        scope=wanted.scope,
        scope_kind=place.kind,
        action=OperatorAction(wanted.action),
        actuator=wanted.actuator,
        ttl=wanted.ttl,
        ordered_at=now,
        author=wanted.author,
        reason=wanted.reason,
    )
    return checked(order if wanted.value is None else _with(order, wanted.value))


def problems(order: OperatorOrder) -> Iterator[str]:
    """Everything that is wrong with an order, each with what is accepted."""
    if order.actuator and order.actuator not in _ACTUATORS:
        yield f"actuator {order.actuator!r} is none of {', '.join(sorted(_ACTUATORS))}"
    if order.ttl is not None and not 0.0 < order.ttl <= LONGEST:
        yield f"it is to hold for {order.ttl:g} s: more than 0 and at most {LONGEST:.0f} s, or until it is released"
    if not order.author.strip():
        yield "nobody is named who orders it"
    if not order.reason.strip():
        yield "no reason is given: whoever sees it at night needs one"
    yield from _values(order)


def checked(order: OperatorOrder) -> OperatorOrder:
    """The order, if nothing is wrong with it.

    Raises:
        ConfigurationError: everything that is.
    """
    if found := [*problems(order)]:
        raise ConfigurationError(f"the order for {order.scope!r} is refused: {'; '.join(found)}")
    return order


def known(scope: str, places: Mapping[str, Place]) -> Place:
    """Where a scope belongs that has been seen.

    Raises:
        ConfigurationError: it has not been seen.
    """
    found = places.get(scope)
    if found is not None:
        return found
    near = get_close_matches(scope, places, n=1)
    meant = f": did you mean {near[0]!r}?" if near else f"; seen are {', '.join(sorted(places)[:10]) or 'none'}."
    raise ConfigurationError(
        f"no scope {scope!r} has been seen{meant} A scope is a service, caller>callee or a dataset; one that has not "
        "reported yet is accepted with its domain named (--domain)"
    )


def _unseen(wanted: Wanted) -> Place:
    return Place(wanted.domain, ScopeKind.EDGE if ">" in wanted.scope else ScopeKind.SERVICE)


def _with(order: OperatorOrder, value: float) -> OperatorOrder:
    if order.actuator == DecisionKind.DEGRADE.value:
        if value != int(value):
            raise ConfigurationError(f"a degrade level is a whole number from 0 to {len(LEVELS) - 1}, not {value:g}")
        return replace(order, degrade_level=int(value))
    if order.actuator == DecisionKind.RATE.value:
        return replace(order, rate_multiplier=value)
    if order.actuator == DecisionKind.RETRY.value:
        return replace(order, retry_budget=value)
    if order.actuator == DecisionKind.BREAKER.value:
        return replace(order, p_reject=value)
    can = ", ".join(kind.value for kind, _ in _VALUES.values())
    raise ConfigurationError(f"an order pins one actuator of {can}, not {order.actuator or 'all'!r}")


def _values(order: OperatorOrder) -> Iterator[str]:
    given = {name: getattr(order, name) for name in _VALUES if getattr(order, name) is not None}
    if order.action is not OperatorAction.PIN:
        if given:
            yield f"only a pin has values, not a {order.action.value}: leave out {', '.join(given)}"
        return
    wanted = [name for name, (kind, _) in _VALUES.items() if kind.value == order.actuator]
    if len(given) != 1 or [*given] != wanted:
        pairs = ", ".join(f"{name} for {kind.value}" for name, (kind, _) in _VALUES.items())
        yield f"a pin sets the one value of its actuator: {pairs}"
    for name, value in given.items():
        largest = _VALUES[name][1]
        if not isfinite(value) or not 0.0 <= value <= largest:
            yield f"{name} is {value:g}: it is 0 to {largest:g}"
