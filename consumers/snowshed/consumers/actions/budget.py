"""Whether one more action may run without a person; pure."""

from __future__ import annotations

from collections.abc import Iterable

from snowshed.consumers.actions.runbook import Budget, Plan, Runbook
from snowshed.schemas.records import ActionState, ActionStatus

__all__ = ["spent"]


def spent(plan: Plan, runbook: Runbook, state: ActionState, actions: Iterable[ActionState], now: float) -> str:
    """Which budget is spent, in words; empty while none is.

    An action counts from its approval on, for `per` seconds after an executor took it, however it ended.
    """
    others = [one for one in actions if one.action_id != state.action_id]
    mine = [one for one in others if one.runbook == runbook.name]
    return _spent(f"runbook {runbook.name}", runbook.budget, state.service, mine, now) or _spent(
        "all runbooks", plan.budget, state.service, others, now
    )


def _spent(whose: str, budget: Budget, service: str, actions: Iterable[ActionState], now: float) -> str:
    counted = [one for one in actions if _counts(one, budget, now)]
    own = sum(one.service == service for one in counted)
    if own >= budget.count:
        return f"{whose} may act {budget.count} times in {budget.per:.0f} s on {service}, and has"
    if len(counted) >= budget.total:
        return f"{whose} may act {budget.total} times in {budget.per:.0f} s in all, and has"
    return ""


def _counts(state: ActionState, budget: Budget, now: float) -> bool:
    if state.claimed_at is None:
        return state.status is ActionStatus.APPROVED
    return state.claimed_at > now - budget.per
