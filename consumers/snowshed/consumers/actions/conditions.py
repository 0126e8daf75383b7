"""What an approved action still waits for; pure."""

from __future__ import annotations

from snowshed.consumers.actions.runbook import Runbook
from snowshed.consumers.actions.situation import Situation
from snowshed.schemas.records import ActionState, ActionStatus, Liveness

__all__ = ["waits_for"]

_BUSY = frozenset({ActionStatus.CLAIMED, ActionStatus.RUNNING})


def waits_for(runbook: Runbook, state: ActionState, situation: Situation, now: float) -> str:
    """What keeps an action from beginning, in words; empty when nothing does."""
    return (
        _others(runbook, state, situation, now)
        or _share(runbook, state, situation)
        or _blindness(runbook, state, situation, now)
    )


def _blindness(runbook: Runbook, state: ActionState, situation: Situation, now: float) -> str:
    blind = situation.blind(state.domain, now) and not runbook.conditions.when_blind
    return f"the detector does not see all of {state.domain}" if blind else ""


def _others(runbook: Runbook, state: ActionState, situation: Situation, now: float) -> str:
    others = [
        one for one in situation.actions.values() if one.service == state.service and one.action_id != state.action_id
    ]
    if any(one.status in _BUSY for one in others):
        return f"another action on {state.service} is under way"
    ready = (
        max(
            (one.claimed_at for one in others if one.runbook == runbook.name and one.claimed_at is not None),
            default=float("-inf"),
        )
        + runbook.conditions.spacing
    )
    return (
        f"the runbook acted on {state.service} {now - ready + runbook.conditions.spacing:.0f} s ago"
        if now < ready
        else ""
    )


def _share(runbook: Runbook, state: ActionState, situation: Situation) -> str:
    most = runbook.conditions.max_unavailable
    if most is None:
        return ""
    nodes = situation.nodes(state.service)
    out = {name for name, health in nodes.items() if health.status is not Liveness.ALIVE}
    out |= {state.node} & nodes.keys()
    if not nodes:
        return f"no node of {state.service} is known, so that no share can be told"
    return f"{len(out)} of {len(nodes)} nodes of {state.service} would be out" if len(out) > most * len(nodes) else ""
