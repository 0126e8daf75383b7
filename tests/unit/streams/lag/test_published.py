"""What stands in a Lag record beside the interval: visibility, budget, and the state of groups and quorums."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import orjson
import pytest
from tests.unit.streams.lag.test_marker_fold import CODEC, POLICY, START, Pair, lags

from snowshed.schemas.records import GroupProgress, Lag, LagStatus, PositionUnit, QuorumAnswers, Record
from snowshed.streams.folding import Batch, Emission, Message
from snowshed.streams.lag import LagState, MarkerFold
from snowshed.streams.lag.group_state import Group
from snowshed.streams.lag.groups import GroupStatus
from snowshed.streams.lag.servers import Replica
from snowshed.streams.policy import DatasetPolicy, Policy


class Partition:
    """One partition's fold, fed with any record of the markers topic; its state goes through bytes at each step."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.fold = MarkerFold(policy)
        self.state: dict[str, LagState] = {}
        self.offset = 0

    def step(self, now: float, markers: list[tuple[float, Record]] | tuple[()] = ()) -> tuple[Emission, ...]:
        messages = [
            Message(self.offset + index, appended, b"orders", CODEC.encode(record))
            for index, (appended, record) in enumerate(markers)
        ]
        decoded = self.fold.decode(messages)
        assert decoded.rejects == ()
        first, self.offset = self.offset, self.offset + len(messages)
        step = self.fold.step(self.state, Batch(3, first, self.offset, 1, now, True, 0.0, decoded.records))
        for key, value in step.changes.items():
            if value is None:
                del self.state[key]
            else:
                self.state[key] = self.fold.load(self.fold.dump(value))
        return step.emissions


def _run(pair: Pair, partition: Partition, start: float, end: float, *, behind: float = 0.0) -> list[Lag]:
    """Ten steps a second; the replica applies each write after `behind` seconds."""
    seen: list[Lag] = []
    for tick in range(round(start * 10) + 1, round(end * 10) + 1):
        at = START + tick / 10
        pair.applied = at - behind
        markers: list[tuple[float, Record]] = [pair.source(at)] if tick % 2 == 0 else []
        seen += lags(partition.step(at + 0.01, [*markers, pair.replica(at)]))
    return seen


def test_the_time_until_writes_are_visible_is_published_with_its_pairs() -> None:
    pair, partition = Pair(poll=0.1), Partition()
    last = _run(pair, partition, 0, 120, behind=0.35)[-1]
    assert last.pairs == pytest.approx(575, abs=30)
    assert last.t50 == pytest.approx(0.4, rel=0.05)
    assert last.t99 == pytest.approx(0.4, rel=0.05)
    assert last.t999 is None, "so few pairs cannot tell"
    assert last.censored_share == pytest.approx(2 / 575, abs=2 / 575)
    assert last.stale_age == 2.0
    assert last.stale_share == pytest.approx(0.0, abs=1e-9)


def test_what_is_not_visible_yet_counts_as_such_while_a_replica_hangs() -> None:
    pair, partition = Pair(poll=0.1), Partition()
    _run(pair, partition, 0, 60, behind=0.35)
    hanging: list[Lag] = []
    for tick in range(601, 1200):
        at = START + tick / 10
        markers: list[tuple[float, Record]] = [pair.source(at)] if tick % 2 == 0 else []
        hanging += lags(partition.step(at + 0.01, [*markers, pair.replica(at)]))
    last = hanging[-1]
    assert last.censored_share == pytest.approx(0.5, abs=0.05)
    assert last.t50 is None
    assert last.stale_share is not None
    assert last.stale_share > 0.4


def test_time_behind_spends_the_datasets_budget() -> None:
    pair, partition = Pair(poll=0.1), Partition()
    sound = _run(pair, partition, 0, 60)[-1]
    assert (sound.burn, sound.budget_left, sound.alert) == (0.0, 1.0, "")
    late = _run(pair, partition, 60, 120, behind=4.0)[-1]
    assert late.status is LagStatus.BEHIND
    assert late.burn is not None
    assert late.burn > 100
    assert late.budget_left is not None
    assert late.budget_left < 0
    assert late.alert == "page"


