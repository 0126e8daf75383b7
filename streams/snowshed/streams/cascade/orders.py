"""Operators' own decisions: they stand in the log with what level 2 judges by, and hold against its own.

An order about one actuator goes before one about all of a scope. What is in force when an order takes hold, and when it
is released, gets a higher epoch: nothing that was decided before can come in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf

from snowshed.schemas.records import Decision, DecisionKind, DecisionMode, OperatorAction, OperatorOrder, ScopeKind
from snowshed.streams.cascade.decisions import Held
from snowshed.streams.policy import DecisionPolicy

__all__ = ["Ordered", "commanded", "expired", "obeyed", "ordered"]

_RULE = "order-{}/1"
_CERTAIN = 1.0


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order that holds."""

    order: OperatorOrder
    since: float
    """When level 2 took it in."""

    @property
    def until(self) -> float:
        """When it ends by itself; inf where it has to be released."""
        return inf if self.order.ttl is None else self.since + self.order.ttl


def ordered(state: Mapping[str, object], order: OperatorOrder, now: float) -> dict[str, Ordered | None]:
    """What an order changes of the state: the orders to be held and, where None, no longer."""
    key = f"order/{order.scope}|{order.actuator}"
    if order.action is not OperatorAction.RELEASE:
        return {key: Ordered(order, now)}
    everything = f"order/{order.scope}|"
    return {one: None for one in state if one == key or (not order.actuator and one.startswith(everything))}


def expired(value: object, now: float) -> bool:
    """Whether an order has come to its own end."""
    return isinstance(value, Ordered) and now >= value.until


def commanded(orders: Mapping[str, Ordered], keys: set[str]) -> dict[str, OperatorOrder]:
    """The order that holds for each actuator, by `scope|kind`.

    Args:
        orders: those that hold, by their keys and in the order of these.
        keys: actuators that have been or are to be set, by `scope|kind`.
    """
    found: dict[str, OperatorOrder] = {}
    for one in orders.values():
        if not one.order.actuator:
            found |= dict.fromkeys(_all_of(one.order, keys), one.order)
    exact = {f"{one.order.scope}|{one.order.actuator}": one.order for one in orders.values() if one.order.actuator}
    return dict(sorted({**found, **exact}.items()))


def obeyed(
    held: Held | None, key: str, order: OperatorOrder, *, decision_id: str, now: float, policy: DecisionPolicy
) -> Held | None:
    """The decision that an order asks for; None where it stands already."""
    if held is not None and held.decision.order_id == order.order_id:
        lasting = not held.decision.active or now < held.decision.issued_at + held.decision.ttl / 2
        return None if lasting else replace(held, decision=_again(held.decision, decision_id, now))
    scope, _, kind = key.rpartition("|")
    decision = Decision(
        decision_id=decision_id,
        domain=order.domain,
        scope=scope,
        scope_kind=order.scope_kind,
        kind=DecisionKind(kind),
        active=False,
        epoch=held.decision.epoch + 1 if held is not None else 2,
        seq=held.decision.seq + 1 if held is not None else 1,
        issued_at=now,
        ttl=policy.ttl,
        mode=DecisionMode.ENFORCE,
        reason="",
        confidence=_CERTAIN,
    )
    if order.action is OperatorAction.FREEZE and held is not None and held.decision.active:
        decision = replace(
            held.decision,
            epoch=decision.epoch,
            seq=decision.seq,
            decision_id=decision.decision_id,
            issued_at=now,
            ttl=policy.ttl,
        )
    elif order.action is OperatorAction.PIN:
        decision = replace(
            decision,
            active=True,
            rate_multiplier=order.rate_multiplier,
            retry_budget=order.retry_budget,
            p_reject=order.p_reject,
            degrade_level=order.degrade_level,
        )
    return Held(replace(decision, reason=_reason(order), order_id=order.order_id), _RULE.format(order.action.value))


def _all_of(order: OperatorOrder, keys: set[str]) -> Iterator[str]:
    """Every actuator of the scope, and the degrade level of a service in any case, so that the order shows."""
    if order.scope_kind is ScopeKind.SERVICE:
        yield f"{order.scope}|{DecisionKind.DEGRADE.value}"
    for key in keys:
        if key.rpartition("|")[0] == order.scope:
            yield key


def _again(decision: Decision, decision_id: str, now: float) -> Decision:
    return replace(decision, decision_id=decision_id, seq=decision.seq + 1, issued_at=now)


def _reason(order: OperatorOrder) -> str:
    done = {
        OperatorAction.PIN: "pinned",
        OperatorAction.VETO: "vetoed",
        OperatorAction.FREEZE: "frozen",
        OperatorAction.RELEASE: "released",
    }
    ends = "until released" if order.ttl is None else f"for {order.ttl:.0f} s"
    return f"{done[order.action]} by {order.author} {ends}: {order.reason}"
