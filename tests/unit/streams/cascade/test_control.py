"""Retries and overload: what is cut first, how far, and how it is given back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from math import nan

import pytest
from tests.unit.streams.cascade.domain_script import LATE, QUEUEING, RETRYING, Domain, edges, lag, summary

from snowshed.schemas.records import (
    Decision,
    DecisionKind,
    DecisionMode,
    Incident,
    IncidentKind,
    IncidentStatus,
    LagStatus,
)
from snowshed.streams.cascade import explain
from snowshed.streams.policy import DatasetPolicy, DecisionPolicy, Policy, ServicePolicy

SURGING: Mapping[str, object] = {"first": 160.0, "attempts": 160.0, "ok": 100.0, "timeout": 60.0}
"""More is asked than has ever been borne."""


def test_two_amplified_windows_cut_the_retry_budget_and_clean_ones_give_it_back() -> None:
    domain = Domain()
    domain.step(0, edges(0))
    domain.step(1, edges(1, RETRYING))
    assert domain.said == []
    domain.step(2, edges(2, RETRYING))
    (at, decision), *_ = domain.decisions(DecisionKind.RETRY)
    assert (at, decision.scope, decision.retry_budget, decision.attempt_cap) == (2, "api", 0.05, 3)
    opened = {incident.kind for _, incident in domain.all(Incident)}
    assert IncidentKind.RETRY_AMPLIFICATION in opened
    for tick in range(3, 60):
        domain.step(tick, edges(tick))
    closed = [at for at, incident in domain.all(Incident) if incident.kind is IncidentKind.RETRY_AMPLIFICATION][-1]
    assert closed == 7
    last = domain.decisions(DecisionKind.RETRY)[-1][1]
    assert not last.active


def test_urgent_windows_of_a_quarter_second_are_enough() -> None:
    domain = Domain()
    quick = {name: value / 4 if isinstance(value, float) else value for name, value in RETRYING.items()}
    for tick in range(1, 4):
        domain.step(tick / 4, edges(tick / 4, {**quick, "span": 0.25, "first": 25.0}))
    assert next(at for at, _ in domain.decisions(DecisionKind.RETRY)) == 0.5


@pytest.mark.parametrize(
    "row",
    [
        {"attempts": 140.0},
        {"first": 5.0, "attempts": 9.0, "ok": 9.0},
        {"first": 200.0, "attempts": 320.0, "ok": 320.0},
    ],
    ids=["too little", "too thin", "demand has doubled"],
)
def test_no_amplification_is_seen(row: Mapping[str, object]) -> None:
    domain = Domain()
    for tick in range(1, 4):
        domain.step(tick, edges(tick, row))
    assert IncidentKind.RETRY_AMPLIFICATION not in {incident.kind for _, incident in domain.all(Incident)}


def test_windows_of_retries_alone_are_judged_over_five_seconds() -> None:
    domain = Domain()
    domain.step(0, edges(0, {"first": 40.0, "attempts": 40.0, "ok": 40.0}))
    domain.step(1, edges(1, {"first": 0.0, "attempts": 40.0, "ok": 40.0}))
    domain.step(2, edges(2, {"first": 0.0, "attempts": 40.0, "ok": 40.0}))
    assert [at for at, _ in domain.decisions(DecisionKind.RETRY)] == [2]


def test_while_calls_still_fail_the_retry_budget_stays_cut() -> None:
    domain = Domain()
    domain.step(1, edges(1, RETRYING))
    domain.step(2, edges(2, RETRYING))
    for tick in range(3, 30):
        domain.step(tick, edges(tick, {"attempts": 105.0, "ok": 5.0, "timeout": 100.0}))
    assert all(decision.active for _, decision in domain.decisions(DecisionKind.RETRY))


def overload(domain: Domain, start: int, end: int, row: Mapping[str, object]) -> None:
    for tick in range(start, end):
        domain.step(tick, edges(tick, row))


def test_overload_cuts_retries_first_and_the_rate_after_them() -> None:
    domain = Domain()
    overload(domain, 0, 12, {**QUEUEING, **SURGING})
    first = {kind: decisions[0][0] for kind in DecisionKind if (decisions := domain.decisions(kind))}
    assert first == {DecisionKind.RETRY: 1, DecisionKind.DEGRADE: 1, DecisionKind.RATE: 3}
    levels = [decision.degrade_level for _, decision in domain.decisions(DecisionKind.DEGRADE)]
    assert sorted(set(levels), key=levels.index) == [1, 2]
    rates = [decision for _, decision in domain.decisions(DecisionKind.RATE)]
    multipliers = [rate.rate_multiplier or 0.0 for rate in rates]
    assert multipliers[:4] == pytest.approx([0.5, 0.25, 0.125, 0.0625])
    assert min(multipliers) == 0.05
    assert rates[0].absolute_cap == pytest.approx(50.0)
    assert rates[0].per_instance_fallback == pytest.approx(25.0)


def test_the_rate_follows_the_square_root_of_the_excess() -> None:
    domain = Domain()
    overload(domain, 0, 5, {**SURGING, "queue_delay_mean": 0.03})
    rates = [decision.rate_multiplier for _, decision in domain.decisions(DecisionKind.RATE)]
    assert rates == pytest.approx([(0.02 / 0.03) ** 0.5, 0.02 / 0.03], rel=1e-6)


def test_recovery_raises_the_rate_step_by_step_and_falls_one_level_at_a_time() -> None:
    domain = Domain()
    overload(domain, 0, 6, {**QUEUEING, **SURGING})
    overload(domain, 6, 120, {})
    rates = [decision.rate_multiplier or 0.0 for _, decision in domain.decisions(DecisionKind.RATE)]
    rising = rates[rates.index(min(rates)) :]
    assert rising == sorted(rising)
    assert all(b <= a * 1.25 + 1e-12 for a, b in pairwise(rising))
    degrade = [(at, item.degrade_level, item.active) for at, item in domain.decisions(DecisionKind.DEGRADE)]
    level_one_again = next(at for at, level, _ in degrade if at > 5 and level == 1)
    assert level_one_again == 26
    assert not domain.decisions(DecisionKind.RATE)[-1][1].active
    assert not domain.decisions(DecisionKind.DEGRADE)[-1][1].active
    assert summary(domain.all(Incident))[-1][1:] == ("api", "closed")
    assert not any(key.startswith(("throttle/", "incident/")) for key in domain.state)


def test_signals_between_bad_and_clear_neither_cut_nor_restore() -> None:
    domain = Domain()
    overload(domain, 0, 5, {**SURGING, "queue_delay_mean": 0.03})
    before = domain.decisions(DecisionKind.RATE)[-1][1].rate_multiplier
    overload(domain, 5, 60, {"queue_delay_mean": 0.015})
    assert {decision.rate_multiplier for at, decision in domain.decisions(DecisionKind.RATE) if at > 5} == {before}
    assert all(decision.active for _, decision in domain.decisions(DecisionKind.RATE))


@pytest.mark.parametrize(
    "row",
    [
        {"ok": 60.0, "error_downstream": 40.0},
        {**LATE, "p90": 0.07},
        {**LATE, "queue_delay_mean": 0.021},
        {"span": 0.25, "first": 60.0, "attempts": 60.0, "rejected": 45.0, "ok": 0.0},
    ],
    ids=["errors", "latency", "queue delay", "errors in short windows between refusals"],
)
def test_each_signal_alone_is_overload(row: Mapping[str, object]) -> None:
    domain = Domain()
    overload(domain, 0, 3, row)
    assert next(incident.kind for _, incident in domain.all(Incident)) is IncidentKind.OVERLOAD


@pytest.mark.parametrize(
    "row",
    [
        {"rejected": 60.0, "ok": 40.0},
        {"ok": 75.0, "error_downstream": 25.0},
        {"p90": 0.05},
        {"first": 4.0, "attempts": 4.0, "ok": 0.0},
        {"ok": 10.0, "p90": 9.0, "base_ok_ratio": nan, "base_p90": nan},
    ],
    ids=["refused by our own brake", "some errors", "slower", "thin", "nothing learned yet"],
)
def test_no_overload_is_seen(row: Mapping[str, object]) -> None:
    domain = Domain()
    overload(domain, 0, 4, row)
    assert domain.said == []


def test_one_of_many_callers_complaining_does_not_accuse_the_callee() -> None:
    domain = Domain()
    for tick in range(5):
        domain.step(tick, edges(tick, {"p90": 0.5}, {"caller": "b"}, {"caller": "c"}))
    assert domain.said == []


def test_a_protected_service_keeps_its_inflow() -> None:
    domain = Domain(Policy(services={"api": ServicePolicy(protected=True)}))
    overload(domain, 0, 12, QUEUEING)
    assert {decision.kind for _, decision in domain.all(Decision)} == {DecisionKind.RETRY}


def test_a_protected_dataset_is_reported_but_not_steered() -> None:
    domain = Domain(Policy(datasets={"orders": DatasetPolicy(protected=True)}))
    domain.step(0, lag(0, "r1", LagStatus.BEHIND, 3.0, 4.0))
    assert len(domain.all(Incident)) == 1
    assert domain.all(Decision) == []


def test_a_victim_that_waits_for_another_overloaded_service_keeps_its_inflow() -> None:
    domain = Domain()
    slow: dict[str, object] = {**LATE, "p90": 0.5}
    for tick in range(12):
        domain.step(tick, edges(tick, slow, {"caller": "api", "callee": "db", **QUEUEING, **SURGING, "p90": 0.5}))
    cut = {decision.scope for _, decision in domain.decisions(DecisionKind.BREAKER)}
    assert cut == {"db"}
    assert not domain.decisions(DecisionKind.RATE), "while the breaker moves the rate is left alone"
    victim = [incident for _, incident in domain.all(Incident) if incident.subject == "api"][-1]
    assert [cause.name for cause in victim.causes] == ["db"]
    assert "waits for db" in victim.summary


def test_a_late_detector_tightens_nothing_and_lets_decisions_run_out() -> None:
    domain = Domain()
    domain.step(0, lag(0, "r1", LagStatus.BEHIND, 3.0, 4.0))
    for tick in range(1, 20):
        said = domain.step(tick, edges(tick, RETRYING), detector_lag=3.1)
        assert {one.record.kind for one in said if isinstance(one.record, Incident)} <= {IncidentKind.DETECTOR}
        assert not any(isinstance(one.record, Decision) for one in said)
    assert domain.step(20, detector_lag=3.0) != ()


def test_edges_seen_by_a_late_detector_are_not_used() -> None:
    domain = Domain()
    for tick in range(4):
        domain.step(tick, edges(tick, RETRYING, detector_lag=3.5))
    assert {one.kind for _, one in domain.all(Incident)} <= {IncidentKind.DETECTOR}
    assert domain.all(Decision) == []


def test_shadow_mode_marks_every_decision() -> None:
    domain = Domain(Policy(decisions=DecisionPolicy(mode=DecisionMode.SHADOW)))
    overload(domain, 0, 5, {**QUEUEING, **RETRYING})
    assert {decision.mode for _, decision in domain.all(Decision)} == {DecisionMode.SHADOW}


def test_an_explanation_tells_what_since_when_who_evidence_decision_and_end() -> None:
    domain = Domain()
    overload(domain, 0, 6, {**QUEUEING, **RETRYING, "first": 160.0, "attempts": 480.0})
    decisions = [decision for _, decision in domain.all(Decision)]
    incident = next(item for _, item in domain.all(Incident) if item.kind is IncidentKind.RETRY_AMPLIFICATION)
    text = explain(incident, decisions)
    for part in (
        "Retries amplify the load on api: web sends 3.0 attempts for every request to api.",
        "since     2023-11-14 22:13:21 UTC, still open",
        "attempts per request on web>api = 3 (limit 1.5)",
        "observations[1]@1",
        "retry of api: retries at most 5% of requests, 3 attempts",
        "ends when retries stay low",
    ):
        assert part in text
    assert len(text.splitlines()) < 12
    overloaded = [item for _, item in domain.all(Incident) if item.kind is IncidentKind.OVERLOAD][-1]
    assert "of the usual rate" in explain(overloaded, decisions)
    closed = replace(incident, status=IncidentStatus.CLOSED, closed_at=incident.opened_at + 9)
    assert "closed after 9 s" in explain(closed)
    assert "ends when" not in explain(closed)


def test_a_rate_for_a_callee_whose_usual_is_not_known_is_a_part_of_the_whole() -> None:
    domain, unknown = Domain(), {**QUEUEING, "base_first_rate": nan, "ok": 5.0, "timeout": 95.0, "completions": 100.0}
    for tick in range(40):
        domain.step(tick, edges(tick, {**unknown, "queue_delay_mean": 0.1 * tick}))
    rates = [decision for _, decision in domain.decisions(DecisionKind.RATE) if decision.active]
    assert rates
    assert {decision.rate_multiplier for decision in rates} == {None}
    assert all((decision.per_instance_fallback or 0.0) > 0.0 for decision in rates)
    assert "what is usual is not known yet" in rates[0].reason
    overloaded = [item for _, item in domain.all(Incident) if item.kind is IncidentKind.OVERLOAD][-1]
    assert f"{rates[-1].absolute_cap:.0f} requests/s in all" in explain(overloaded, rates)