def test_a_datasets_own_target_is_what_its_budget_is_counted_against() -> None:
    def left(**datasets: DatasetPolicy) -> float:
        pair, partition = Pair(poll=0.1), Partition(replace(POLICY, datasets=datasets))
        _run(pair, partition, 0, 60)
        last = _run(pair, partition, 60, 90, behind=4.0)[-1]
        assert last.budget_left is not None
        return last.budget_left

    strict, loose = left(carts=DatasetPolicy(objective=0.5)), left(orders=DatasetPolicy(objective=0.5))
    assert 0.0 < loose < 1.0
    assert 1.0 - strict == pytest.approx((1.0 - loose) * 0.5 / 0.001)


def test_time_in_which_nobody_judged_counts_as_neither() -> None:
    pair, partition = Pair(poll=0.1), Partition()
    _run(pair, partition, 0, 30)
    late = _run(pair, partition, 5000, 5060, behind=4.0)
    assert late[-1].budget_left is not None
    assert late[-1].budget_left < -500, "an hour's silence does not dilute a minute behind"


def look_at(at: float, committed: float, end: float, *, owned: float = 1.0) -> tuple[float, Record]:
    record = GroupProgress(
        dataset="orders",
        group="r1",
        node="w",
        asked=at,
        answered=at + 0.001,
        period=1.0,
        sent_at=at,
        partitions=4.0,
        lag=end - committed,
        place=("orders/0",),
        committed=(committed,),
        end=(end,),
        owned=(owned,),
    )
    return at + 0.002, record


def _group(pair: Pair, partition: Partition, start: int, end: int, *, stopped: bool) -> list[Lag]:
    seen: list[Lag] = []
    for second in range(start, end):
        at = START + second
        pair.applied = at
        committed = 100.0 * (start if stopped else second)
        look = look_at(at, committed, 100.0 * second, owned=float(not stopped))
        seen += lags(partition.step(at + 0.01, [pair.source(at), pair.replica(at), look]))
    return seen


def test_the_state_of_a_consumer_group_stands_in_its_record_and_changes_at_once() -> None:
    pair, partition = Pair(period=1.0, poll=1.0), Partition()
    assert {lag.condition for lag in _group(pair, partition, 0, 30, stopped=False)} == {"ok"}
    stopped = _group(pair, partition, 30, 60, stopped=True)
    first = next(lag for lag in stopped if lag.condition == "stop")
    assert first.observed_at - (START + 30) < 15
    assert "worst is orders/0 with" in first.note
    assert _group(pair, partition, 60, 63, stopped=False)[-1].condition == "ok"
    at = START + 62.4
    back = lags(partition.step(at + 0.01, [look_at(at, 10.0, 6200.0)]))
    assert [lag.condition for lag in back] == ["rewind"], "less than a second after the report before"
    silent = lags(partition.step(START + 100))
    assert [(lag.status, lag.condition) for lag in silent] == [(LagStatus.UNKNOWN, "unknown")]


def test_a_group_is_as_bad_as_its_worst_partition() -> None:
    partition, policy = Partition(), POLICY.groups
    for second in range(30):
        at = START + second
        moved = 100.0 * second
        _, look = look_at(at, 0.0, moved)
        assert isinstance(look, GroupProgress)
        places = ("orders/0", "orders/1")
        both = replace(look, place=places, committed=(moved, 10.0), end=(moved, 90.0), owned=(1.0, 0.0))
        partition.step(at + 0.01, [(at + 0.002, both)])
    group = partition.state["group/orders/r1"]
    assert isinstance(group, Group)
    assert policy.patience < 29
    assert (group.status, [place.name for place in group.places]) == (GroupStatus.STOP, ["orders/0", "orders/1"])
    assert group.note.endswith("worst is orders/1 with 80")


def answers_of(at: float, *roles: str, in_sync: float = nan) -> tuple[float, Record]:
    record = QuorumAnswers(
        dataset="zk",
        system="zookeeper",
        node="w",
        asked_at=at,
        period=1.0,
        sent_at=at,
        voters=("z1", "z2", "z3"),
        member=("z1", "z2", "z3")[: len(roles)],
        role=roles,
        in_sync=tuple(in_sync if role == "leader" else nan for role in roles),
        pending=tuple(0.0 if role == "leader" else nan for role in roles),
    )
    return at + 0.002, record


