"""Notices and actions as items to be told; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from snowshed.consumers.notify.message import NoticeItem, Phase
from snowshed.schemas.records import ActionMode, ActionState, ActionStatus, Decision, Incident, Notice

__all__ = ["Explain", "action_item", "concerned", "notice_item", "phase_of", "reminder_item"]

Explain = Callable[[Incident, Sequence[Decision]], str]
"""An incident and its decisions in plain words."""

_TOLD = {
    ActionStatus.UNKNOWN: "critical",
    ActionStatus.FAILED: "critical",
    ActionStatus.DONE: "info",
    ActionStatus.REFUSED: "warning",
    ActionStatus.EXPIRED: "warning",
    ActionStatus.REHEARSED: "info",
}
"""States of an action that people are told of, and how urgent they are."""
_NEXT_STEP = {
    ActionStatus.UNKNOWN: "Look at its target: it may have been done or not. It is not run again.",
    ActionStatus.PROPOSED: "Let it run: `snowshed actions approve {id}`; or refuse it: `snowshed actions reject {id}`.",
    ActionStatus.FAILED: "Look at its output, then act by hand.",
}
_SEPARATORS = re.compile(r"[>/]")


def phase_of(notice: Notice) -> Phase:
    """Where in the life of its incident a notice stands, which its id ends with."""
    ending = notice.notice_id.rpartition("-")[2]
    return Phase(ending) if ending in {"opened", "closed"} else Phase.CHANGED


def concerned(incident: Incident) -> tuple[str, ...]:
    """The subject of an incident, the ends of an edge or parts of a replica's name, and its members."""
    found = [incident.subject, *_SEPARATORS.split(incident.subject), *incident.members]
    return tuple(dict.fromkeys(name for name in found if name))


def notice_item(
    notice: Notice, incident: Incident | None, decisions: Sequence[Decision], *, severity: str, explain: Explain
) -> NoticeItem:
    """A notice with what is known of its incident.

    Args:
        notice: the notice.
        incident: the newest record of its incident; None while none is known.
        decisions: what was decided about it.
        severity: that of the incident's first notice.
        explain: tells an incident in plain words.
    """
    if incident is None:
        return _unexplained(notice, severity)
    phase = phase_of(notice)
    return NoticeItem(
        notice_id=notice.notice_id,
        incident_id=notice.incident_id,
        domain=notice.domain,
        kind=incident.kind.value,
        subject=incident.subject,
        concerned=concerned(incident),
        severity=severity,
        phase=phase,
        title=notice.title,
        text=notice.text,
        explanation=explain(incident, decisions),
        issued_at=notice.issued_at,
        opened_at=incident.opened_at,
        closed_at=notice.issued_at if phase is Phase.CLOSED else None,
    )


def reminder_item(incident: Incident, decisions: Sequence[Decision], *, severity: str, explain: Explain) -> NoticeItem:
    """An open incident as the notice that opened it, with what is known of it now."""
    notice = Notice(
        notice_id=f"{incident.incident_id}-{Phase.OPENED.value}",
        incident_id=incident.incident_id,
        domain=incident.domain,
        severity=severity,
        title=f"{incident.kind.value.replace('_', ' ')}: {incident.subject} ({Phase.OPENED.value})",
        text=incident.summary,
        issued_at=incident.opened_at,
    )
    return notice_item(notice, incident, decisions, severity=severity, explain=explain)


def _unexplained(notice: Notice, severity: str) -> NoticeItem:
    phase = phase_of(notice)
    return NoticeItem(
        notice_id=notice.notice_id,
        incident_id=notice.incident_id,
        domain=notice.domain,
        kind="",
        subject="",
        concerned=(),
        severity=severity,
        phase=phase,
        title=notice.title,
        text=notice.text,
        explanation=notice.text,
        issued_at=notice.issued_at,
        opened_at=notice.issued_at,
        closed_at=notice.issued_at if phase is Phase.CLOSED else None,
    )


def action_item(state: ActionState, incident: Incident | None) -> NoticeItem | None:
    """What people are told of an action's state; None where it needs nobody's attention."""
    asks = state.status is ActionStatus.PROPOSED and state.mode is not ActionMode.DRY_RUN and state.by == "budget"
    waits = state.status is ActionStatus.PROPOSED and state.mode is ActionMode.APPROVAL
    severity = "warning" if asks or waits else _TOLD.get(state.status)
    if severity is None:
        return None
    status = "waits for approval" if asks or waits else state.status.value
    return NoticeItem(
        notice_id=f"{state.action_id}-{state.status.value}",
        incident_id=state.incident_id,
        domain=state.domain,
        kind="" if incident is None else incident.kind.value,
        subject=state.service,
        concerned=tuple(dict.fromkeys(name for name in (state.service, state.node) if name)),
        severity=severity,
        phase=Phase.ACTION,
        title=f"{state.runbook}: {state.kind.value.replace('_', ' ')} {state.target} {status}",
        text=state.reason,
        explanation="\n".join(_action_lines(state)),
        issued_at=state.at,
        opened_at=state.proposed_at,
    )


def _action_lines(state: ActionState) -> list[str]:
    lines = [
        f"{state.kind.value.replace('_', ' ')} of {state.target} by {state.executor}: {state.status.value}",
        f"  because   {state.reason}",
        f"  incident  {state.incident_id}",
        f"  action    {state.action_id}, {state.guarantee.value.replace('_', ' ')}, attempt {state.attempt}",
    ]
    if state.output:
        lines.append(f"  output    {state.output}")
    if step := _NEXT_STEP.get(state.status):
        lines.append(step.format(id=state.action_id))
    return lines
