"""Hears what the worker finds and decides, and says it in the sentences of `snowshed explain`."""

from __future__ import annotations

from collections.abc import Callable

from snowshed.consumers import Delivery
from snowshed.schemas.records import Decision, Incident, IncidentStatus
from snowshed.streams.cascade.explain import explain
from snowshed.streams.lab.played import Note

__all__ = ["Ear"]

_DECIDED = "  decided   "


class Ear:
    """Turns incidents and decisions into notes: when they begin, when a level or budget changes, and when they end.

    A rate moves every second, so of one only its beginning and its end are told.

    Args:
        note: is given the notes; called in the thread that hears.
        start: when the run began, in seconds since the epoch.
    """

    def __init__(self, note: Callable[[Note], object], start: float) -> None:
        self._note = note
        self._start = start
        self._incidents: dict[str, Incident] = {}
        self._early: list[Decision] = []
        """Decisions that arrived before the incident they are about: topics keep no order between each other."""
        self._said: dict[str, object] = {}

    def hear(self, delivery: Delivery) -> None:
        """Take a record in."""
        record = delivery.record
        if isinstance(record, Incident):
            self._incident(record)
        elif isinstance(record, Decision):
            self._early.append(record)
        early, self._early = self._early, []
        for decision in early:
            self._decision(decision)

    def _incident(self, incident: Incident) -> None:
        self._incidents[incident.incident_id] = incident
        self._say(incident.incident_id, incident.status, incident.updated_at, incident.summary)

    def _decision(self, decision: Decision) -> None:
        incident = self._incidents.get(decision.incident_id)
        if incident is None:
            self._early.append(decision)
            return
        state = (decision.active, decision.retry_budget, decision.degrade_level)
        lines = explain(incident, (decision,)).splitlines()
        text = next((line.removeprefix(_DECIDED) for line in lines if line.startswith(_DECIDED)), decision.reason)
        self._say(f"{decision.scope}|{decision.kind.value}", state, decision.issued_at, text)

    def _say(self, key: str, state: object, at: float, text: str) -> None:
        if self._said.get(key) == state:
            return
        is_news = key in self._said or state is not IncidentStatus.CLOSED
        self._said[key] = state
        if is_news:
            self._note(Note(at - self._start, text, decided=True))
