"""Notices, items and incidents for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from snowshed.consumers.notify import NoticeItem, NoticeMessage, Phase
from snowshed.schemas.records import Incident, IncidentKind, IncidentStatus, Notice

__all__ = ["incident", "item", "message", "notice"]

_ITEM = NoticeItem(
    notice_id="overload-payments-1-opened",
    incident_id="overload-payments-1",
    domain="shop",
    kind="overload",
    subject="payments",
    concerned=("payments", "orders"),
    severity="critical",
    phase=Phase.OPENED,
    title="overload: payments (opened)",
    text="payments is overloaded.",
    explanation="payments is overloaded.\n  decided   rate of payments",
    issued_at=1000.0,
    opened_at=1000.0,
)


def item(name: str = "", **changes: Any) -> NoticeItem:
    """A notice's item; a name gives it an identity of its own."""
    own: dict[str, Any] = {"notice_id": f"{name}-opened", "incident_id": name} if name else {}
    return replace(_ITEM, **(own | changes))


def message(*items: NoticeItem, held: bool = False) -> NoticeMessage:
    """A message of these items, or of one."""
    return NoticeMessage(items=items or (item(),), held=held)


def incident(name: str = "overload-payments-1", **changes: Any) -> Incident:
    """An open incident."""
    held = Incident(
        incident_id=name,
        domain="shop",
        kind=IncidentKind.OVERLOAD,
        status=IncidentStatus.OPEN,
        subject="payments",
        summary="payments is overloaded.",
        opened_at=1000.0,
        updated_at=1000.0,
        members=("payments", "orders"),
        confidence=0.9,
        detector_lag=0.1,
    )
    return replace(held, **changes)


def notice(name: str = "overload-payments-1", state: str = "opened", **changes: Any) -> Notice:
    """What level 2 tells people of such an incident."""
    held = Notice(
        notice_id=f"{name}-{state}",
        incident_id=name,
        domain="shop",
        severity="info" if state == "closed" else "critical",
        title=f"overload: payments ({state})",
        text="payments is overloaded.",
        issued_at=1000.0,
    )
    return replace(held, **changes)
