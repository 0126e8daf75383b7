"""Consensus groups: what is proved by the answers of some members."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.producers.collectors.etcd.answers import from_status
from snowshed.producers.collectors.kraft.answers import KRaftQuorum, KRaftReplica, from_kraft
from snowshed.producers.collectors.zookeeper.answers import from_mntr, from_srvr
from snowshed.streams.quorum import MemberReport, QuorumHealth, QuorumStatus, Role, judge

NOW = 1_700_000_000.0
THREE = ("a", "b", "c")
FIVE = ("a", "b", "c", "d", "e")

# From ZooKeeper 3.8.0 as Debian ships it, shortened.
MNTR_LEADER = (
    "zk_version\t3.8.0\nzk_server_state\tleader\nzk_peer_state\tleading - broadcast\nzk_outstanding_requests\t0\n"
    "zk_synced_followers\t2\nzk_synced_observers\t0\nzk_pending_syncs\t0\nzk_learners\t2\nzk_quorum_size\t3\n"
)
MNTR_FOLLOWER = "zk_version\t3.8.0\nzk_server_state\tfollower\nzk_outstanding_requests\t0\nzk_quorum_size\t3\n"
SRVR_LEADER = "Zookeeper version: 3.8.0\nOutstanding: 0\nZxid: 0x100000000\nMode: leader\nNode count: 5\n"
SRVR_FOLLOWER = "Zookeeper version: 3.8.0\nOutstanding: 0\nZxid: 0x0\nMode: follower\nNode count: 5\n"
NOT_SERVING = "This ZooKeeper instance is not currently serving requests\n"


def said(
    member: str,
    role: Role,
    *,
    term: int | None = 1,
    at: float = NOW,
    in_sync: int | None = None,
    leader: str | None = None,
) -> MemberReport:
    return MemberReport(member=member, at=at, role=role, term=term, in_sync=in_sync, leader=leader)


def judged(voters: Sequence[str], *reports: MemberReport) -> QuorumHealth:
    return judge(voters, reports, now=NOW, patience=3.0)


def test_a_full_group_is_healthy_and_bears_one_failure() -> None:
    health = judged(THREE, said("a", Role.LEADER), said("b", Role.FOLLOWER), said("c", Role.FOLLOWER))
    assert (health.status, health.leaders, health.in_sync, health.tolerates) == (QuorumStatus.HEALTHY, ("a",), 3, 1)


def test_two_of_three_bear_no_failure() -> None:
    health = judged(THREE, said("a", Role.LEADER), said("b", Role.FOLLOWER))
    assert (health.status, health.tolerates, health.silent) == (QuorumStatus.CRITICAL, 0, ("c",))


def test_four_of_five_still_bear_one() -> None:
    reports = [said("a", Role.LEADER), *(said(name, Role.FOLLOWER) for name in "bcd")]
    assert judged(FIVE, *reports).status is QuorumStatus.DEGRADED


def test_the_leaders_own_count_beats_ours() -> None:
    health = judged(THREE, said("a", Role.LEADER, in_sync=3))
    assert (health.status, health.silent) == (QuorumStatus.HEALTHY, ("b", "c"))
    assert judged(THREE, said("a", Role.LEADER, in_sync=1)).status is QuorumStatus.LOST


def test_members_without_a_role_are_a_lost_quorum_only_when_they_leave_no_majority() -> None:
    assert judged(THREE, said("a", Role.NONE), said("b", Role.NONE)).status is QuorumStatus.LOST
    assert judged(THREE, said("a", Role.NONE)).status is QuorumStatus.UNKNOWN
    assert judged(THREE).status is QuorumStatus.UNKNOWN


def test_two_leaders_of_one_term_are_a_split_and_of_two_terms_are_a_stale_view() -> None:
    follower = said("c", Role.FOLLOWER, term=2)
    assert judged(THREE, said("a", Role.LEADER, term=2), said("b", Role.LEADER, term=2)).status is QuorumStatus.SPLIT
    health = judged(THREE, said("a", Role.LEADER, term=1), said("b", Role.LEADER, term=2), follower)
    assert (health.leaders, health.stale, health.status) == (("b",), ("a",), QuorumStatus.CRITICAL)


def test_those_inside_the_majority_are_its_one_leader_and_who_follows_it() -> None:
    led = [said("a", Role.LEADER), said("b", Role.FOLLOWER, leader="a"), said("c", Role.FOLLOWER, leader="e")]
    assert judged(THREE, *led).inside == ("a", "b")
    assert judged(FIVE, *led).inside == (), "two of five are no majority"
    assert judged(FIVE, said("a", Role.LEADER, in_sync=3), said("d", Role.NONE)).inside == ("a",)
    assert judged(THREE, said("a", Role.LEADER), said("b", Role.LEADER), said("c", Role.FOLLOWER)).inside == ()
    assert judged(THREE, said("b", Role.FOLLOWER), said("c", Role.FOLLOWER)).inside == ()


def test_an_old_answer_counts_for_nothing() -> None:
    health = judged(THREE, said("a", Role.LEADER, at=NOW - 10), said("b", Role.FOLLOWER))
    assert (health.status, health.stale) == (QuorumStatus.UNKNOWN, ("a",))


def test_a_follower_of_somebody_else_is_not_in_sync() -> None:
    reports = said("a", Role.LEADER), said("b", Role.FOLLOWER, leader="a"), said("c", Role.FOLLOWER, leader="b")
    assert judged(THREE, *reports).in_sync == 2


def test_observers_and_strangers_do_not_vote() -> None:
    reports = said("a", Role.LEADER), said("b", Role.OBSERVER), said("x", Role.FOLLOWER)
    assert judged(THREE, *reports).in_sync == 1


@given(st.lists(st.tuples(st.sampled_from(FIVE), st.sampled_from(Role), st.integers(1, 3)), unique_by=lambda r: r[0]))
def test_a_group_is_never_called_able_without_a_majority(found: list[tuple[str, Role, int]]) -> None:
    health = judged(FIVE, *(said(name, role, term=term) for name, role, term in found))
    if health.status in {QuorumStatus.HEALTHY, QuorumStatus.DEGRADED, QuorumStatus.CRITICAL}:
        assert health.in_sync >= 3
        assert len(health.leaders) == 1
        assert health.tolerates == health.in_sync - 3


def test_a_zookeeper_leader_tells_how_many_keep_up() -> None:
    report = from_mntr("a", MNTR_LEADER, NOW)
    assert (report.role, report.in_sync, report.pending) == (Role.LEADER, 3, 0)
    assert judged(THREE, report, from_mntr("b", MNTR_FOLLOWER, NOW)).status is QuorumStatus.HEALTHY


def test_a_zookeeper_server_without_a_quorum_answers_and_has_no_role() -> None:
    assert from_mntr("a", NOT_SERVING, NOW).role is Role.NONE
    assert from_srvr("a", NOT_SERVING, NOW).role is Role.NONE


def test_zookeepers_epoch_is_the_upper_half_of_its_transaction_id() -> None:
    assert from_srvr("a", SRVR_LEADER, NOW).term == 1
    follower = from_srvr("b", SRVR_FOLLOWER, NOW)
    assert (follower.role, follower.term, follower.position) == (Role.FOLLOWER, None, 0)


@pytest.mark.parametrize("parse", [from_mntr, from_srvr])
def test_a_forbidden_command_is_named(parse: object) -> None:
    assert callable(parse)
    with pytest.raises(ValueError, match=r"4lw\.commands\.whitelist"):
        parse("a", "mntr is not executed because it is not in the whitelist.\n", NOW)


@pytest.mark.parametrize(
    ("more", "role"),
    [
        (', "leader": "7"', Role.LEADER),
        (', "leader": "8"', Role.FOLLOWER),
        ("", Role.NONE),
        (', "leader": "8", "isLearner": true', Role.OBSERVER),
    ],
)
def test_an_etcd_member_has_the_role_its_status_shows(more: str, role: Role) -> None:
    body = f'{{"header": {{"member_id": "7"}}, "raftTerm": "4", "raftIndex": "99"{more}}}'
    report = from_status("a", body.encode(), NOW)
    assert (report.role, report.term, report.position) == (role, 4, 99)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "no"}'])
def test_what_is_no_etcd_says_so(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_status("a", body, NOW)


def kraft(leader: int, *ages: float, clock: float = NOW) -> tuple[QuorumHealth, list[MemberReport]]:
    """How a quorum is judged whose voter n caught up `ages[n - 1]` seconds ago by its leader's clock, and by what."""
    voters = tuple(
        KRaftReplica(node=node, end=10 - int(age), fetched=clock - age / 2, caught_up=clock - age)
        for node, age in enumerate(ages, start=1)
    )
    quorum = KRaftQuorum(leader=leader, epoch=3, committed=9, voters=voters)
    reports = list(from_kraft(quorum, at=NOW, patience=2.0))
    return judged([str(voter.node) for voter in voters], *reports), reports


