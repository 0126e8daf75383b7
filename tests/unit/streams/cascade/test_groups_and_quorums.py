"""Incidents of consumer groups and of consensus groups."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.streams.cascade.domain_script import Domain, lag, summary

from snowshed.schemas.records import Decision, Incident, IncidentKind, Lag, LagStatus, Notice
from snowshed.streams.cascade.explain import explain


def _group(at: float, condition: str, status: LagStatus = LagStatus.FRESH) -> Lag:
    return replace(lag(at, "billing", status), condition=condition, note="120 records behind on 3 partitions")


def _quorum(at: float, condition: str, tolerates: float, status: LagStatus = LagStatus.FRESH) -> Lag:
    server = replace(lag(at, "quorum", status, high=0.0), dataset="zk", tolerates=tolerates)
    return replace(server, condition=condition, note="leader z1, 2 of 3 in sync; silent: z3")


@pytest.mark.parametrize("condition", ["stop", "stall", "rewind", "warn"])
def test_a_group_in_trouble_opens_an_incident_that_ends_when_it_keeps_up(condition: str) -> None:
    domain = Domain()
    domain.step(0, _group(0, "ok"))
    assert domain.said == []
    domain.step(5, _group(5, condition))
    domain.step(20, _group(20, "ok"))
    assert summary(domain.all(Incident)) == [(5, "orders/billing", "open"), (20, "orders/billing", "closed")]
    [opened, closed] = [incident for _, incident in domain.all(Incident)]
    assert opened.kind is IncidentKind.CONSUMER_GROUP
    assert "120 records behind on 3 partitions" in opened.summary
    assert "keeps up again" in closed.summary
    assert "commits again" in explain(opened)
    assert domain.all(Decision) == []


def test_a_group_of_which_nothing_is_heard_ends_quietly_as_a_stopped_one() -> None:
    domain = Domain()
    domain.step(0, _group(0, "stop"))
    domain.step(5, _group(5, "unknown", LagStatus.UNKNOWN))
    kinds = {(incident.kind, incident.status.value) for _, incident in domain.all(Incident)}
    assert (IncidentKind.CONSUMER_GROUP, "closed") in kinds
    assert (IncidentKind.REPLICA_LAG, "open") in kinds


@pytest.mark.parametrize(("condition", "tolerates"), [("critical", 0.0), ("lost", -1.0), ("split", 1.0)])
def test_a_quorum_that_bears_no_failure_opens_an_incident(condition: str, tolerates: float) -> None:
    domain = Domain()
    domain.step(0, _quorum(0, "healthy", 1.0))
    domain.step(1, _quorum(1, "degraded", 1.0))
    assert domain.said == []
    domain.step(5, _quorum(5, condition, tolerates))
    domain.step(20, _quorum(20, "healthy", 1.0))
    assert summary(domain.all(Incident)) == [(5, "zk", "open"), (20, "zk", "closed")]
    opened = domain.all(Incident)[0][1]
    assert opened.kind is IncidentKind.QUORUM
    assert (opened.evidence[0].value, opened.evidence[0].threshold) == (tolerates, 1.0)
    assert "silent: z3" in opened.summary
    assert [notice.severity for _, notice in domain.all(Notice)] == [
        "critical" if condition == "lost" else "warning",
        "info",
    ]


def test_a_quorum_of_which_too_few_answer_is_told_with_less_certainty_and_only_once() -> None:
    domain = Domain()
    domain.step(0, _quorum(0, "unknown", -2.0, LagStatus.UNKNOWN))
    [(_, incident)] = domain.all(Incident)
    assert (incident.kind, incident.subject, incident.confidence) == (IncidentKind.QUORUM, "zk", 0.6)
