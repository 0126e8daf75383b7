"""What the callee itself says of calls that fail: lost on their way, or its own affair."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan

import pytest
from tests.unit.streams.cascade.domain_script import Domain, edges, node

from snowshed.schemas.records import Decision, DecisionKind, Incident, IncidentKind, Liveness

_CHAIN = (("client", "web"), ("web", "api"))
_CALM: Mapping[str, object] = {"completions": 100.0}
_ALL_FAIL: Mapping[str, object] = {"ok": 0.0, "timeout": 100.0, "p50": 1.0, "p90": 1.0}
_UNHEARD: Mapping[str, object] = {**_ALL_FAIL, "completions": nan}
_LATE: Mapping[str, object] = {**_ALL_FAIL, "completions": 60.0, "queue_delay_mean": 2.0}
_UNANSWERED: Mapping[str, object] = {**_ALL_FAIL, "completions": 100.0}
_WAITS: Mapping[str, object] = {"completions": 100.0, "ok": 20.0, "timeout": 80.0, "p90": 1.0}


def play(domain: Domain, start: int, end: int, bad: Mapping[str, Mapping[str, object]]) -> None:
    """Windows of a chain whose nodes beat; what is bad is given by callee."""
    for at in range(start, end):
        rows = [{"caller": one, "callee": other, **_CALM, **bad.get(other, {})} for one, other in _CHAIN]
        beats = [node(at, Liveness.ALIVE, name=f"{name}-1", service=name) for name in ("web", "api")]
        domain.step(at, *beats, edges(at, *rows))


def of(domain: Domain, kind: IncidentKind) -> list[Incident]:
    return [one for _, one in domain.all(Incident) if one.kind is kind]


@pytest.mark.parametrize(
    ("seen", "subject"), [(_UNHEARD, "web|api"), (_UNANSWERED, "web>api")], ids=["nothing heard", "answers lost"]
)
def test_the_only_caller_is_cut_off_where_the_callee_says_so(seen: Mapping[str, object], subject: str) -> None:
    domain = Domain(round_trip=True)
    play(domain, 0, 15, {})
    play(domain, 15, 20, {"api": seen, "web": _WAITS})
    found = of(domain, IncidentKind.PARTITION)[-1]
    assert found.subject == subject
    assert [cause.name for cause in found.causes] == ["web>api"]
    assert of(domain, IncidentKind.GRAY_FAILURE) == []
    assert not [one for one in of(domain, IncidentKind.OVERLOAD) if one.subject == "api"]


def test_calls_that_are_heard_and_answered_too_late_are_no_partition() -> None:
    domain = Domain()
    for at in range(20):
        late: Mapping[str, object] = _LATE if at >= 15 else _CALM
        rows = [{"caller": caller, **_CALM, **(late if caller == "web" else {})} for caller in ("web", "jobs")]
        domain.step(at, node(at, Liveness.ALIVE), edges(at, *rows))
    assert of(domain, IncidentKind.PARTITION) == []
    assert {one.subject for one in of(domain, IncidentKind.OVERLOAD)} >= {"api"}


def test_a_cascade_that_spreads_from_a_partition_is_a_part_of_it_and_names_the_path() -> None:
    domain = Domain()
    play(domain, 0, 15, {})
    play(domain, 15, 20, {"api": _UNHEARD, "web": _WAITS})
    whole, cascade = of(domain, IncidentKind.PARTITION)[-1], of(domain, IncidentKind.CASCADE)[-1]
    assert cascade.causes[0].name == "web>api"
    assert cascade.part_of == whole.incident_id


def test_a_service_whose_slots_hang_on_a_cut_path_is_not_cut_for_the_queue_before_it() -> None:
    domain = Domain()
    play(domain, 0, 15, {})
    play(domain, 15, 40, {"api": _UNHEARD, "web": {**_WAITS, "queue_delay_mean": 2.0}})
    inflow = {DecisionKind.RATE, DecisionKind.BREAKER}
    decided = [one for _, one in domain.all(Decision)]
    assert {one.scope for one in decided if one.kind in inflow} <= {"web>api"}
    assert {one.degrade_level for one in decided if one.scope == "web" and one.kind is DecisionKind.DEGRADE} <= {0, 1}


def test_an_overloaded_caller_names_the_service_that_its_waiting_comes_from() -> None:
    domain = Domain()
    play(domain, 0, 15, {})
    play(domain, 15, 22, {"api": _LATE, "web": {**_WAITS, "p90": 1.1}})
    web = next(one for one in reversed(of(domain, IncidentKind.OVERLOAD)) if one.subject == "web")
    assert web.causes[0].name == "api"


def test_a_backlog_that_is_worked_off_is_not_taken_for_the_surge_that_began_it() -> None:
    domain = Domain()
    play(domain, 0, 15, {})
    slow: Mapping[str, object] = {"first": 40.0, "attempts": 40.0, "ok": 40.0, "completions": 40.0, "p90": 2.0}
    play(domain, 15, 25, {"api": {**slow, "queue_delay_mean": 1.5}, "web": slow})
    flood: Mapping[str, object] = {"first": 250.0, "attempts": 250.0, "ok": 250.0, "completions": 250.0, "p90": 2.0}
    play(domain, 25, 28, {"api": {**flood, "queue_delay_mean": 1.5}, "web": flood})
    assert of(domain, IncidentKind.CASCADE)[-1].causes[0].name == "api"


def test_errors_that_its_only_caller_is_answered_with_are_a_gray_failure() -> None:
    domain = Domain()
    play(domain, 0, 15, {})
    play(domain, 15, 18, {"api": {"ok": 80.0, "error_local": 20.0, "completions": 80.0}})
    assert of(domain, IncidentKind.GRAY_FAILURE)[-1].subject == "api"