@pytest.mark.parametrize("clock", [NOW, NOW - 3600.0, NOW + 3600.0])
def test_a_kraft_quorum_is_judged_by_who_has_caught_up_by_its_leaders_clock(clock: float) -> None:
    health, _ = kraft(1, 0.0, 0.5, 0.5, clock=clock)
    assert (health.status, health.inside, health.pending) == (QuorumStatus.HEALTHY, ("1", "2", "3"), 1)
    health, _ = kraft(1, 0.0, 0.5, 60.0, clock=clock)
    assert (health.status, health.inside, health.tolerates) == (QuorumStatus.CRITICAL, ("1", "2"), 0)
    health, reports = kraft(1, 0.0, 60.0, 60.0, clock=clock)
    assert (health.status, health.inside) == (QuorumStatus.UNKNOWN, ()), "the others may follow a newer leader"
    assert [report.member for report in reports] == ["1"]


def test_a_kraft_leader_tells_how_far_each_voter_is_behind_and_when_it_was_heard() -> None:
    _, reports = kraft(1, 0.0, 0.5, 8.0)
    assert [(report.behind, report.unheard, report.term) for report in reports] == [
        (0, 0.0, 3),
        (0, 0.25, 3),
        (8, 4.0, 3),
    ]


NEVER = -0.001


