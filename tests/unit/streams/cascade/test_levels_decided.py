"""Degrade levels three and four as decisions: a breaker on a cascade's trigger, a way out of a metastable state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.unit.streams.cascade.domain_script import QUEUEING, Domain, edges

from snowshed.schemas.records import DecisionKind, Incident, IncidentKind
from snowshed.streams.cascade.situation import Situation
from snowshed.streams.cascade.steering import steer
from snowshed.streams.cascade.throttle import Throttle
from snowshed.streams.policy import OverloadPolicy, Policy, ServicePolicy
from snowshed.streams.stability.course import Effect

_CALM: Mapping[str, object] = {"completions": 100.0}
_CHAIN = (("client", "web"), ("web", "api"), ("api", "db"))
_DEAD: Mapping[str, object] = {**QUEUEING, "ok": 10.0, "timeout": 90.0, "completions": 10.0}
_WAITING: Mapping[str, object] = {**_DEAD, "queue_delay_mean": 0.0}


def play(domain: Domain, begin: int, end: int, bad: Mapping[str, Mapping[str, object]]) -> None:
    for at in range(begin, end):
        rows = [{"caller": caller, "callee": callee, **_CALM, **bad.get(callee, {})} for caller, callee in _CHAIN]
        domain.step(at, edges(at, *rows))


def test_a_cascade_s_trigger_gets_the_third_level_a_breaker_and_no_retries_and_its_victims_do_not() -> None:
    domain = Domain(round_trip=True)
    play(domain, 0, 12, {})
    play(
        domain,
        12,
        26,
        {"db": _DEAD, "api": _WAITING, "web": _WAITING},
    )
    assert IncidentKind.CASCADE in {one.kind for _, one in domain.all(Incident)}
    levels = {one.scope: one.degrade_level for _, one in domain.decisions(DecisionKind.DEGRADE) if one.active}
    assert levels == {"db": 3, "api": 1, "web": 1}
    breakers = [one for _, one in domain.decisions(DecisionKind.BREAKER)]
    assert {one.scope for one in breakers} == {"db"}
    assert max(one.p_reject or 0.0 for one in breakers) == 0.92, "but for most of what it answers even now"
    budgets = {one.scope: one.retry_budget for _, one in domain.decisions(DecisionKind.RETRY) if one.active}
    assert budgets == {"db": 0.0, "api": 0.05, "web": 0.05}


def test_a_trigger_whose_inflow_is_protected_gets_no_breaker() -> None:
    domain = Domain(Policy(services={"db": ServicePolicy(protected=True)}))
    play(domain, 0, 12, {})
    play(domain, 12, 26, {"db": _DEAD, "api": _WAITING, "web": _DEAD})
    assert domain.decisions(DecisionKind.BREAKER) == []


def test_a_metastable_service_is_led_out_on_the_condition_of_its_queue() -> None:
    bad = Situation(
        callee="api",
        domain="default",
        overloaded=True,
        clear=False,
        excess=50.0,
        reject_ratio=0.0,
        usual_rate=100.0,
        reporters=2.0,
        observed_at=0.0,
        may_cut=True,
        queue_delay=1.0,
        metastable=True,
        effect=Effect.RETRIES,
        capacity=120.0,
    )
    good = replace(bad, overloaded=False, clear=True, excess=0.1, queue_delay=0.001)
    sound = replace(good, metastable=False)
    held: Throttle | None = None
    seen: list[tuple[int, float, bool]] = []
    for second, situation in enumerate([bad] * 20 + [good] * 10 + [sound] * 110):
        held = steer(held, replace(situation, observed_at=float(second)), float(second), OverloadPolicy())
        if held is None:
            break
        seen.append((held.level, round(held.multiplier, 3), held.forbids_retries))
    assert seen[:21] == [(1, 1.0, False)] + [(4, 0.6, True)] * 20
    assert seen[25] == (3, 0.6, True)
    levels = [level for level, _, _ in seen]
    assert levels[1:] == sorted(levels[1:], reverse=True)
    forbidden = [forbids for _, _, forbids in seen[1:]]
    assert forbidden == sorted(forbidden, reverse=True)
    assert [level for level, _, forbids in seen if level == 1 and forbids] == [1] * 60
    assert seen[-1] == (1, 1.0, False)
    assert held is None


def test_a_level_is_held_while_more_is_asked_than_can_be_borne_although_refusals_keep_the_signals_clear() -> None:
    domain = Domain()
    for at in range(12):
        domain.step(at, edges(at, {"completions": 100.0}))
    for at in range(12, 18):
        domain.step(at, edges(at, {"first": 160.0, "attempts": 160.0, "ok": 100.0, "completions": 100.0, **QUEUEING}))
    refused = {"first": 160.0, "attempts": 160.0, "ok": 96.0, "rejected": 64.0, "completions": 96.0}
    for at in range(18, 120):
        domain.step(at, edges(at, refused))
    assert [one.degrade_level for _, one in domain.decisions(DecisionKind.DEGRADE)][-1] == 2
    for at in range(120, 200):
        domain.step(at, edges(at, {"completions": 100.0}))
    assert not domain.decisions(DecisionKind.DEGRADE)[-1][1].active


def test_a_level_switches_off_the_features_that_it_names_and_shortens_calls_where_that_helps() -> None:
    policy = Policy.from_mapping(
        {
            "services": {"api": {"drops_expired": True}},
            "features": {
                "search.suggestions": {"service": "api", "level": 1, "owner": "team search"},
                "search.history": {"service": "api", "level": 2, "owner": "team search"},
            },
        }
    )
    domain, plain = Domain(policy, round_trip=True), Domain()
    for at in range(12):
        domain.step(at, edges(at, {**QUEUEING, "first": 160.0, "attempts": 160.0}))
        plain.step(at, edges(at, {**QUEUEING, "first": 160.0, "attempts": 160.0}))
    by_level = {one.degrade_level: one.features_off for _, one in domain.decisions(DecisionKind.DEGRADE)}
    assert by_level[1] == ("search.suggestions",)
    assert by_level[2] == ("search.history", "search.suggestions")
    assert domain.decisions(DecisionKind.DEGRADE)[-1][1].timeout == pytest.approx(1.5 * 2.0 * 0.02 + 0.02)
    assert {one.timeout for _, one in plain.decisions(DecisionKind.DEGRADE)} == {None}