def test_the_state_of_a_quorum_is_published_when_it_changes_and_every_so_often() -> None:
    partition = Partition()

    def told(at: float, *answers: tuple[float, Record]) -> list[tuple[str, float | None, LagStatus]]:
        found = lags(partition.step(START + at, list(answers)), "quorum")
        return [(lag.condition, lag.tolerates, lag.status) for lag in found]

    fresh = LagStatus.FRESH
    sound = ("leader", "follower", "follower")
    assert told(0, answers_of(START, *sound, in_sync=3.0)) == [("healthy", 1.0, fresh)]
    assert told(0.5, answers_of(START + 0.5, *sound, in_sync=3.0)) == []
    assert told(0.6, answers_of(START + 0.6, "leader", "follower", in_sync=2.0)) == [("critical", 0.0, fresh)]
    assert told(1.7, answers_of(START + 1.7, "none")) == [("unknown", -2.0, fresh)]
    assert told(2.0, answers_of(START + 2.0, "none", "none")) == [("lost", -2.0, fresh)]
    assert told(30.0) == [("unknown", -2.0, LagStatus.UNKNOWN)]


def test_who_is_inside_a_quorum_is_published_until_it_falls_silent() -> None:
    partition = Partition()

    def inside(at: float, *answers: tuple[float, Record]) -> list[tuple[str, ...]]:
        return [lag.inside for lag in lags(partition.step(START + at, list(answers)), "quorum")]

    assert inside(0, answers_of(START, "leader", "follower", "none", in_sync=2.0)) == [("z1", "z2")]
    assert inside(30.0) == [()]


def test_a_leader_of_an_older_term_is_no_second_leader() -> None:
    _, answers = answers_of(START, "leader", "leader", "follower")
    assert isinstance(answers, QuorumAnswers)

    def told(record: QuorumAnswers) -> list[str]:
        return [lag.condition for lag in lags(Partition().step(START, [(START + 0.002, record)]), "quorum")]

    assert told(replace(answers, term=(4.0, 5.0, 5.0))) == ["critical"]
    assert told(replace(answers, term=(5.0, 5.0, 5.0))) == ["split"]


def test_a_voter_that_takes_no_part_is_told_with_what_its_leader_says_of_it() -> None:
    _, answers = answers_of(START, "leader", "follower", "none", in_sync=2.0)
    assert isinstance(answers, QuorumAnswers)
    told = replace(answers, behind=(0.0, 1.0, 812.0), unheard=(0.0, 0.4, 12.4))
    [lag] = lags(Partition().step(START, [(START + 0.002, told)]), "quorum")
    assert lag.note == "leader z1, 2 of 3 in sync; z3 is 812 records behind and was last heard 12.4 s ago"


def test_looks_and_answers_that_cannot_be_judged_are_rejected() -> None:
    look, answers = look_at(START, 1.0, 2.0)[1], answers_of(START, "leader", in_sync=3.0)[1]
    assert isinstance(look, GroupProgress)
    assert isinstance(answers, QuorumAnswers)
    wrong: list[Record] = [
        replace(look, end=(nan,)),
        replace(look, owned=()),
        replace(look, answered=nan),
        replace(answers, role=()),
        replace(answers, term=(1.0, 2.0)),
        replace(answers, unheard=(1.0, 2.0)),
    ]
    messages = [Message(index, 0.0, None, CODEC.encode(record)) for index, record in enumerate(wrong)]
    assert [reject.message.offset for reject in MarkerFold(POLICY).decode(messages).rejects] == [0, 1, 2, 3, 4, 5]


def test_state_of_earlier_versions_is_read() -> None:
    pair, partition = Pair(poll=0.1), Partition()
    _run(pair, partition, 0, 5)
    raw = partition.fold.dump(partition.state["replica/orders/r1"])
    name, _, fields = raw.partition(b",")
    later = ("unit", "condition", "pending", "good", "bad", "counted")
    old = {field: value for field, value in orjson.loads(fields[:-1]).items() if field not in later}
    read = partition.fold.load(name + b"," + orjson.dumps(old) + b"]")
    assert isinstance(read, Replica)
    assert (read.unit, read.condition, read.pending, read.counted) == (PositionUnit.BYTES, "", (), 0.0)
