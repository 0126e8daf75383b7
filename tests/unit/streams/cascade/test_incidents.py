"""Failed nodes and late replicas: who is convicted when, and where readers are sent."""

from __future__ import annotations

from math import nan

import pytest
from tests.unit.streams.cascade.domain_script import START, Domain, edges, lag, node, summary

from snowshed.schemas.records import (
    ConsistencyMode,
    Decision,
    DecisionKind,
    Incident,
    IncidentKind,
    LagStatus,
    Liveness,
    Notice,
    ScopeKind,
)
from snowshed.streams.cascade.rules.node_failed import patience
from snowshed.streams.policy import HealthPolicy


def test_a_dead_node_opens_one_incident_and_its_return_closes_it() -> None:
    domain = Domain()
    domain.step(0, node(0, Liveness.ALIVE))
    domain.step(5, node(5, Liveness.SUSPECT))
    assert domain.said == []
    domain.step(7, node(7, Liveness.DEAD))
    domain.step(8)
    domain.step(20, node(20, Liveness.ALIVE))
    assert summary(domain.all(Incident)) == [(7, "n1", "open"), (20, "n1", "closed")]
    assert [(at, notice.severity) for at, notice in domain.all(Notice)] == [(7, "warning"), (20, "info")]
    opened, closed = (incident for _, incident in domain.all(Incident))
    assert opened.incident_id == closed.incident_id
    assert (closed.opened_at, closed.closed_at) == (START + 7, START + 20)
    assert (opened.evidence[0].topic, opened.evidence[0].partition, opened.evidence[0].offset) == ("observations", 1, 2)
    assert [emission.key for _, emission in domain.said] == [opened.incident_id] * 4


def test_a_node_that_leaves_opens_nothing_and_closes_quietly() -> None:
    domain = Domain()
    domain.step(0, node(0, Liveness.LEFT))
    assert domain.said == []
    domain.step(1, node(1, Liveness.DEAD))
    domain.step(2, node(2, Liveness.LEFT))
    assert summary(domain.all(Incident))[-1] == (2, "n1", "closed")
    assert len(domain.all(Notice)) == 1


def test_the_patience_with_a_suspect_shrinks_with_each_confirmation() -> None:
    policy = HealthPolicy()
    assert [round(patience(count, 0.5, policy), 2) for count in range(4)] == [2.0, 1.37, 1.0, 1.0]
    assert patience(2, 1.0, policy) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("callers", "convicted"), [((), None), (("a",), 1.4), (("a", "b"), 1.0), (("a", "b", "c"), 1.0)]
)
def test_callers_that_cannot_reach_a_suspect_convict_it_early(
    callers: tuple[str, ...], convicted: float | None
) -> None:
    domain = Domain()
    domain.step(0, node(0, Liveness.SUSPECT))
    for tick in range(1, 20):
        at = tick / 10
        rows = [{"caller": caller, "timeout": 12.0, "ok": 88.0} for caller in callers]
        domain.step(at, *([edges(at, *rows)] if rows and tick % 5 == 0 else []))
    opened = [at for at, incident in domain.all(Incident) if incident.kind is IncidentKind.NODE_FAILED]
    assert (opened[0] if opened else None) == convicted


def test_callers_that_fail_as_often_as_usual_confirm_nothing() -> None:
    domain = Domain()
    domain.step(0, node(0, Liveness.SUSPECT))
    for tick in range(1, 20):
        row = {"timeout": 3.0, "ok": 97.0, "base_ok_ratio": 0.98}
        domain.step(tick / 10, edges(tick / 10, row, {**row, "caller": "b"}))
    assert domain.all(Incident) == []


def test_a_late_replica_is_avoided_and_the_freshest_preferred_before_the_source() -> None:
    domain = Domain()
    domain.step(
        0,
        lag(0, "main", LagStatus.FRESH, 0.0, 0.0),
        lag(0, "r1", LagStatus.FRESH),
        lag(0, "r2", LagStatus.FRESH, 0.0, 0.3),
        lag(0, "r3", LagStatus.FRESH, 0.0, 0.5),
    )
    domain.step(10, lag(10, "r1", LagStatus.BEHIND, 2.1, 2.6))
    ((_, decision),) = domain.all(Decision)
    assert decision.consistency is not None
    assert (decision.scope, decision.scope_kind, decision.kind) == (
        "orders",
        ScopeKind.DATASET,
        DecisionKind.CONSISTENCY,
    )
    assert decision.consistency.mode is ConsistencyMode.PREFER
    assert (decision.consistency.avoid, decision.consistency.prefer) == (("r1",), ("r2", "r3", "main"))
    (_, incident), *_ = domain.all(Incident)
    assert (incident.subject, incident.decisions) == ("orders/r1", (decision.decision_id,))
    assert decision.incident_id == incident.incident_id
    assert "at least 2.1 s" in incident.summary
    domain.step(12, lag(12, "r1", LagStatus.FRESH))
    assert [(at, item.active, item.seq) for at, item in domain.all(Decision)] == [(10, True, 1), (12, False, 2)]
    assert summary(domain.all(Incident))[-1] == (12, "orders/r1", "closed")


def test_an_unknown_replica_is_avoided_and_a_silent_source_is_only_reported() -> None:
    domain = Domain()
    domain.step(0, lag(0, "main", LagStatus.UNKNOWN, 0.0, 0.0))
    assert [incident.subject for _, incident in domain.all(Incident)] == ["orders/main"]
    assert domain.all(Decision) == []
    domain.step(1, lag(1, "r1", LagStatus.UNKNOWN, 0.0, nan))
    ((_, decision),) = domain.all(Decision)
    assert decision.consistency is not None
    assert (decision.consistency.avoid, decision.consistency.prefer) == (("r1",), ())


def test_a_growing_lag_updates_its_incident_once_a_second_and_keeps_the_first_evidence() -> None:
    domain = Domain()
    for tick in range(31):
        at = tick / 10
        domain.step(at, lag(at, "r1", LagStatus.BEHIND, 2.0 + at, 2.6 + at))
    updates = [(at, incident) for at, incident in domain.all(Incident)]
    assert [round(at, 1) for at, _ in updates] == [0.0, 1.0, 2.0, 3.0]
    assert [item.value for item in updates[-1][1].evidence] == pytest.approx([2.0, 2.6, 5.0, 5.6])
    assert len(domain.all(Decision)) == 1
    assert len(domain.all(Notice)) == 1


def test_a_decision_is_renewed_at_half_of_its_life_and_numbered_on() -> None:
    domain = Domain()
    domain.step(0, lag(0, "r1", LagStatus.BEHIND, 3.0, 4.0))
    for tick in range(1, 120):
        domain.step(tick / 10)
    domain.step(12, lag(12, "r1", LagStatus.FRESH))
    domain.step(30, lag(30, "r1", LagStatus.BEHIND, 3.0, 4.0))
    said = [(at, decision.seq, decision.active, decision.epoch) for at, decision in domain.all(Decision)]
    assert said == [(0, 1, True, 1), (5, 2, True, 1), (10, 3, True, 1), (12, 4, False, 1), (30, 5, True, 1)]
    assert len({decision.decision_id for _, decision in domain.all(Decision)}) == 5
