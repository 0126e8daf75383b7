"""Five nodes, every cut, and an oracle: no two sides take conflicting writes, no answer is older than its mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.consumers import ReplicaRouter, WriteFence
from snowshed.consumers.decisions.view import DecisionView
from snowshed.consumers.testing import FakeClock
from snowshed.schemas.errors import Rejected
from snowshed.schemas.members import MemberReport, Role
from snowshed.schemas.records import Consistency, ConsistencyMode, Decision, DecisionKind, ScopeKind
from snowshed.streams.consistency import Cut, Evidence, Side, Stance, answers, fenced, marking, reaching, sides
from snowshed.streams.quorum import QuorumStatus, judge
from snowshed.streams.reachability import Link

NODES = ("a", "b", "c", "d", "e")
PLACES = {node: node for node in NODES}
_COMMITS = {QuorumStatus.HEALTHY: True, QuorumStatus.DEGRADED: True, QuorumStatus.CRITICAL: True}

Assignment = tuple[int, ...]
"""Of each node the number of its group."""


def matrix(groups: Assignment) -> dict[Link, bool]:
    return {
        (one, other): groups[i] == groups[j]
        for (i, one), (j, other) in product(enumerate(NODES), repeat=2)
        if one != other
    }


def side_of(groups: Assignment, number: int) -> list[str]:
    return [node for node, group in zip(NODES, groups, strict=True) if group == number]


def report_of(groups: Assignment, number: int, *, asked: Sequence[str] = NODES) -> Evidence:
    """What a poll of these members finds, where each side with a majority has elected the first of its nodes."""
    answers: list[MemberReport] = []
    for group in set(groups):
        members = side_of(groups, group)
        leads = len(members) >= 3
        for member in members:
            role = Role.NONE if not leads else Role.LEADER if member == members[0] else Role.FOLLOWER
            count = len(members) if role is Role.LEADER else None
            answers.append(MemberReport(member=member, at=0.0, role=role, in_sync=count))
    health = judge(NODES, [one for one in answers if one.member in asked], now=0.0, patience=1.0)
    commits = False if health.status is QuorumStatus.LOST else _COMMITS.get(health.status)
    return Evidence(report=number, commits=commits, inside=frozenset(health.inside), voters=frozenset(NODES))


def cut_of(links: Mapping[Link, bool], evidence: Evidence | None) -> Cut:
    return Cut(
        dataset="ledger",
        domain="default",
        sides=sides(PLACES, links, evidence),
        evidence=evidence,
        reaching=frozenset() if evidence is None else reaching(PLACES, links, evidence.inside),
    )


ALL_CUTS = sorted({tuple(sorted(groups)) for groups in product(range(5), repeat=5)} - {(n,) * 5 for n in range(5)})


@dataclass
class Fleet:
    """A stance, and writers on every node that obey its decisions; each decision reaches all of them at once."""

    stance: Stance | None = None
    polls: int = 0
    seq: int = 0

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.view = DecisionView(self.clock, clock=self.clock, wall=self.clock)
        self.writer = WriteFence("ledger", self.view)

    def step(self, links: Mapping[Link, bool], evidence: Evidence | None) -> None:
        self.clock.advance(1.0)
        self.stance = fenced(self.stance, cut_of(links, evidence), self.clock(), unfence=2)
        self.seq += 1
        names = () if self.stance is None else self.stance.fenced
        self.view.apply(_decision(self.clock(), self.seq, ConsistencyMode.FENCE, names, active=bool(names)))

    def polled(self, groups: Assignment, *, asked: Sequence[str] = NODES) -> None:
        self.polls += 1
        self.step(matrix(groups), report_of(groups, self.polls, asked=asked))

    def writable(self) -> set[str]:
        return {node for node in NODES if self.writer.check(node).allowed}


def _decision(
    now: float, seq: int, mode: ConsistencyMode, avoid: tuple[str, ...], *, active: bool = True, **fields: object
) -> Decision:
    wanted = Consistency(mode=mode, avoid=avoid, **fields)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return Decision(
        decision_id=str(seq),
        domain="default",
        scope="ledger",
        scope_kind=ScopeKind.DATASET,
        kind=DecisionKind.CONSISTENCY,
        active=active,
        epoch=1,
        seq=seq,
        issued_at=now,
        ttl=10.0,
        consistency=wanted,
        reason="a cut",
        confidence=1.0,
    )


@pytest.mark.parametrize("groups", ALL_CUTS, ids=lambda groups: "".join(map(str, groups)))
def test_in_every_cut_of_five_at_most_one_side_writes_and_it_is_the_majority(groups: Assignment) -> None:
    fleet = Fleet()
    fleet.polled(groups)
    majority = {node for number in set(groups) if len(side_of(groups, number)) >= 3 for node in side_of(groups, number)}
    assert fleet.writable() == majority
    for _ in range(2):
        fleet.polled((0,) * 5)
    assert fleet.writable() == set(NODES)


_CUTS = st.lists(st.tuples(*[st.integers(0, 2)] * 5), min_size=1, max_size=12)


@given(_CUTS, st.data())
def test_however_cuts_move_no_two_sides_write_once_the_store_has_been_heard(
    cuts: list[Assignment], data: st.DataObject
) -> None:
    """Some polls are lost or reach only some members, which proves less and must not let a second side write."""
    fleet = Fleet()
    for groups in cuts:
        if data.draw(st.booleans(), label="polled in full"):
            fleet.polled(groups)
            writing = {groups[NODES.index(node)] for node in fleet.writable()}
            assert len(writing) <= 1 or len(set(groups)) == 1
            smaller = {node for node in NODES if groups.count(groups[NODES.index(node)]) < 3}
            assert not fleet.writable() & smaller
        else:
            asked = data.draw(st.lists(st.sampled_from(NODES), unique=True), label="asked")
            before = fleet.writable()
            fleet.polled(groups, asked=asked)
            gained = fleet.writable() - before
            assert all(groups.count(groups[NODES.index(node)]) >= 3 for node in gained)
    for _ in range(2):
        fleet.polled((0,) * 5)
    assert fleet.writable() == set(NODES)


@given(st.lists(st.tuples(st.tuples(*[st.integers(0, 4)] * 5), st.sampled_from([None, "unknown"])), max_size=10))
def test_the_matrix_alone_never_fences(seen: list[tuple[Assignment, str | None]]) -> None:
    fleet = Fleet()
    for number, (groups, said) in enumerate(seen):
        fleet.step(matrix(groups), None if said is None else Evidence(report=number, commits=None))
        assert fleet.writable() == set(NODES)


def test_what_the_store_says_without_a_cut_never_fences() -> None:
    fleet = Fleet()
    fleet.step(matrix((0,) * 5), Evidence(report=1, commits=False))
    assert fleet.writable() == set(NODES)


def test_a_report_that_does_not_fit_the_matrix_proves_nothing() -> None:
    everywhere = Evidence(report=1, commits=True, inside=frozenset({"a", "e"}))
    found = sides(PLACES, matrix((0, 0, 0, 1, 1)), everywhere)
    assert found == (Side(("a", "b", "c"), None), Side(("d", "e"), None))


def test_a_fence_outlasts_the_cut_until_two_reports_in_a_row_prove_the_majority() -> None:
    fleet, whole = Fleet(), matrix((0,) * 5)
    fleet.polled((0, 0, 0, 1, 1))
    assert fleet.writable() == {"a", "b", "c"}
    proof = Evidence(report=10, commits=True, inside=frozenset(NODES), voters=frozenset(NODES))
    lacking = Evidence(report=11, commits=True, inside=frozenset({"a", "b", "c", "d"}), voters=frozenset(NODES))
    for evidence in (None, proof, proof, None):
        fleet.step(whole, evidence)
        assert fleet.writable() == {"a", "b", "c"}
    fleet.step(whole, lacking)
    assert fleet.writable() == {"a", "b", "c", "d"}
    for number in (12, 13):
        assert "e" not in fleet.writable()
        fleet.step(whole, Evidence(report=number, commits=True, inside=frozenset(NODES), voters=frozenset(NODES)))
    assert fleet.writable() == set(NODES)


def test_a_server_without_a_vote_is_free_again_once_it_reaches_the_majority_for_two_reports() -> None:
    fleet, voters = Fleet(), frozenset({"a", "b", "c"})

    def step(groups: Assignment | None, number: int) -> None:
        links = {} if groups is None else matrix(groups)
        fleet.step(links, Evidence(report=number, commits=True, inside=voters, voters=voters))

    step((0, 0, 0, 1, 1), 1)
    assert fleet.writable() == voters
    for number in (2, 3, 4):
        step(None, number)
        assert fleet.writable() == voters, "that nobody calls any more proves nothing"
    step((0, 0, 0, 0, 1), 5)
    assert fleet.writable() == voters
    step((0, 0, 0, 0, 1), 6)
    assert fleet.writable() == voters | {"d"}


def test_a_node_that_all_reach_joins_the_sides_and_a_link_that_works_one_way_only_does_not() -> None:
    links = matrix((0, 0, 0, 1, 1))
    links |= {("a", node): True for node in "de"} | {(node, "a"): True for node in "de"}
    assert sides(PLACES, links, None) == ()
    links |= {(node, "a"): False for node in "de"}
    assert [side.servers for side in sides(PLACES, links, None)] == [("a", "b", "c"), ("d", "e")]


# Answers within a bound


@dataclass
class Store:
    """Replicas of one source, each as stale as the cut and its own lag make it, and what level 1 knows of them."""

    applied: dict[str, float]
    """Of each replica the time whose state it shows."""

    def age(self, name: str, now: float) -> float:
        return 0.0 if name == "source" else now - self.applied[name]


_BOUND = 5.0
_STEPS = st.lists(
    st.tuples(
        st.floats(0.0, 2.0),
        st.sampled_from(["sync", "report", "read"]),
        st.sampled_from(["r1", "r2"]),
        st.floats(0.0, 1.0),
    ),
    min_size=1,
    max_size=40,
)


@given(_STEPS, st.booleans(), st.floats(-0.2, 0.2), st.floats(0.0, 3.0))
def test_no_answer_is_older_than_its_mark_and_none_beyond_the_bound_is_given_unasked(
    steps: list[tuple[float, str, str, float]], marked: bool, skew: float, delay: float
) -> None:
    """Reports overstate the age, decisions arrive late, and the reader's clock is wrong by up to its stated error."""
    clock = FakeClock(0.0)
    view = DecisionView(clock, clock=clock, wall=lambda: clock() + skew)
    router = ReplicaRouter(
        "ledger",
        {"source": 0, "r1": 1, "r2": 2},
        "source",
        view,
        clock_error=0.25,
        wall=lambda: clock() + skew,
    )
    store, highs, seq = Store({"r1": 0.0, "r2": 0.0}), {"r1": nan, "r2": nan}, 0
    pending: list[tuple[float, Decision]] = []
    for waited, what, name, slack in steps:
        clock.advance(waited)
        now = clock()
        for _, due in [one for one in pending if one[0] <= now]:
            view.apply(due)
        pending = [one for one in pending if one[0] > now]
        if what == "sync":
            store.applied[name] = now
        elif what == "report":
            highs[name] = now - (store.age(name, now) + slack)
            ages = {"source": nan, **{replica: now - since for replica, since in highs.items()}}
            found = answers(ages, _BOUND)
            seq += 1
            issued = _decision(
                now,
                seq,
                ConsistencyMode.SERVE_STALE,
                tuple(server for server, _ in found.beyond),
                prefer=tuple(server for server, _ in found.within),
                ages=tuple(age for _, age in (*found.within, *found.beyond)),
                bound=_BOUND,
                marked=marked,
            )
            pending.append((now + delay, issued))
        else:
            decided = view.for_scope("ledger").consistency
            try:
                reading = router.reading(excluding=("source",))
            except Rejected:
                assert decided is not None
                assert not marked
                continue
            if reading.age is not None:
                assert store.age(reading.name, now) <= reading.age + 1e-6
                assert reading.beyond or reading.age <= _BOUND
            if decided is not None:
                assert reading.beyond <= marked
                assert reading.age is not None or reading.beyond


def test_marks_begin_with_a_cut_and_end_when_every_server_is_well_within_the_bound() -> None:
    whole, parted = cut_of(matrix((0,) * 5), None), cut_of(matrix((0, 0, 0, 1, 1)), None)

    def after(held: Stance | None, cut: Cut, *ages: float) -> Stance | None:
        return marking(held, cut, ages, 1.0, bound=4.0, fresh=0.5)

    assert after(None, whole, 9.0) is None
    held = after(None, parted, 0.1, 0.2)
    assert held is not None
    assert held.marked
    assert after(held, whole, 0.1, 2.0) == held
    assert after(held, whole, 0.1, nan) == held
    assert after(held, parted, 0.1, 0.2) == held
    assert after(held, whole, 0.1, 1.9) is None


def test_an_unknown_age_is_beyond_the_bound_and_the_freshest_come_first() -> None:
    found = answers({"x": 4.0, "y": nan, "z": 0.0, "w": 6.0}, 5.0)
    assert [name for name, _ in found.within] == ["z", "x"]
    assert [name for name, _ in found.beyond] == ["w", "y"]
