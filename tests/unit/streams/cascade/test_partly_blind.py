"""A callee of which many reports are lost: the detector says so, and concludes nothing from what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.unit.streams.cascade.domain_script import QUEUEING, START, Domain, edges, node

from snowshed.schemas.records import (
    Decision,
    DecisionKind,
    EdgeObservations,
    Incident,
    IncidentKind,
    IncidentStatus,
    Liveness,
    Notice,
    OperatorAction,
    OperatorOrder,
    ScopeKind,
)
from snowshed.streams.cascade.decisions import Held
from snowshed.streams.cascade.explain import explain
from snowshed.streams.cascade.throttle import Throttle
from snowshed.streams.policy import DecisionPolicy, Policy

_SHORT: Mapping[str, object] = {"ok": 30.0, "timeout": 70.0, "completions": 40.0, "p99": 1.0}
"""Callers hear of little, and of what the callee did, half is not reported."""
_CALM: Mapping[str, object] = {"completions": 100.0}
_UNHEARD: Mapping[str, object] = {"ok": 0.0, "timeout": 100.0}
_SURGING: Mapping[str, object] = {"first": 300.0, "attempts": 300.0, "ok": 250.0, "timeout": 50.0}
_NEVER = Policy(decisions=DecisionPolicy(lost_share=1.0))
"""Under which no loss matters."""


def lossy(at: float, *rows: Mapping[str, object], share: float = 0.5) -> EdgeObservations:
    """Observations of api, of whose own reports a share is lost by api-2."""
    record = edges(at, *rows)
    return replace(
        record,
        strings=(*record.strings, "api-2"),
        lost_callee=(float(record.strings.index("api")),),
        lost_reporter=(float(len(record.strings)),),
        lost_by_caller=(0.0,),
        lost_reports=(1.0,),
        lost_calls=(100.0 * share,),
        lost_of=(100.0,),
    )


def play(domain: Domain, begin: int, end: int, row: Mapping[str, object], share: float = 0.0) -> None:
    for at in range(begin, end):
        alive = node(at, Liveness.ALIVE)
        domain.step(at, alive, lossy(at, row, share=share) if share else edges(at, row))


def kinds(domain: Domain) -> set[IncidentKind]:
    return {one.kind for _, one in domain.all(Incident)}


def detector(domain: Domain) -> list[tuple[float, Incident]]:
    return [(at, one) for at, one in domain.all(Incident) if one.kind is IncidentKind.DETECTOR]


def test_it_says_who_lost_how_much_of_what_and_that_it_sees_again() -> None:
    domain = Domain(round_trip=True)
    play(domain, 0, 12, _CALM)
    play(domain, 12, 30, _CALM, share=0.5)
    at, opened = detector(domain)[0]
    assert at == 14  # three times half a second of ten is more than a tenth
    assert (opened.subject, opened.members) == ("telemetry-default", ("api",))
    assert "15% of the calls of api" in opened.summary
    text = explain(detector(domain)[-1][1])
    assert "calls of api that nobody reported = 0.5 (limit 0.1)" in text
    assert "reports on api that api-2 has lost = 18 reports at" in text
    assert [(at, one.title) for at, one in domain.all(Notice)] == [(24, "detector: telemetry-default (opened)")]
    play(domain, 30, 45, _CALM)
    assert detector(domain)[-1][1].status is IncidentStatus.CLOSED
    assert kinds(domain) == {IncidentKind.DETECTOR}
    assert not any(key.startswith("sight/") for key in domain.state)


def test_it_sees_again_only_below_half_of_the_share_that_blinds_it() -> None:
    domain = Domain()
    play(domain, 0, 12, _CALM)
    play(domain, 12, 15, _CALM, share=0.5)
    play(domain, 15, 30, _CALM)
    closed = [at for at, one in detector(domain) if one.status is IncidentStatus.CLOSED]
    assert closed == [23]  # a tenth is missing at 22, and half of that at 23


def test_a_few_lost_reports_are_nothing_to_tell() -> None:
    domain = Domain()
    play(domain, 0, 12, _CALM)
    play(domain, 12, 40, _CALM, share=0.09)
    assert domain.said == []


@pytest.mark.parametrize(("policy", "accused"), [(Policy(), False), (_NEVER, True)])
def test_work_of_which_nobody_reported_is_no_lost_capacity(policy: Policy, *, accused: bool) -> None:
    domain = Domain(policy)
    play(domain, 0, 15, _CALM)
    play(domain, 15, 40, _SHORT, share=0.5)
    assert (IncidentKind.CAPACITY_LOSS in kinds(domain)) is accused


@pytest.mark.parametrize(("policy", "accused"), [(Policy(), False), (_NEVER, True)])
def test_calls_that_the_callee_may_have_heard_are_no_partition(policy: Policy, *, accused: bool) -> None:
    domain = Domain(policy)
    play(domain, 0, 12, _CALM)
    play(domain, 12, 15, _CALM, share=0.5)
    play(domain, 15, 24, _UNHEARD, share=0.5)
    assert (IncidentKind.PARTITION in kinds(domain)) is accused


def test_a_partition_that_was_found_before_stays_found() -> None:
    domain = Domain()
    play(domain, 0, 12, _CALM)
    play(domain, 12, 16, _UNHEARD)
    play(domain, 16, 30, _UNHEARD, share=0.5)
    found = [one for _, one in domain.all(Incident) if one.kind is IncidentKind.PARTITION]
    assert {one.status for one in found} == {IncidentStatus.OPEN}


@pytest.mark.parametrize(("policy", "goes_on"), [(Policy(), False), (_NEVER, True)])
def test_nothing_in_force_is_tightened(policy: Policy, *, goes_on: bool) -> None:
    domain = Domain(policy)
    play(domain, 0, 3, {**QUEUEING, **_SURGING}, share=0.4)
    play(domain, 3, 30, {**QUEUEING, **_SURGING, "queue_delay_mean": 0.5}, share=0.4)
    caps = [(at, one.absolute_cap or 0.0) for at, one in domain.decisions(DecisionKind.RATE) if one.active]
    levels = [one.degrade_level or 0 for _, one in domain.decisions(DecisionKind.DEGRADE)]
    seen = [cap for at, cap in caps if at >= 3]
    assert (min(seen, default=0.0) < max(seen, default=0.0)) is goes_on
    assert (max(levels) > 1) is goes_on
    throttle = domain.state["throttle/api"]
    assert isinstance(throttle, Throttle)
    assert (throttle.level > 1) is goes_on


def test_what_is_to_be_tighter_is_not_renewed_and_runs_out() -> None:
    domain = Domain()
    play(domain, 0, 4, {**QUEUEING, **_SURGING})
    (_, cut), *_ = domain.decisions(DecisionKind.RATE)
    held = domain.state["decision/api|rate"]
    assert isinstance(held, Held)
    domain.state["decision/api|rate"] = replace(held, decision=replace(cut, absolute_cap=99.0))
    play(domain, 4, 7, {**QUEUEING, **_SURGING}, share=0.9)
    blind_from = 5
    assert [at for at, _ in domain.decisions(DecisionKind.RATE) if at >= blind_from] == []
    assert domain.decisions(DecisionKind.DEGRADE)[-1][1].active


def test_a_tightening_that_began_is_not_issued_and_an_operators_order_is() -> None:
    domain = Domain()
    play(domain, 0, 3, {}, share=0.5)
    order = OperatorOrder(
        order_id="o1",
        domain="default",
        scope="api",
        scope_kind=ScopeKind.SERVICE,
        action=OperatorAction.PIN,
        actuator="retry",
        retry_budget=0.01,
        ordered_at=START + 3,
        author="ann",
        reason="by hand",
    )
    domain.step(3, order, lossy(3, {**QUEUEING, **_SURGING}))
    play(domain, 4, 20, {**QUEUEING, **_SURGING}, share=0.5)
    assert IncidentKind.OVERLOAD in kinds(domain)
    assert {(one.kind, one.order_id) for _, one in domain.all(Decision)} == {(DecisionKind.RETRY, "o1")}
    assert len(domain.decisions(DecisionKind.RETRY)) > 1


def test_observations_that_come_too_late_to_be_used_are_missing_as_well() -> None:
    domain = Domain()
    for at in range(4):
        domain.step(at, edges(at, QUEUEING, detector_lag=3.5))
    assert kinds(domain) == {IncidentKind.DETECTOR}
    assert "timings-0, late" in explain(detector(domain)[-1][1])
    assert domain.all(Decision) == []
