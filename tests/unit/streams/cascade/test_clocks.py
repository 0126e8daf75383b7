"""Clocks that are off: people are told whose and by how much, and nothing else is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.unit.streams.cascade.domain_script import START, Domain, edges, node

from snowshed.schemas.records import Decision, Incident, IncidentKind, Liveness, Notice
from snowshed.streams.cascade.explain import explain
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.policy import HealthPolicy, Policy


def play(domain: Domain, begin: int, end: int, clocks: Mapping[str, float], status: Liveness = Liveness.ALIVE) -> None:
    """A report of each node a second, with the lead of its clock."""
    for at in range(begin, end):
        nodes = [replace(node(at, status, name=name), clock_ahead=ahead) for name, ahead in clocks.items()]
        domain.step(at, *nodes, edges(at))


def opened(domain: Domain) -> list[Incident]:
    """The newest record of each incident."""
    return list({one.incident_id: one for _, one in domain.all(Incident)}.values())


def test_a_node_whose_clock_is_off_is_named_with_the_amount_and_people_hear_of_it_after_ten_seconds() -> None:
    domain = Domain(round_trip=True)
    play(domain, 0, 30, {"n1": 31.04, "n2": 0.0, "n3": 0.4})
    (incident,) = opened(domain)
    assert (incident.kind, incident.subject, incident.members) == (IncidentKind.CLOCK, "clocks-default", ("n1",))
    assert incident.summary == "The clock of n1 is 31 s ahead: its records are placed by the broker's time."
    (lead,) = {(one.series, one.value, one.threshold) for one in incident.evidence if one.value > 31.0}
    assert lead == ("lead of the clock of n1 over the broker's", 31.04, 1.0)
    assert [at for at, _ in domain.all(Notice)] == [10]
    assert domain.all(Decision) == []
    assert "ends when the clocks are right again, within half of the limit" in explain(incident)


def test_several_are_one_incident_that_names_the_worst_first() -> None:
    domain = Domain()
    clocks = {"a": -1.5, "b": 3600.0, "c": -30.0, "d": 2.0, **{f"n{number}": 0.0 for number in range(9)}}
    play(domain, 0, 2, clocks)
    (incident,) = opened(domain)
    assert incident.members == ("b", "c", "d", "a")
    assert incident.summary == (
        "The clocks of 4 nodes are off: b is 3600 s ahead, c is 30 s behind, d is 2.0 s ahead, …. "
        "Their records are placed by the broker's time."
    )


def test_where_most_nodes_are_off_the_brokers_own_clock_is_doubted() -> None:
    domain = Domain()
    play(domain, 0, 2, {"a": -30.0, "b": -30.1, "c": 0.0, "d": -30.0})
    (incident,) = opened(domain)
    assert incident.summary.endswith("That is 3 of 4 nodes: it may be the broker's own clock that is off.")


@pytest.mark.parametrize("ahead", [0.0, 1.0, -1.0])
def test_up_to_the_limit_nothing_is_said(ahead: float) -> None:
    domain = Domain()
    play(domain, 0, 15, {"n1": ahead})
    assert opened(domain) == []


def test_it_ends_below_half_of_the_limit_and_with_the_node() -> None:
    domain = Domain()
    play(domain, 0, 15, {"n1": -1.2})
    play(domain, 15, 20, {"n1": -0.6})
    assert [one.closed_at is None for one in opened(domain)] == [True]
    play(domain, 20, 22, {"n1": -0.5})
    (incident,) = opened(domain)
    assert incident.summary == "No clock in default is known to be off any more."
    other = Domain()
    play(other, 0, 5, {"n1": 5.0})
    play(other, 5, 6, {"n1": 5.0}, Liveness.LEFT)
    assert opened(other)[0].closed_at is not None


def test_the_limit_is_a_threshold_of_the_policy() -> None:
    domain = Domain(Policy(health=HealthPolicy(clock_off=60.0)))
    play(domain, 0, 5, {"n1": 31.0})
    assert opened(domain) == []


def test_what_is_usual_is_learned_on_while_a_clock_is_off() -> None:
    domain = Domain()
    play(domain, 0, 20, {"n1": 31.0})
    assert opened(domain)[0].closed_at is None
    standing = domain.state["service/api"]
    assert isinstance(standing, Standing)
    assert standing.learned_at == START + 19.0
