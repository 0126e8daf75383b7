"""What is known of incidents and of deliveries, as the followed topics tell it; safe to use from several threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from snowshed.schemas.records import (
    Decision,
    DeliveryStatus,
    Incident,
    IncidentStatus,
    Notice,
    NoticeDelivery,
    Record,
)

__all__ = ["Memory"]


class Memory:
    """The newest record of each incident, decision and delivery."""

    def __init__(self) -> None:
        self._incidents: dict[str, Incident] = {}
        self._decisions: dict[str, dict[str, Decision]] = {}
        self._ended: dict[str, set[tuple[str, str]]] = {}
        self._channels: dict[str, set[str]] = {}
        self._severities: dict[str, str] = {}
        self._lock = threading.Lock()

    def take(self, record: Record | None) -> None:
        """Take a record of a followed topic."""
        with self._lock:
            match record:
                case Incident():
                    self._incidents[record.incident_id] = record
                case Decision():
                    about = self._decisions.setdefault(record.incident_id, {})
                    about[f"{record.scope}|{record.kind.value}"] = record
                case NoticeDelivery():
                    self._note(record)
                case _:
                    return

    def remember(self, notice: Notice) -> str:
        """The severity of a notice's incident: that of its first notice, which this one may be."""
        with self._lock:
            return self._severities.setdefault(notice.incident_id, notice.severity)

    def incident(self, incident_id: str) -> Incident | None:
        """The newest record of an incident."""
        with self._lock:
            return self._incidents.get(incident_id)

    def decisions(self, incident_id: str) -> tuple[Decision, ...]:
        """The newest decision of each actuator about an incident."""
        with self._lock:
            return tuple(self._decisions.get(incident_id, {}).values())

    def ended(self, incident_id: str, notice_id: str, channel: str) -> bool:
        """Whether the delivery of an incident's notice on a channel has ended."""
        with self._lock:
            return (notice_id, channel) in self._ended.get(incident_id, ())

    def matters(self, incident_id: str) -> bool:
        """Whether an incident is open, or somebody was told of it and may wait for its end."""
        with self._lock:
            held = self._incidents.get(incident_id)
            still_open = held is not None and held.status is IncidentStatus.OPEN
            return still_open or bool(self._channels.get(incident_id))

    def open_on(self, channel: str) -> Iterator[tuple[Incident, str]]:
        """The open incidents that were told on a channel, with their severities."""
        with self._lock:
            told = [
                (incident, self._severities.get(incident.incident_id, "warning"))
                for incident in self._incidents.values()
                if incident.status is IncidentStatus.OPEN and channel in self._channels.get(incident.incident_id, ())
            ]
        return iter(told)

    def forget_before(self, at: float) -> None:
        """Drop the incidents that were closed before, and all that hangs on them."""
        with self._lock:
            old = {name for name, one in self._incidents.items() if one.closed_at is not None and one.closed_at < at}
            for table in (self._incidents, self._decisions, self._channels, self._severities, self._ended):
                for name in old & table.keys():
                    del table[name]

    def _note(self, record: NoticeDelivery) -> None:
        self._ended.setdefault(record.incident_id, set()).add((record.notice_id, record.channel))
        if not record.notice_id.startswith(record.incident_id):
            return  # of an action, which has a severity of its own
        self._severities.setdefault(record.incident_id, record.severity)
        if record.status is DeliveryStatus.SENT:
            self._channels.setdefault(record.incident_id, set()).add(record.channel)