@pytest.mark.parametrize(
    ("others", "status"),
    [
        ([(NEVER, NEVER), (NEVER, NEVER)], QuorumStatus.UNKNOWN),
        ([(NOW - 0.1, NEVER), (NEVER, NEVER)], QuorumStatus.UNKNOWN),
        ([(NOW - 0.1, NOW - 0.1), (NEVER, NEVER)], QuorumStatus.CRITICAL),
        ([(NOW - 9.0, NEVER), (NEVER, NEVER)], QuorumStatus.UNKNOWN),
        ([(NOW - 0.1, NOW - 9.0), (NOW - 9.0, NOW - 9.0)], QuorumStatus.UNKNOWN),
    ],
)
def test_who_was_not_yet_heard_in_an_epoch_is_neither_in_nor_out(
    others: list[tuple[float, float]], status: QuorumStatus
) -> None:
    times = [(NOW, NOW), *others]
    voters = tuple(
        KRaftReplica(node=node, end=10, fetched=fetched, caught_up=caught_up)
        for node, (fetched, caught_up) in enumerate(times, start=1)
    )
    reports = from_kraft(KRaftQuorum(leader=1, epoch=3, committed=9, voters=voters), at=NOW, patience=2.0)
    assert judged(["1", "2", "3"], *reports).status is status


def test_a_kraft_leader_that_votes_no_more_proves_nothing() -> None:
    assert kraft(9, 0.0, 0.5, 0.5)[0].status is QuorumStatus.UNKNOWN
