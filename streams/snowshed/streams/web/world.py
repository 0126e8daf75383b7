"""The current state of the fleet, kept from the compacted topics; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, TypeVar

from snowshed.consumers import Delivery
from snowshed.schemas.records import (
    ConsistencyMode,
    Decision,
    EdgeHealth,
    EdgeStatus,
    Incident,
    IncidentStatus,
    Lag,
    Liveness,
    NodeHealth,
    Record,
    ServiceHealth,
    StatementHealth,
)

__all__ = ["CLOSED_INCIDENTS", "FORGOTTEN_AFTER", "SECTIONS", "STALE_AFTER", "View", "World"]

STALE_AFTER = 15.0
"""Seconds without a new observation after which one is marked stale: three refreshes of the slowest detector."""
FORGOTTEN_AFTER = 3600.0
"""Seconds after which what nobody observes any more is left out."""
CLOSED_INCIDENTS = 50
"""Closed incidents that are kept, newest first."""

Fact = NodeHealth | EdgeHealth | ServiceHealth | StatementHealth | Lag | Incident | Decision
F = TypeVar("F", NodeHealth, EdgeHealth, ServiceHealth, StatementHealth, Lag, Incident, Decision)

SECTIONS: Mapping[type[Fact], str] = MappingProxyType(
    {
        NodeHealth: "nodes",
        EdgeHealth: "edges",
        ServiceHealth: "services",
        StatementHealth: "statements",
        Lag: "lag",
        Incident: "incidents",
        Decision: "decisions",
    }
)
"""Where each kind of record stands in a snapshot."""


@dataclass(frozen=True, slots=True)
class View:
    """The world at one revision, safe to hand to another thread."""

    revisions: Mapping[str, int]
    """By section, the revision of the world that last changed it."""
    facts: tuple[Fact, ...]

    def of(self, kind: type[F]) -> list[F]:
        """All records of one kind, in no particular order."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def incident(self, incident_id: str) -> Incident | None:
        """The incident with this id, if it is known."""
        return next((incident for incident in self.of(Incident) if incident.incident_id == incident_id), None)

    def decisions_of(self, incident: Incident) -> list[Decision]:
        """The decisions that were taken because of an incident, in the order they were issued."""
        named = set(incident.decisions)
        taken = [
            decision
            for decision in self.of(Decision)
            if decision.incident_id == incident.incident_id or decision.decision_id in named
        ]
        return sorted(taken, key=lambda decision: (decision.issued_at, decision.scope, decision.kind.value))

    def snapshot(self, now: float) -> dict[str, Any]:
        """Everything a page shows, as a table that orjson can write: rows by section, and the detector's own state."""
        return {
            "now": now,
            "stale_after": STALE_AFTER,
            "detector": _detector(self, now),
            "nodes": [
                _observed(node, now) for node in sorted(self.of(NodeHealth), key=_node_order) if _lives(node, now)
            ],
            "edges": [
                _observed(edge, now) for edge in sorted(self.of(EdgeHealth), key=_edge_order) if _lives(edge, now)
            ],
            "services": [
                _observed(one, now) for one in sorted(self.of(ServiceHealth), key=_service_order) if _lives(one, now)
            ],
            "statements": [
                _row(one) for one in sorted(self.of(StatementHealth), key=_database_order) if _lives(one, now)
            ],
            "lag": [_observed(lag, now) for lag in sorted(self.of(Lag), key=_lag_order) if _lives(lag, now)],
            "incidents": [_row(incident) for incident in sorted(self.of(Incident), key=_incident_order)],
            "decisions": [
                _row(decision) | {"remaining": max(0.0, decision.issued_at + decision.ttl - now)}
                for decision in sorted(self.of(Decision), key=_decision_order)
                if _in_force(decision, now)
            ],
        }


