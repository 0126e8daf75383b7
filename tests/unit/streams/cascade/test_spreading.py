"""Cascades and metastable states as incidents: who is a member, who started it, who is next, and when it ends."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.unit.streams.cascade.domain_script import QUEUEING, RETRYING, Domain, edges
from tests.unit.streams.stability.driving import folded

from snowshed.schemas.records import Incident, IncidentKind, IncidentStatus
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.policy import Policy, ServicePolicy
from snowshed.streams.simulate.queueing import NAMED

_CALM: Mapping[str, object] = {"completions": 100.0}
_CHAIN = (("client", "web"), ("web", "api"), ("api", "db"))


def play(domain: Domain, begin: int, end: int, bad: Mapping[str, Mapping[str, object]]) -> None:
    for at in range(begin, end):
        rows = [{"caller": caller, "callee": callee, **_CALM, **bad.get(callee, {})} for caller, callee in _CHAIN]
        domain.step(at, edges(at, *rows))


def cascades(domain: Domain) -> list[tuple[float, Incident]]:
    return [(at, one) for at, one in domain.all(Incident) if one.kind is IncidentKind.CASCADE]


def test_trouble_that_reaches_the_entry_is_a_cascade_with_its_deepest_service_as_the_trigger() -> None:
    domain = Domain()
    play(domain, 0, 12, {})
    play(domain, 12, 15, {"db": QUEUEING})
    assert cascades(domain) == []
    play(domain, 15, 18, {"db": QUEUEING, "api": QUEUEING})
    play(domain, 18, 21, {"db": QUEUEING, "api": QUEUEING, "web": QUEUEING})
    (at, incident), *_ = cascades(domain)
    assert at == 19
    assert incident.members == ("db", "api", "web")
    assert incident.causes[0].name == "db"
    assert "100% of what comes in" in incident.summary
    play(domain, 21, 30, {"db": QUEUEING})
    assert cascades(domain)[-1][1].status is IncidentStatus.CLOSED


def test_two_failing_services_that_no_call_joins_are_no_cascade() -> None:
    domain = Domain()
    play(domain, 0, 12, {})
    play(domain, 12, 20, {"db": QUEUEING, "web": QUEUEING})
    assert cascades(domain) == []


def test_trouble_that_doubles_in_two_windows_on_end_is_a_cascade_before_it_reaches_the_entry() -> None:
    domain = Domain(Policy(services={"front": ServicePolicy(concurrency=200.0)}))
    names = ["a", "b", "c", "d"]
    for at in range(20):
        bad = 0 if at < 12 else 1 if at < 14 else 2 if at < 16 else 4
        filling = 10.0 + 15.0 * max(at - 12, 0)
        rows: list[Mapping[str, object]] = [{"caller": "client", "callee": "front", "in_flight_max": filling, **_CALM}]
        rows += [
            {"caller": "front", "callee": name, **_CALM, **(QUEUEING if number < bad else {})}
            for number, name in enumerate(names)
        ]
        rows += [{"caller": "a", "callee": name, **_CALM} for name in names[1:]]
        domain.step(at, edges(at, *rows))
    (opened, incident), *_ = cascades(domain)
    assert opened == 17
    # 85 calls in flight of 200, and 15 more each second.
    assert "next front in 8 s" in incident.summary


@pytest.mark.timeout(240)  # five runs of the simulator
def test_callers_that_retry_at_every_level_are_reported_within_three_seconds() -> None:
    begun = reported = 0.0
    for second, opened, _ in folded(NAMED["leaf-fails"], 1):
        leaf, at = second[-1], second[0].at
        if not begun and at > 60.0 and leaf.attempts >= 1.2 * max(leaf.first, 1):
            begun = at - 1.0
        if not reported and any(one.kind is IncidentKind.RETRY_AMPLIFICATION for one in opened):
            reported = at
        if at > 70.0:
            break
    assert begun
    assert reported - begun <= 3.0


def test_nothing_is_learned_while_anything_is_wrong_in_the_domain() -> None:
    domain = Domain()
    play(domain, 0, 12, {})
    play(domain, 12, 15, {"db": QUEUEING})
    before = domain.state["service/web"]
    play(domain, 15, 30, {"db": QUEUEING, "web": {"first": 104.0, "attempts": 104.0, "ok": 104.0}})
    after = domain.state["service/web"]
    assert isinstance(before, Standing)
    assert isinstance(after, Standing)
    assert after.demand == before.demand


def test_more_calls_for_as_many_requests_are_taken_for_a_cold_cache() -> None:
    cold = {"first": 400.0, "attempts": 1200.0, "ok": 20.0, "completions": 120.0, "timeout": 1100.0, "p99": 1.0}
    domain = Domain()
    play(domain, 0, 15, {})
    play(domain, 15, 30, {"db": cold})
    found = [one for _, one in domain.all(Incident) if one.kind is IncidentKind.METASTABLE]
    assert [one.subject for one in found[:1]] == ["db"]
    assert found[0].causes[0].name == "cold cache"
    play(domain, 30, 40, {})
    assert any(
        one.kind is IncidentKind.METASTABLE and one.status is IncidentStatus.CLOSED for _, one in domain.all(Incident)
    )


def test_a_service_that_waits_for_another_bad_one_is_not_called_metastable() -> None:
    stuck: Mapping[str, object] = {**RETRYING, "completions": 120.0, "p99": 1.0}
    domain = Domain()
    play(domain, 0, 15, {})
    play(domain, 15, 40, {"api": stuck, "db": stuck})
    found = {one.subject for _, one in domain.all(Incident) if one.kind is IncidentKind.METASTABLE}
    assert found == {"db"}


def test_a_service_that_stays_short_of_its_usual_work_has_lost_capacity_until_it_does_it_again() -> None:
    short: Mapping[str, object] = {**QUEUEING, "completions": 30.0, "ok": 30.0, "timeout": 70.0}
    domain = Domain()
    play(domain, 0, 14, {})
    play(domain, 14, 30, {"db": short})
    losses = [(at, one) for at, one in domain.all(Incident) if one.kind is IncidentKind.CAPACITY_LOSS]
    assert losses[0][1].subject == "db"
    assert "30% of its usual work" in losses[0][1].summary
    assert 20 <= losses[0][0] <= 24
    play(domain, 30, 36, {})
    ended = [one for _, one in domain.all(Incident) if one.kind is IncidentKind.CAPACITY_LOSS][-1]
    assert ended.status is IncidentStatus.CLOSED
