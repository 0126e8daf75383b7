"""What happens to actions next: proposed, let run, claimed, expired; pure."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from fnmatch import fnmatchcase

from snowshed.consumers.actions.budget import spent
from snowshed.consumers.actions.conditions import waits_for
from snowshed.consumers.actions.runbook import Match, Plan, Runbook, Step
from snowshed.consumers.actions.situation import Situation
from snowshed.consumers.actions.states import ActionEvent, action_id, advanced, allowed
from snowshed.consumers.actions.values import Unfit
from snowshed.schemas.records import (
    ActionMode,
    ActionOrder,
    ActionState,
    ActionStatus,
    Guarantee,
    Incident,
    OrderVerdict,
)

__all__ = ["lost", "matches", "next_states", "ordered", "recovered"]

_E, _S = ActionEvent, ActionStatus
_WAITING = frozenset({_S.PROPOSED, _S.APPROVED})
_GONE_ON = frozenset({_S.DONE, _S.REHEARSED})


def next_states(plan: Plan, situation: Situation, now: float, me: str) -> Iterator[ActionState]:
    """The states that actions come to now; each must be applied before the next is asked for.

    Args:
        plan: the runbooks.
        situation: what is known.
        now: seconds since the epoch.
        me: who claims.
    """
    yield from _proposals(plan, situation, now)
    for state in [one for one in situation.actions.values() if one.status in _WAITING]:
        while state.status in _WAITING and (following := _following(plan, situation, state, now, me)) is not None:
            yield following
            state = following  # noqa: PLW2901 - the same action, one step on


def ordered(situation: Situation, order: ActionOrder, now: float) -> ActionState | None:
    """The state that a person's word brings an action to; None where it no longer matters."""
    state = situation.actions.get(order.action_id)
    event = _E.APPROVE if order.verdict is OrderVerdict.APPROVE else _E.REJECT
    if state is None or state.status not in _WAITING or not allowed(state, event):
        return None
    return advanced(state, event, now, by=order.by, reason=order.reason or f"{order.by} said so")


def recovered(plan: Plan, situation: Situation, mine: AbstractSet[str], now: float, me: str) -> Iterator[ActionState]:
    """What becomes of actions that an earlier executor left behind.

    Args:
        plan: the runbooks.
        situation: what is known.
        mine: actions that this process carries out itself.
        now: seconds since the epoch.
        me: who takes over.
    """
    for state in situation.actions.values():
        if state.action_id in mine:
            continue
        step = plan.step(state.runbook, state.step)
        if state.status is _S.CLAIMED:
            if step is None:
                yield advanced(state, _E.REFUSE, now, by=me, reason="its runbook is no longer declared")
            else:
                yield advanced(state, _E.CLAIM, now, by=me, reason="its executor died before it began", claimed_at=now)
        elif state.status is _S.RUNNING:
            yield lost(state, step, now, me, reason="its executor died while it ran", output=state.output)


def lost(state: ActionState, step: Step | None, now: float, me: str, *, reason: str, output: str) -> ActionState:
    """An action that may have been done or not: begun again if it may be, else unknown."""
    again = step is not None and state.guarantee is Guarantee.IDEMPOTENT
    if again and step is not None and state.attempt < step.attempts:
        return advanced(
            state, _E.START, now, by=me, reason=f"{reason}; again", attempt=state.attempt + 1, output=output
        )
    if again:
        reason = f"{reason}, {state.attempt} times"
    return advanced(state, _E.FAIL if again else _E.LOSE, now, by=me, reason=reason, output=output)


def matches(match: Match, incident: Incident, values: dict[str, str], situation: Situation, now: float) -> bool:
    """Whether a runbook answers an incident now."""
    service = values["service"]
    return (
        (not match.kinds or incident.kind in match.kinds)
        and (not match.services or any(fnmatchcase(service, pattern) for pattern in match.services))
        and (not match.verdicts or situation.verdict(service) in match.verdicts)
        and situation.level(service, now) >= match.level
        and incident.confidence >= match.confidence
        and now >= incident.opened_at + match.open_for
    )


def _proposals(plan: Plan, situation: Situation, now: float) -> Iterator[ActionState]:
    for incident in situation.incidents.values():
        values = situation.values(incident)
        for runbook in plan.runbooks:
            number = _due_step(runbook, incident, situation)
            if number is None or (number == 0 and not matches(runbook.match, incident, values, situation, now)):
                continue
            newest = situation.newest_decision(incident.incident_id)
            yield _proposal(runbook, number, incident, values, decision_id=newest, now=now)


def _due_step(runbook: Runbook, incident: Incident, situation: Situation) -> int | None:
    """The first step that was not proposed, if all before it have been done."""
    for number in range(len(runbook.steps)):
        held = situation.actions.get(action_id(incident.incident_id, runbook.name, number))
        if held is None:
            return number
        if held.status not in _GONE_ON:
            return None
    return None


def _proposal(
    runbook: Runbook, number: int, incident: Incident, values: dict[str, str], *, decision_id: str, now: float
) -> ActionState:
    step = runbook.steps[number]
    state = ActionState(
        action_id=action_id(incident.incident_id, runbook.name, number),
        seq=1,
        runbook=runbook.name,
        step=number,
        kind=step.kind,
        executor=step.executor.name,
        target=values["service"],
        mode=runbook.mode,
        guarantee=step.guarantee,
        status=_S.PROPOSED,
        at=now,
        by=f"runbook {runbook.name}",
        reason=incident.summary,
        domain=incident.domain,
        service=values["service"],
        node=values.get("node", ""),
        incident_id=incident.incident_id,
        decision_id=decision_id,
        proposed_at=now,
        expires_at=now + runbook.expires,
    )
    try:
        return replace(state, target=step.executor.describe(values))
    except Unfit as error:
        return advanced(state, _E.REFUSE, now, by=state.by, reason=str(error))


def _following(plan: Plan, situation: Situation, state: ActionState, now: float, me: str) -> ActionState | None:
    runbook = plan.runbook(state.runbook)
    if runbook is None or state.step >= len(runbook.steps):
        return advanced(state, _E.REFUSE, now, by=me, reason="its runbook is no longer declared")
    if state.incident_id not in situation.incidents:
        return advanced(state, _E.EXPIRE, now, by=me, reason="the incident has closed")
    if state.status is _S.PROPOSED:
        return _judged(plan, runbook, situation, state, now=now, me=me)
    obstacle = waits_for(runbook, state, situation, now)
    if now >= state.expires_at:
        return advanced(state, _E.EXPIRE, now, by=me, reason=f"it had to wait: {obstacle or 'no executor was there'}")
    if obstacle:
        return None
    return advanced(state, _E.CLAIM, now, by=me, reason=state.reason, claimed_at=now)


def _judged(
    plan: Plan, runbook: Runbook, situation: Situation, state: ActionState, *, now: float, me: str
) -> ActionState | None:
    if now >= state.expires_at:
        return advanced(state, _E.EXPIRE, now, by=me, reason="nobody approved it in time")
    if state.mode is ActionMode.DRY_RUN:
        return advanced(state, _E.REHEARSE, now, by=me, reason=f"dry run: would {state.target}")
    if state.mode is not ActionMode.AUTOMATIC or state.by == "budget":
        return None
    exceeded = spent(plan, runbook, state, situation.actions.values(), now)
    if exceeded:
        return advanced(state, _E.ASK, now, by="budget", reason=f"{exceeded}: a person must approve it")
    return advanced(state, _E.APPROVE, now, by="budget", reason=state.reason)
