"""What is known of the fleet and of actions, as the followed topics tell it; safe to use from several threads."""

from __future__ import annotations

import re
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from snowshed.schemas.records import (
    ActionOrder,
    ActionState,
    Decision,
    DecisionKind,
    Incident,
    IncidentKind,
    IncidentStatus,
    Liveness,
    NodeHealth,
    Record,
    ServiceHealth,
    ServiceStatus,
)

__all__ = ["Situation"]

_SILENCE = 60.0
"""Seconds without a word on a domain; live nodes and called services are told of every five."""
_EDGE = re.compile(r"(.+)>(.+)")
_REPLICA = re.compile(r"(.+)/(.+)")


class Situation:
    """The newest record of everything that a runbook may depend on."""

    def __init__(self) -> None:
        self.incidents: dict[str, Incident] = {}
        """Open ones only."""
        self.actions: dict[str, ActionState] = {}
        self.orders: dict[str, ActionOrder] = {}
        """The newest word of people on each action, as long as nobody has acted on it."""
        self._levels: dict[str, Decision] = {}
        self._newest_decision: dict[str, str] = {}
        self._verdicts: dict[str, ServiceStatus] = {}
        self._nodes: dict[str, NodeHealth] = {}
        self._heard: dict[str, float] = {}
        self._lock = threading.RLock()

    @contextmanager
    def still(self) -> Generator[Situation]:
        """While this lasts nothing changes."""
        with self._lock:
            yield self

    @contextmanager
    def trial(self) -> Generator[Situation]:
        """While this lasts nothing changes, and what is applied inside is undone at its end."""
        with self._lock:
            held = dict(self.actions)
            try:
                yield self
            finally:
                self.actions = held

    def take(self, record: Record | None) -> None:
        """Take a record of a followed topic."""
        with self._lock:
            match record:
                case Incident():
                    self._hear(record.domain, record.updated_at)
                    self._incident(record)
                case Decision():
                    self._hear(record.domain, record.issued_at)
                    self._decision(record)
                case ServiceHealth():
                    self._hear(record.domain, record.observed_at)
                    self._verdicts[record.service] = record.status
                case NodeHealth():
                    self._hear(record.domain, record.observed_at)
                    self._nodes[record.node] = record
                case ActionState():
                    self.apply(record)
                case ActionOrder():
                    self.orders[record.action_id] = record
                case _:
                    return

    def apply(self, state: ActionState) -> None:
        """Take a state of an action, unless a newer one is known."""
        with self._lock:
            held = self.actions.get(state.action_id)
            if held is None or state.seq > held.seq:
                self.actions[state.action_id] = state

    def verdict(self, service: str) -> ServiceStatus | None:
        """What level 2 holds of a service."""
        return self._verdicts.get(service)

    def level(self, service: str, now: float) -> int:
        """The degrade level in force for a service."""
        decision = self._levels.get(service)
        if decision is None or not decision.active or now > decision.issued_at + decision.ttl:
            return 0
        return decision.degrade_level or 0

    def newest_decision(self, incident_id: str) -> str:
        """The newest decision about an incident, empty where there is none."""
        return self._newest_decision.get(incident_id, "")

    def blind(self, domain: str, now: float) -> bool:
        """Whether the detector says that it does not see a domain, or says nothing of it at all."""
        told = any(one.kind is IncidentKind.DETECTOR and one.domain == domain for one in self.incidents.values())
        return told or now > self._heard.get(domain, now) + _SILENCE

    def nodes(self, service: str) -> Mapping[str, NodeHealth]:
        """The nodes of a service that have not left."""
        return {
            name: health
            for name, health in self._nodes.items()
            if health.service == service and health.status is not Liveness.LEFT
        }

    def values(self, incident: Incident) -> dict[str, str]:
        """What an incident tells, by the names that runbooks use."""
        subject = incident.subject
        found = {"subject": subject, "domain": incident.domain, "incident": incident.incident_id, "service": subject}
        if (node := self._nodes.get(subject)) is not None:
            found |= {"node": subject, "service": node.service}
        elif incident.kind is IncidentKind.NODE_FAILED:
            found["node"] = subject
        elif edge := _EDGE.fullmatch(subject):
            found |= {"caller": edge[1], "service": edge[2]}
        elif replica := _REPLICA.fullmatch(subject):
            found |= {"dataset": replica[1], "replica": replica[2], "service": replica[1]}
        return found

    def _hear(self, domain: str, at: float) -> None:
        self._heard[domain] = max(at, self._heard.get(domain, at))

    def _incident(self, incident: Incident) -> None:
        if incident.status is IncidentStatus.OPEN:
            self.incidents[incident.incident_id] = incident
        else:
            self.incidents.pop(incident.incident_id, None)
            self._newest_decision.pop(incident.incident_id, None)

    def _decision(self, decision: Decision) -> None:
        if decision.kind is DecisionKind.DEGRADE:
            self._levels[decision.scope] = decision
        if decision.active and decision.incident_id:
            self._newest_decision[decision.incident_id] = decision.decision_id
