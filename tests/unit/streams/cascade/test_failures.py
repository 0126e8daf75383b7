"""Gray failures, partitions and flapping nodes as incidents."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.unit.streams.cascade.domain_script import QUEUEING, START, Domain, edges, node

from snowshed.schemas.records import Incident, IncidentKind, IncidentStatus, Liveness, Notice
from snowshed.streams.policy import Policy

_FAILING: Mapping[str, object] = {"ok": 80.0, "timeout": 20.0}
_CUT: Mapping[str, object] = {"ok": 0.0, "timeout": 100.0}
_MESH = (("a", "b"), ("a", "c"), ("b", "c"), ("c", "a"), ("c", "b"))


def told(domain: Domain, kind: IncidentKind) -> list[tuple[float, Incident]]:
    return [(at, one) for at, one in domain.all(Incident) if one.kind is kind]


def shop(domain: Domain, begin: int, end: int, bad: Mapping[str, Mapping[str, object]]) -> None:
    """Two callers of api, whose node beats."""
    for at in range(begin, end):
        rows = [{"caller": caller, **bad.get(caller, {})} for caller in ("web", "mobile")]
        domain.step(at, node(at, Liveness.ALIVE), edges(at, *rows))


def mesh(domain: Domain, begin: int, end: int, bad: Mapping[tuple[str, str], Mapping[str, object]]) -> None:
    for at in range(begin, end):
        rows = [{"caller": caller, "callee": callee, **bad.get((caller, callee), {})} for caller, callee in _MESH]
        domain.step(at, edges(at, *rows))


def test_a_service_that_beats_and_fails_two_callers_is_a_gray_failure_after_two_windows() -> None:
    domain = Domain(round_trip=True)
    shop(domain, 0, 5, {})
    shop(domain, 5, 10, {"web": _FAILING, "mobile": _FAILING})
    (at, incident), *_ = told(domain, IncidentKind.GRAY_FAILURE)
    assert at == 6
    assert incident.subject == "api"
    assert set(incident.members) == {"api", "web", "mobile"}
    shop(domain, 10, 16, {})
    assert told(domain, IncidentKind.GRAY_FAILURE)[-1][1].status is IncidentStatus.CLOSED


@pytest.mark.parametrize(
    "bad",
    [
        {"web": _FAILING},
        {"web": {"ok": 97.0, "timeout": 3.0}, "mobile": {"ok": 97.0, "timeout": 3.0}},
        {"web": {**QUEUEING, **_FAILING}, "mobile": {**QUEUEING, **_FAILING}},
        {"web": {"ok": 80.0, "error_downstream": 20.0}, "mobile": {"ok": 80.0, "error_downstream": 20.0}},
    ],
    ids=["one caller complains", "few calls fail", "its queue is long", "others' errors"],
)
def test_no_gray_failure_is_seen(bad: Mapping[str, Mapping[str, object]]) -> None:
    domain = Domain()
    shop(domain, 0, 5, {})
    shop(domain, 5, 12, bad)
    assert told(domain, IncidentKind.GRAY_FAILURE) == []


def test_what_a_gray_failure_looks_like_otherwise_is_a_part_of_it() -> None:
    domain = Domain()
    shop(domain, 0, 5, {})
    worse: Mapping[str, object] = {"ok": 30.0, "timeout": 70.0}
    shop(domain, 5, 12, {"web": worse, "mobile": worse})
    gray = told(domain, IncidentKind.GRAY_FAILURE)[0][1]
    assert {one.part_of for _, one in told(domain, IncidentKind.OVERLOAD)[-1:]} == {gray.incident_id}
    assert len(domain.all(Notice)) == 1


@pytest.mark.parametrize(
    ("links", "subject", "words"),
    [
        ([("a", "b")], "a|b", "while c reaches both"),
        ([("a", "c")], "a>c", "while those from c arrive at a"),
    ],
    ids=["partial", "one-way"],
)
def test_a_cut_is_named_with_both_sides_after_two_windows(
    links: list[tuple[str, str]], subject: str, words: str
) -> None:
    domain = Domain(round_trip=True)
    mesh(domain, 0, 5, {})
    mesh(domain, 5, 9, dict.fromkeys(links, _CUT))
    (at, incident), *_ = told(domain, IncidentKind.PARTITION)
    assert at == 6
    assert incident.subject == subject
    assert words in incident.summary
    mesh(domain, 9, 11, {})
    assert told(domain, IncidentKind.PARTITION)[-1][1].status is IncidentStatus.CLOSED


def test_the_silence_of_a_dead_service_is_no_partition() -> None:
    domain = Domain()
    mesh(domain, 0, 5, {})
    domain.step(5, node(5, Liveness.DEAD, service="b"))
    mesh(domain, 5, 9, {("a", "b"): _CUT, ("c", "b"): _CUT})
    assert told(domain, IncidentKind.PARTITION) == []


def test_a_node_that_dies_again_and_again_is_reported_once_until_it_has_stayed() -> None:
    domain = Domain(Policy(), round_trip=True)
    for at in range(0, 300, 10):
        domain.step(at, node(at, Liveness.DEAD if at % 20 else Liveness.ALIVE, since=at))
    seen = told(domain, IncidentKind.NODE_FAILED)
    # Two convictions are news each; from the third on it is one incident.
    assert len({one.incident_id for _, one in seen}) == 3
    assert "flaps" in seen[-1][1].summary or seen[-1][1].status is IncidentStatus.OPEN
    for at in range(300, 2600, 5):
        domain.step(at, node(at, Liveness.ALIVE, since=300))
    ended, last = told(domain, IncidentKind.NODE_FAILED)[-1]
    assert last.status is IncidentStatus.CLOSED
    assert 800 < ended < 2000
    assert last.closed_at == START + ended
