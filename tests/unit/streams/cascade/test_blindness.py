"""The detector watches itself: what it cannot see it says, and people hear of it when it lasts."""

from __future__ import annotations

from tests.unit.streams.cascade.domain_script import RETRYING, Domain, edges, node

from snowshed.schemas.records import Incident, IncidentKind, IncidentStatus, Liveness, Notice, PolicyChange
from snowshed.streams.policy import parsed


def said(domain: Domain) -> list[tuple[float, Incident]]:
    return [(at, one) for at, one in domain.all(Incident) if one.kind is IncidentKind.DETECTOR]


def test_live_nodes_that_are_no_longer_reported_make_the_detector_blind_until_they_are() -> None:
    domain = Domain()
    domain.step(0, node(0, Liveness.ALIVE), node(0, Liveness.DEAD, name="n2"))
    for at in range(1, 30):
        domain.step(at)
    assert said(domain)[0][0] == 16
    assert said(domain)[0][1].members == ("n1",)
    domain.step(30, node(30, Liveness.ALIVE))
    assert said(domain)[-1][1].status is IncidentStatus.CLOSED


def test_people_are_told_of_a_blind_detector_only_when_it_lasts() -> None:
    domain = Domain()
    domain.step(0, node(0, Liveness.ALIVE))
    for at in range(1, 26):
        domain.step(at)
    assert domain.all(Notice) == []
    domain.step(26)
    assert len(domain.all(Notice)) == 1


def test_a_late_detector_says_so_once_and_that_it_has_caught_up() -> None:
    domain = Domain()
    for tick in range(5):
        domain.step(tick, edges(tick, RETRYING), detector_lag=4.0)
    opened = said(domain)
    assert {one.subject for _, one in opened} == {"observations-1"}
    assert "4 s behind" in opened[0][1].summary
    domain.step(6)
    assert said(domain)[-1][1].status is IncidentStatus.CLOSED
    assert len({one.incident_id for _, one in said(domain)}) == 1


def test_a_node_that_the_policy_has_moved_to_another_domain_is_not_missed() -> None:
    domain, text = Domain(), '[services.api]\ndomain = "moved"\n'
    domain.step(0, node(0, Liveness.ALIVE))
    moved = parsed(text).fingerprint
    domain.step(1, PolicyChange(domain="default", revision=1, fingerprint=moved, text=text, changed_at=1.0))
    for at in range(2, 60):
        domain.step(at)
    assert said(domain) == []
