"""Trigger or victim: both directions in which trouble travels, and what one trouble looks like at night."""

from __future__ import annotations

from collections.abc import Mapping

from tests.unit.streams.cascade.domain_script import QUEUEING, Domain, edges

from snowshed.schemas.records import Cause, Incident, IncidentKind, Notice

_CALM: Mapping[str, object] = {"completions": 100.0}
_CHAIN = (("client", "web"), ("web", "api"), ("api", "db"))
_SLOW: Mapping[str, object] = {"p90": 0.5}
_Bad = Mapping[str, Mapping[str, object]]


def play(domain: Domain, begin: int, end: int, bad: _Bad, chain: tuple[tuple[str, str], ...] = _CHAIN) -> None:
    """Windows of a chain of services; what is bad is given by callee or by edge."""
    for at in range(begin, end):
        rows = [
            {"caller": caller, "callee": callee, **_CALM, **bad.get(callee, {}), **bad.get(f"{caller}>{callee}", {})}
            for caller, callee in chain
        ]
        domain.step(at, edges(at, *rows))


def blamed(domain: Domain) -> tuple[Cause, ...]:
    return [one for _, one in domain.all(Incident) if one.kind is IncidentKind.CASCADE][-1].causes


def test_a_service_that_lost_capacity_is_the_trigger_and_its_callers_are_victims() -> None:
    domain = Domain()
    play(domain, 0, 14, {})
    play(domain, 14, 20, {"db": {**QUEUEING, **_SLOW}, "api": _SLOW, "web": _SLOW})
    assert [cause.name for cause in blamed(domain)] == ["db"]
    assert "queue of its own" in blamed(domain)[0].reason


def test_the_most_upstream_service_with_more_requests_than_usual_is_the_trigger_of_a_surge() -> None:
    surge: Mapping[str, object] = {
        "first": 300.0,
        "attempts": 300.0,
        "ok": 100.0,
        "error_downstream": 200.0,
        "p90": 0.5,
    }
    domain = Domain()
    play(domain, 0, 14, {})
    play(domain, 14, 20, {"db": {**surge, **QUEUEING, "first": 300.0}, "api": surge, "web": surge})
    assert blamed(domain)[0].name == "web"
    assert "3.0 times its usual requests" in blamed(domain)[0].reason


def test_a_path_is_blamed_when_the_service_answers_everybody_else() -> None:
    chain = (*_CHAIN, ("client", "shop"), ("shop", "db"))
    domain = Domain()
    play(domain, 0, 14, {}, chain)
    failing: Mapping[str, object] = {"ok": 40.0, "timeout": 60.0, "p90": 0.5}
    play(domain, 14, 20, {"api>db": failing, "web>api": _SLOW, "client>web": _SLOW}, chain)
    assert blamed(domain)[0].name == "api>db"
    assert blamed(domain)[0].reason == "brings no answer of db, while others get theirs"


def test_incidents_that_a_cascade_explains_become_parts_of_it_and_stand_alone_when_it_ends() -> None:
    domain = Domain()
    play(domain, 0, 14, {})
    play(domain, 14, 20, {"db": QUEUEING, "api": QUEUEING, "web": QUEUEING})
    whole = next(one for _, one in domain.all(Incident) if one.kind is IncidentKind.CASCADE)
    newest = {one.subject: one for _, one in domain.all(Incident) if one.kind is IncidentKind.OVERLOAD}
    assert {one.part_of for one in newest.values()} == {whole.incident_id}
    play(domain, 20, 26, {"db": QUEUEING})
    overloads = [one for _, one in domain.all(Incident) if one.kind is IncidentKind.OVERLOAD and one.subject == "db"]
    assert overloads[-1].part_of == ""
    assert len({one.incident_id for one in overloads}) == 1


def test_people_are_told_once_of_what_begins_within_a_cascade() -> None:
    domain = Domain()
    play(domain, 0, 14, {})
    play(domain, 14, 18, {"db": QUEUEING, "api": QUEUEING, "web": QUEUEING})
    chain = (*_CHAIN, ("db", "disk"))
    before = len(domain.all(Notice))
    play(domain, 18, 24, {"db": QUEUEING, "api": QUEUEING, "web": QUEUEING, "disk": QUEUEING}, chain)
    late = [one for _, one in domain.all(Incident) if one.subject == "disk"]
    assert late
    assert len(domain.all(Notice)) == before
    # It outlives the cascade, so it is told now.
    play(domain, 24, 34, {"disk": QUEUEING}, chain)
    assert any(late[0].incident_id == one.incident_id for _, one in domain.all(Notice))
