"""What level 2 decides about datasets in a cut: fences, marks, and writes that wait for replicas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import nan

import pytest
from tests.unit.streams.cascade.domain_script import Domain, edges, lag

from snowshed.schemas.records import (
    ConsistencyMode,
    Decision,
    DecisionKind,
    EdgeObservations,
    Incident,
    IncidentKind,
    Lag,
    LagStatus,
    PolicyChange,
)
from snowshed.streams.policy import Policy, parsed

_CP = parsed(
    """
[datasets.orders]
consistency = "cp"
quorum = "etcd"
places = { e1 = "shop-1", e2 = "shop-2", e3 = "shop-3" }
[quorums.etcd]
voters = ["e1", "e2", "e3"]
"""
).policy
_AP = parsed('[datasets.orders]\nconsistency = "ap"\nbound = 4\nbeyond = "serve_marked"\n').policy
_DEAD: Mapping[str, object] = {"ok": 0.0, "timeout": 100.0}


def quorum(at: float, number: int, condition: str, *inside: str) -> Lag:
    return replace(
        lag(at, "quorum", LagStatus.FRESH, 0.0, 0.0),
        dataset="etcd",
        evidence_offset=number,
        condition=condition,
        tolerates=0.0,
        inside=inside,
    )


def calls(at: float, *cut: str, names: tuple[str, ...] = ("shop-1", "shop-2", "shop-3")) -> EdgeObservations:
    """Calls between all of them, those to and from the named ones without an answer."""
    rows = [
        {"caller": one, "callee": other, **(_DEAD if (one in cut) != (other in cut) else {})}
        for one in names
        for other in names
        if one != other
    ]
    return edges(at, *rows)


def consistency(domain: Domain) -> list[tuple[float, Decision]]:
    return domain.decisions(DecisionKind.CONSISTENCY)


def cut_off(domain: Domain, start: int, *cut: str, names: tuple[str, ...] = ("shop-1", "shop-2", "shop-3")) -> None:
    for at in range(start, start + 3):
        domain.step(at, calls(at, *cut, names=names))


def test_the_side_that_the_store_says_cannot_commit_is_fenced_until_the_store_proves_the_contrary_twice() -> None:
    domain = Domain(_CP, round_trip=True)
    cut_off(domain, 0, "shop-3")
    assert consistency(domain) == [], "the matrix alone fences nobody"
    domain.step(3, calls(3, "shop-3"), quorum(3, 1, "critical", "e1", "e2"))
    [(_, decision)] = consistency(domain)
    assert decision.consistency is not None
    assert (decision.consistency.mode, decision.consistency.avoid) == (ConsistencyMode.FENCE, ("e3",))
    assert (decision.consistency.prefer, decision.epoch) == (("e1", "e2"), 1)
    domain.step(60)
    assert all(one.active for _, one in consistency(domain))
    for number in (2, 2, 2):
        domain.step(61, calls(61), quorum(61, number, "healthy", "e1", "e2", "e3"))
    assert consistency(domain)[-1][1].active, "a report that is told again proves nothing more"
    domain.step(62, calls(62), quorum(62, 3, "healthy", "e1", "e2", "e3"))
    at, last = consistency(domain)[-1]
    assert (at, last.active, last.epoch) == (62, False, 1)
    incidents = [one for _, one in domain.all(Incident) if one.kind is IncidentKind.DIVIDED]
    assert (incidents[0].subject, incidents[-1].status.value) == ("orders", "closed")


def test_each_new_fence_has_a_higher_epoch_and_renewals_have_not() -> None:
    domain = Domain(_CP)
    for start in (0, 40):
        cut_off(domain, start, "shop-3")
        domain.step(start + 3, calls(start + 3, "shop-3"), quorum(start + 3, start, "critical", "e1", "e2"))
        domain.step(start + 9)
        for number in (1, 2):
            at = start + 10 + number
            domain.step(at, calls(at), quorum(at, start + number, "healthy", "e1", "e2", "e3"))
    assert [(one.epoch, one.active) for _, one in consistency(domain)] == [
        (1, True),
        (1, True),
        (1, False),
        (2, True),
        (2, True),
        (2, False),
    ]


@pytest.mark.parametrize("condition", ["unknown", "split"])
def test_a_store_that_does_not_know_fences_nobody(condition: str) -> None:
    domain = Domain(_CP)
    cut_off(domain, 0, "shop-3")
    domain.step(3, calls(3, "shop-3"), quorum(3, 1, condition))
    assert consistency(domain) == []


def test_an_old_report_of_the_store_proves_nothing() -> None:
    domain = Domain(_CP)
    domain.step(0, quorum(0, 1, "critical", "e1", "e2"))
    cut_off(domain, 20, "shop-3")
    assert consistency(domain) == []


def test_an_operator_takes_a_fence_back_by_a_policy_and_the_log_has_it() -> None:
    domain = Domain(_CP)
    cut_off(domain, 0, "shop-3")
    domain.step(3, calls(3, "shop-3"), quorum(3, 1, "lost"))
    assert consistency(domain)[-1][1].active
    text = "[datasets.orders]\nprotected = true\n"
    domain.step(
        4,
        PolicyChange(domain="default", revision=1, fingerprint=parsed(text).fingerprint, text=text, changed_at=4.0),
    )
    assert not consistency(domain)[-1][1].active


def test_an_ap_dataset_is_answered_within_its_bound_and_marked_until_all_is_well_again() -> None:
    domain, names = Domain(_AP), ("main", "r1", "r2")
    domain.step(
        0, lag(0, "main", LagStatus.FRESH, 0.0, 0.0), lag(0, "r1", LagStatus.FRESH), lag(0, "r2", LagStatus.FRESH)
    )
    cut_off(domain, 0, "r2", names=names)
    domain.step(
        3,
        calls(3, "r2", names=names),
        lag(3, "r1", LagStatus.FRESH, 0.0, 0.5),
        lag(3, "r2", LagStatus.BEHIND, 3.0, 5.0),
    )
    _, decision = consistency(domain)[-1]
    assert decision.consistency is not None
    assert decision.consistency.mode is ConsistencyMode.SERVE_STALE
    assert (decision.consistency.bound, decision.consistency.marked) == (4.0, True)
    assert (decision.consistency.prefer, decision.consistency.avoid) == (("main", "r1"), ("r2",))
    assert decision.consistency.ages == (0.0, 0.5, 5.0)
    domain.step(4, calls(4, names=names), lag(4, "r2", LagStatus.UNKNOWN, 0.0, nan), lag(4, "r1", LagStatus.FRESH))
    assert consistency(domain)[-1][1].active
    domain.step(5, calls(5, names=names), lag(5, "r2", LagStatus.FRESH, 0.0, 1.9), lag(5, "r1", LagStatus.FRESH))
    assert not consistency(domain)[-1][1].active


def test_writes_at_the_leader_wait_by_priority_while_every_replica_falls_behind() -> None:
    domain = Domain(parsed('[datasets.orders]\nleader = "orders-db"\n').policy, round_trip=True)

    def observed(at: float, *highs: float) -> None:
        replicas = [lag(at, f"r{number}", LagStatus.FRESH, 0.0, high) for number, high in enumerate(highs)]
        domain.step(at, lag(at, "main", LagStatus.FRESH, 0.0, 0.0), *replicas)

    for at in range(5):
        observed(at, 1.0 + 0.5 * at, 0.4)
    assert domain.all(Decision) == [], "reads have a fresher replica to go to"
    for at in range(5, 10):
        observed(at, 4.0, 1.1 + 0.5 * (at - 5))
    [(decided, decision)] = domain.all(Decision)
    assert (decided, decision.scope, decision.kind) == (7, "orders-db", DecisionKind.DEGRADE)
    assert decision.priority_floor is not None
    assert 255 <= decision.priority_floor.level * 128 + decision.priority_floor.cohort < 511
    assert domain.all(Incident) == [], "within the objective nobody need know"
    for at in range(10, 40):
        observed(at, 4.0, 0.3)
    assert not domain.all(Decision)[-1][1].active


def test_a_leader_that_is_held_at_a_shedding_level_is_left_alone() -> None:
    domain = Domain(parsed('[datasets.orders]\nleader = "api"\n').policy)
    for at in range(6):
        row = {"queue_delay_mean": 0.2, "p90": 0.2, "ok": 60.0, "rejected": 40.0}
        domain.step(at, edges(at, row), lag(at, "r1", LagStatus.FRESH, 0.0, 1.1 + 0.5 * at))
    decided = [one for _, one in domain.decisions(DecisionKind.DEGRADE)]
    assert any(one.degrade_level for one in decided)
    assert decided[-1].priority_floor is None


def test_without_a_named_leader_no_write_waits() -> None:
    domain = Domain(Policy())
    for at in range(20):
        domain.step(at, lag(at, "r1", LagStatus.BEHIND, 3.0 + at / 2, 4.0 + at / 2))
    assert domain.decisions(DecisionKind.DEGRADE) == []
