"""Alertmanager: an incident is an alert that is sent again while it is open and ended when it closes.

Alertmanager tells alerts apart by their labels, and these stay the same from an incident's first notice to its last. So
sending one twice changes nothing, after a restart neither: what it shows follows from what was sent last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from snowshed.consumers.notify.channels.posting import as_json, post
from snowshed.consumers.notify.message import Delivery, NoticeItem, NoticeMessage, Phase
from snowshed.consumers.outward.http import Endpoint
from snowshed.consumers.outward.secret import Secret

__all__ = ["Alertmanager", "alert"]

_LIVES = 3.0
"""Alerts end by themselves after so many periods of sending them again, so that one that is lost does no harm."""
_ACTION_LIVES = 3_600.0


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """Posts to version 2 of its API.

    Args:
        endpoint: its address, without `/api/v2`.
        resend: seconds after which an open incident is sent again.
        page: address of Snowshed's page, for people who want to know more; empty to name none.
        token: bearer token, if it wants one.
    """

    endpoint: Endpoint
    resend: float = 60.0
    page: str = ""
    token: Secret | None = None

    def deliver(self, message: NoticeMessage, now: float) -> Delivery:
        """Send each item as an alert."""
        body = as_json([alert(item, now=now, resend=self.resend, page=self.page) for item in message.items])
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token.reveal()}"}
        return post(self.endpoint, body, headers, path="/api/v2/alerts")


def alert(item: NoticeItem, *, now: float, resend: float, page: str = "") -> dict[str, object]:
    """An item as a `postableAlert`."""
    is_action = item.phase is Phase.ACTION
    labels = {
        "alertname": "SnowshedAction" if is_action else f"Snowshed{_camel(item.kind) or 'Incident'}",
        "severity": item.severity,
        "domain": item.domain,
        "subject": item.subject,
        "incident": item.incident_id,
    }
    if is_action:
        labels["action"] = item.notice_id.rpartition("-")[0]
    ends_at = item.closed_at or (item.issued_at + _ACTION_LIVES if is_action else now + _LIVES * resend)
    found: dict[str, object] = {
        # An empty label is none to Alertmanager.
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {"summary": item.title, "description": item.explanation},
        "startsAt": _rfc3339(min(item.opened_at, ends_at)),
        "endsAt": _rfc3339(ends_at),
    }
    if page:
        found["generatorURL"] = page
    return found


def _camel(kind: str) -> str:
    return "".join(word.capitalize() for word in kind.split("_"))


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
