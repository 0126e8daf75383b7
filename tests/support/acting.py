"""Runbooks, actions and the fleet they are about, for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from snowshed.consumers.actions.executors.base import Executor, Job, Result
from snowshed.consumers.actions.runbook import Plan
from snowshed.consumers.actions.settings import plan_of
from snowshed.consumers.actions.situation import Situation
from snowshed.consumers.actions.states import action_id
from snowshed.consumers.outward.table import parse_table
from snowshed.schemas.records import (
    ActionKind,
    ActionMode,
    ActionState,
    ActionStatus,
    Guarantee,
    Liveness,
    NodeHealth,
    Record,
)

__all__ = ["VALUES", "health", "plan", "run", "settle", "situation", "state"]

VALUES = {"service": "payments", "node": "n1", "domain": "shop", "incident": "i1"}
"""What an incident tells."""


def run(executor: Executor, *, key: str = "k1", timeout: float = 10.0, attempt: int = 1, **values: str) -> Result:
    """Have an executor do its job once."""
    kind = getattr(executor, "kind", ActionKind.CUSTOM)
    job = Job(key=key, kind=kind, runbook="r", values=VALUES | values, timeout=timeout, attempt=attempt)
    return executor.run(job)


def plan(text: str) -> Plan:
    """The runbooks of a settings file with this text."""
    return plan_of(parse_table(text, "runbooks.toml"))


def situation(*records: Record) -> Situation:
    """What is known once these records have been read."""
    found = Situation()
    for record in records:
        found.take(record)
    return found


def settle(known: Situation, states: Any) -> list[ActionState]:
    """Apply what is decided, as an executor does, and give it."""
    found: list[ActionState] = []
    for one in states:
        known.apply(one)
        found.append(one)
    return found


def health(node: str, status: Liveness = Liveness.ALIVE, service: str = "payments") -> NodeHealth:
    """What the failure detector holds of a node."""
    return NodeHealth(
        domain="shop",
        node=node,
        service=service,
        zone="",
        host="",
        status=status,
        since=0.0,
        last_seen=0.0,
        interval=1.0,
        phi=0.0,
        observed_at=0.0,
        detector_lag=0.0,
    )


def state(status: ActionStatus = ActionStatus.PROPOSED, **changes: Any) -> ActionState:
    """An action of the runbook `restart`."""
    incident = changes.get("incident_id", "overload-payments-1")
    held = ActionState(
        action_id=action_id(incident, "restart", 0),
        seq=1,
        runbook="restart",
        step=0,
        kind=ActionKind.RESTART,
        executor="command",
        target="restart payments",
        mode=ActionMode.AUTOMATIC,
        guarantee=Guarantee.AT_MOST_ONCE,
        status=status,
        at=1000.0,
        by="runbook restart",
        reason="payments is overloaded.",
        domain="shop",
        service="payments",
        incident_id=incident,
        proposed_at=1000.0,
        expires_at=1900.0,
    )
    return replace(held, **changes)
