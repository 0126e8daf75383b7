"""The life of an action, as one table; pure.

Rules:

1. Each step is a record of its own, written before what it says is done: nothing runs before `running` is in the log.
2. So an action that was claimed and is not running has not been begun, and whoever takes over may claim it again.
3. One that was running may have been done or not. If it is idempotent it is begun again with the same key; otherwise it
   becomes `unknown`, and a person is told.
4. What has ended stays ended: nothing leads out of a final state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

from snowshed.schemas.errors import SnowshedError
from snowshed.schemas.records import ActionState, ActionStatus

__all__ = ["FINAL", "TRANSITIONS", "ActionEvent", "IllegalStep", "action_id", "advanced", "allowed"]


class ActionEvent(Enum):
    """What happens to an action."""

    APPROVE = "approve"
    ASK = "ask"
    """Its budget is spent: a person is asked."""
    REJECT = "reject"
    REFUSE = "refuse"
    """It cannot be carried out as declared."""
    EXPIRE = "expire"
    REHEARSE = "rehearse"
    CLAIM = "claim"
    START = "start"
    SUCCEED = "succeed"
    FAIL = "fail"
    LOSE = "lose"
    """Nobody can say any more whether it was done."""


_S, _E = ActionStatus, ActionEvent
_EARLY = {_E.REJECT: _S.REFUSED, _E.REFUSE: _S.REFUSED, _E.EXPIRE: _S.EXPIRED}

TRANSITIONS: Mapping[ActionStatus, Mapping[ActionEvent, ActionStatus]] = MappingProxyType(
    {
        _S.PROPOSED: {_E.APPROVE: _S.APPROVED, _E.ASK: _S.PROPOSED, _E.REHEARSE: _S.REHEARSED, **_EARLY},
        _S.APPROVED: {_E.CLAIM: _S.CLAIMED, **_EARLY},
        _S.CLAIMED: {_E.START: _S.RUNNING, _E.CLAIM: _S.CLAIMED, **_EARLY},
        _S.RUNNING: {
            _E.START: _S.RUNNING,
            _E.SUCCEED: _S.DONE,
            _E.FAIL: _S.FAILED,
            _E.LOSE: _S.UNKNOWN,
        },
        _S.DONE: {},
        _S.FAILED: {},
        _S.UNKNOWN: {},
        _S.REFUSED: {},
        _S.EXPIRED: {},
        _S.REHEARSED: {},
    }
)
"""The state after each event; an event that is not named is impossible."""

FINAL = frozenset(status for status, row in TRANSITIONS.items() if not row)
"""States that nothing leads out of."""


class IllegalStep(SnowshedError):
    """An action was to take a step that its state does not allow: a bug in what decides."""


def action_id(incident_id: str, runbook: str, step: int) -> str:
    """The id of an action, 16 hexadecimal digits: the same whenever the same incident calls for the same step."""
    return blake2b(f"{incident_id}\0{runbook}\0{step}".encode(), digest_size=8).hexdigest()


def allowed(state: ActionState, event: ActionEvent) -> bool:
    """Whether an action can take a step."""
    return event in TRANSITIONS[state.status]


def advanced(
    state: ActionState, event: ActionEvent, now: float, *, by: str, reason: str, **changes: Any
) -> ActionState:
    """The action after an event.

    Args:
        state: before it.
        event: what happens.
        now: when.
        by: who brings it about.
        reason: why.
        **changes: further fields that change.

    Raises:
        IllegalStep: the state does not allow it.
    """
    if not allowed(state, event):
        raise IllegalStep(f"action {state.action_id} is {state.status.value} and cannot {event.value}")
    status = TRANSITIONS[state.status][event]
    return replace(state, status=status, seq=state.seq + 1, at=now, by=by, reason=reason, **changes)
