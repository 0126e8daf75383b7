"""An overload is an incident once it harms somebody; and quiet edges are judged by the calls of several windows."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.unit.streams.cascade.domain_script import LATE, Domain, edges

from snowshed.schemas.records import Decision, DecisionKind, Incident, IncidentKind

_LONG: Mapping[str, object] = {"queue_delay_mean": 0.08, "p90": 0.1}


def overloads(domain: Domain) -> list[float]:
    return [at for at, one in domain.all(Incident) if one.kind is IncidentKind.OVERLOAD]


def play(domain: Domain, start: int, end: int, row: Mapping[str, object]) -> None:
    for at in range(start, end):
        domain.step(at, edges(at, row))


def test_a_long_queue_that_harms_nobody_cuts_retries_and_opens_no_incident() -> None:
    domain = Domain(round_trip=True)
    play(domain, 0, 9, _LONG)
    assert domain.all(Incident) == []
    decisions = [one for _, one in domain.all(Decision)]
    assert {one.kind for one in decisions} == {DecisionKind.RETRY, DecisionKind.DEGRADE}
    assert {one.degrade_level for one in decisions} <= {None, 1}
    assert {one.incident_id for one in decisions} == {""}


def test_one_that_lasts_opens_an_incident_and_its_decisions_name_it() -> None:
    domain = Domain()
    play(domain, 0, 12, _LONG)
    assert overloads(domain)[0] == 9
    incident = domain.all(Incident)[0][1]
    newest = {one.kind: one for _, one in domain.all(Decision)}
    assert {one.incident_id for one in newest.values()} == {incident.incident_id}


@pytest.mark.parametrize(
    ("rows", "after"),
    [
        ([{**_LONG, **LATE}] * 3, 1),
        ([{**_LONG, "ok": 95.0, "rejected": 5.0}] * 3, 1),
        ([{**_LONG, "queue_delay_mean": 0.1 + 0.2 * number} for number in range(6)], 3),
    ],
    ids=["time-outs", "refusals", "a queue that keeps rising"],
)
def test_harm_opens_it_sooner(rows: list[Mapping[str, object]], after: int) -> None:
    domain = Domain()
    for at, row in enumerate(rows):
        domain.step(at, edges(at, row))
    assert overloads(domain)[0] == after


def test_less_work_than_usual_is_harm_although_every_call_is_answered() -> None:
    domain = Domain()
    play(domain, 0, 15, {"completions": 100.0})
    play(domain, 15, 18, {**_LONG, "first": 50.0, "attempts": 50.0, "ok": 50.0, "completions": 50.0})
    assert overloads(domain)[0] == 16


def test_a_queue_that_is_usual_for_a_busy_service_is_not_long() -> None:
    domain = Domain()
    play(domain, 0, 20, {"queue_delay_mean": 0.08, "p50": 0.06, "p90": 0.25, "base_p90": 0.2})
    assert domain.said == []


def test_an_edge_with_few_calls_is_judged_by_several_windows_each_call_once() -> None:
    domain = Domain(round_trip=True)
    few: Mapping[str, object] = {"first": 8.0, "attempts": 8.0, "ok": 8.0, "base_first_rate": 8.0}
    play(domain, 0, 6, few)
    # Windows 6 to 8 are the first that are judged together, 9 to 11 the next.
    play(domain, 6, 13, {**few, "ok": 2.0, "timeout": 6.0})
    assert overloads(domain)[0] == 11


def test_an_edge_with_next_to_no_calls_is_not_judged() -> None:
    domain = Domain()
    play(domain, 0, 30, {"first": 3.0, "attempts": 3.0, "ok": 0.0, "timeout": 3.0})
    assert domain.said == []