class World:
    """The newest record of every key of the topics health, lag, incidents and decisions.

    Not thread-safe: one thread applies, and whoever hands views to another guards both calls with a lock.
    """

    def __init__(self) -> None:
        self.revision = 0
        """Grows with every change."""
        self._topics: defaultdict[str, dict[str, Fact]] = defaultdict(dict)
        self._revisions = dict.fromkeys(SECTIONS.values(), 0)

    def apply(self, delivery: Delivery) -> bool:
        """Takes one message in; returns whether it changed anything.

        A record older than the one held is ignored: a key that moved to another partition may be read out of order.
        """
        facts, record = self._topics[delivery.topic], delivery.record
        if record is None:
            return self._drop(facts, delivery.key)
        held = facts.get(delivery.key)
        if not isinstance(record, Fact) or record == held or _older(record, held):
            return False
        facts[delivery.key] = record
        self._touch(record)
        if held is not None:
            self._touch(held)
        if _is_closed(record):
            self._drop_oldest_closed(facts)
        return True

    def view(self) -> View:
        """The world as it stands, as a frozen value."""
        return View(
            MappingProxyType(dict(self._revisions)),
            tuple(fact for facts in self._topics.values() for fact in facts.values()),
        )

    def _drop(self, facts: dict[str, Fact], key: str) -> bool:
        held = facts.pop(key, None)
        if held is not None:
            self._touch(held)
        return held is not None

    def _touch(self, fact: Fact) -> None:
        self.revision += 1
        self._revisions[SECTIONS[type(fact)]] = self.revision

    def _drop_oldest_closed(self, facts: dict[str, Fact]) -> None:
        closed = {key: fact for key, fact in facts.items() if isinstance(fact, Incident) and _is_closed(fact)}
        for key in sorted(closed, key=lambda key: _incident_order(closed[key]))[CLOSED_INCIDENTS:]:
            self._drop(facts, key)


def _older(record: Fact, held: Fact | None) -> bool:
    if held is None or type(record) is not type(held):
        return False
    if isinstance(record, Decision) and isinstance(held, Decision):
        return (record.epoch, record.seq) <= (held.epoch, held.seq)
    return _stands_at(record) < _stands_at(held)


def _stands_at(fact: Fact) -> float:
    if isinstance(fact, Incident):
        return fact.updated_at
    return fact.issued_at if isinstance(fact, Decision) else fact.observed_at


def _is_closed(record: Record) -> bool:
    return isinstance(record, Incident) and record.status is IncidentStatus.CLOSED


def _lives(fact: NodeHealth | EdgeHealth | ServiceHealth | StatementHealth | Lag, now: float) -> bool:
    return now - fact.observed_at <= FORGOTTEN_AFTER


def _in_force(decision: Decision, now: float) -> bool:
    if not decision.active:
        return bool(decision.order_id)  # an operator's, which holds until it is released or comes to its end
    if decision.consistency is not None and decision.consistency.mode is ConsistencyMode.FENCE:
        return True
    # After its ttl a decision relaxes over one more, so it still acts until then.
    return now < decision.issued_at + 2 * decision.ttl


def _detector(view: View, now: float) -> dict[str, float | None]:
    measured: list[NodeHealth | Lag] = [*view.of(NodeHealth), *view.of(Lag)]
    fresh = [fact.detector_lag for fact in measured if now - fact.observed_at <= STALE_AFTER]
    seen = [fact.observed_at for fact in measured] + [edge.observed_at for edge in view.of(EdgeHealth)]
    return {"lag": max(fresh, default=None), "observed_at": max(seen, default=None)}


_SILENT_BY_NATURE = (Liveness.DEAD, Liveness.LEFT, EdgeStatus.SILENT)


def _observed(fact: NodeHealth | EdgeHealth | ServiceHealth | Lag, now: float) -> dict[str, Any]:
    age = max(0.0, now - fact.observed_at)
    return _row(fact) | {"age": age, "stale": age > STALE_AFTER and fact.status not in _SILENT_BY_NATURE}


def _row(fact: Fact) -> dict[str, Any]:
    return {field.name: getattr(fact, field.name) for field in fields(fact)}


def _node_order(node: NodeHealth) -> tuple[str, ...]:
    return node.domain, node.service, node.node


def _edge_order(edge: EdgeHealth) -> tuple[str, ...]:
    return edge.domain, edge.caller, edge.callee


def _service_order(service: ServiceHealth) -> tuple[str, ...]:
    return service.domain, service.service


def _database_order(statements: StatementHealth) -> tuple[str, ...]:
    return statements.domain, statements.callee


def _lag_order(lag: Lag) -> tuple[str, ...]:
    return lag.domain, lag.dataset, lag.replica


def _incident_order(incident: Incident) -> tuple[bool, float, str]:
    ended = incident.updated_at if incident.closed_at is None else incident.closed_at
    return _is_closed(incident), -(ended if _is_closed(incident) else incident.opened_at), incident.incident_id


def _decision_order(decision: Decision) -> tuple[str, ...]:
    return decision.domain, decision.scope, decision.kind.value
