"""Replication lag: the truth lies in the interval, and the status follows what is proved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import inf, isnan, nan
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Heartbeat, Lag, LagStatus, Marker, ReplicaRole
from snowshed.streams.clocks import Clock
from snowshed.streams.folding import Batch, Emission, Message
from snowshed.streams.lag import LagState, MarkerFold
from snowshed.streams.lag.interval import UNKNOWN, staleness
from snowshed.streams.lag.servers import Replica, Source, first_newer, written
from snowshed.streams.policy import DatasetPolicy, Policy

CODEC = Codec()
POLICY = Policy(datasets={"orders": DatasetPolicy(domain="shop")})
START = 1_700_000_000.0


class Partition:
    """One partition's fold and state, fed with (append time, marker)."""

    def __init__(self, *, round_trip: bool = False) -> None:
        self.fold = MarkerFold(POLICY)
        self.state: dict[str, LagState] = {}
        self.offset = 0
        self.lost = 0.0
        self.round_trip = round_trip

    def step(self, now: float, markers: Iterable[tuple[float, Marker]] = ()) -> tuple[Emission, ...]:
        messages = [
            Message(self.offset + index, appended, b"orders", CODEC.encode(marker))
            for index, (appended, marker) in enumerate(markers)
        ]
        decoded = self.fold.decode(messages)
        assert decoded.rejects == ()
        first, self.offset = self.offset, self.offset + len(messages)
        step = self.fold.step(self.state, Batch(3, first, self.offset, 1, now, True, 0.0, decoded.records))
        for key, value in step.changes.items():
            if value is None:
                del self.state[key]
            elif self.round_trip:
                raw = self.fold.dump(value)
                self.state[key] = self.fold.load(raw)
                assert self.state[key] == value
                assert self.fold.dump(self.state[key]) == raw
            else:
                self.state[key] = value
        self.lost = step.lost
        return step.emissions


def lags(emissions: Iterable[Emission], replica: str = "r1") -> list[Lag]:
    records = [item.record for item in emissions if item.topic == "lag"]
    return [record for record in records if isinstance(record, Lag) and record.replica == replica]


@dataclass
class Pair:
    """A source that writes a row each `period`, and a replica that applies them with a lag the test sets.

    Time is the broker's; the clocks of the two nodes are off by `shift`.
    """

    period: float = 0.2
    poll: float = 0.5
    shift: dict[str, float] = field(default_factory=lambda: {"w": 0.0, "r": 0.0})
    delay: float = 0.002
    applied: float = 0.0
    """Writes up to this time are applied at the replica."""

    def source(self, at: float) -> tuple[float, Marker]:
        version = round((at - START) / self.period)
        return at + self.delay, self._marker("w", "pg-main", ReplicaRole.SOURCE, at, version)

    def replica(self, at: float) -> tuple[float, Marker]:
        version = int((self.applied - START) / self.period + 1e-6)
        return at + self.delay, self._marker("r", "r1", ReplicaRole.REPLICA, at, version)

    def _marker(self, node: str, server: str, role: ReplicaRole, at: float, version: int) -> Marker:
        return Marker(
            dataset="orders",
            replica=server,
            role=role,
            system="postgresql",
            node=node,
            writer="w",
            version=float(version),
            written_at=START + version * self.period - self.shift["w"],
            seen_at=at - self.shift[node],
            sent_at=at - self.shift[node],
            monotonic=at - START,
            round_trip=0.004,
            row_period=self.period,
            poll_period=self.poll,
            position=1000.0 * version,
        )

    def run(
        self, partition: Partition, start: float, end: float, *, pause: float = inf, silent: tuple[str, ...] = ()
    ) -> list[Lag]:
        """Ten steps a second from `start` to `end` seconds; replay stands still from `pause` on."""
        seen: list[Lag] = []
        for tick in range(round(start * 10) + 1, round(end * 10) + 1):
            at = START + tick / 10
            self.applied = min(at, START + pause)
            markers: list[tuple[float, Marker]] = []
            if tick % 2 == 0 and "w" not in silent:
                markers.append(self.source(at))
            if tick % 5 == 0 and "r" not in silent:
                markers.append(self.replica(at))
            seen += lags(partition.step(at + 0.01, markers))
        return seen


@pytest.mark.parametrize("shift", [{"w": 0.0, "r": 0.0}, {"w": 1.7, "r": -1.9}])
def test_a_caught_up_replica_is_fresh_whatever_its_clock_says(shift: dict[str, float]) -> None:
    seen = Pair(shift=shift).run(Partition(), 0, 30)
    assert {lag.status for lag in seen} == {LagStatus.FRESH}
    assert all(lag.low == 0.0 for lag in seen)
    assert all(lag.high < 0.7 for lag in seen[1:])
    assert 28 <= len(seen) <= 32


def test_paused_replay_is_behind_once_it_is_proved_and_the_interval_grows_with_each_poll() -> None:
    pair, partition = Pair(shift={"w": 2.0, "r": -1.0}), Partition()
    pair.run(partition, 0, 20)
    seen = pair.run(partition, 20, 40, pause=20.0)
    behind = [lag for lag in seen if lag.status is LagStatus.BEHIND]
    assert behind[0].observed_at - (START + 20) == pytest.approx(2.5, abs=0.11)
    assert behind[0].since == behind[0].observed_at
    for lag in behind:
        assert lag.low - 0.1 <= lag.observed_at - (START + 20) <= lag.high
    assert behind[-1].low > 18
    assert behind[-1].bytes_behind > 80_000
    assert (behind[-1].domain, behind[-1].evidence_partition, behind[-1].slo) == ("shop", 3, 2.0)


def test_a_replica_that_catches_up_is_fresh_again() -> None:
    pair, partition = Pair(), Partition()
    pair.run(partition, 0, 20)
    pair.run(partition, 20, 30, pause=20.0)
    seen = pair.run(partition, 30, 33)
    assert (seen[0].status, seen[-1].status) == (LagStatus.FRESH, LagStatus.FRESH)


def test_between_half_the_objective_and_the_objective_a_late_replica_stays_late() -> None:
    pair, partition = Pair(), Partition()
    pair.run(partition, 0, 10)
    pair.run(partition, 10, 15, pause=10.0)
    hovering: list[Lag] = []
    for tick in range(151, 200):
        at = START + tick / 10
        pair.applied = at - 1.4
        markers = [pair.source(at)] if tick % 2 == 0 else []
        hovering += lags(partition.step(at + 0.01, markers + ([pair.replica(at)] if tick % 5 == 0 else [])))
    assert {lag.status for lag in hovering} == {LagStatus.BEHIND}
    assert hovering[-1].low < hovering[-1].slo


def test_a_replica_without_markers_is_unknown_and_never_fresh() -> None:
    pair, partition = Pair(), Partition()
    pair.run(partition, 0, 10)
    seen = pair.run(partition, 10, 20, silent=("r",))
    assert [lag.status for lag in seen][1:] == [LagStatus.UNKNOWN]
    assert seen[1].observed_at - (START + 10) == pytest.approx(2.5, abs=0.2)


def test_a_source_that_stops_writing_makes_its_caught_up_replica_unknown_and_not_late() -> None:
    pair, partition = Pair(), Partition()
    pair.run(partition, 0, 10)
    seen = pair.run(partition, 10, 20, pause=10.0, silent=("w",))
    assert next(lag.status for lag in seen if lag.status is not LagStatus.FRESH) is LagStatus.UNKNOWN
    assert LagStatus.BEHIND not in {lag.status for lag in seen}
    assert all(lag.low == 0.0 for lag in seen)


def test_the_source_is_reported_as_exactly_current_and_unknown_once_it_falls_silent() -> None:
    pair, partition = Pair(), Partition()
    emissions = partition.step(START + 1, [pair.source(START + 1)])
    assert [(lag.low, lag.high, lag.status) for lag in lags(emissions, "pg-main")] == [(0.0, 0.0, LagStatus.FRESH)]
    silent = [lag for tick in range(40) for lag in lags(partition.step(START + 1 + tick / 10), "pg-main")]
    assert [lag.status for lag in silent] == [LagStatus.UNKNOWN]


def test_a_replica_heard_before_its_source_is_not_called_unknown_until_it_had_time() -> None:
    pair, partition = Pair(), Partition()
    pair.applied = START + 1
    assert partition.step(START + 1, [pair.replica(START + 1)]) == ()
    assert partition.step(START + 3, [pair.replica(START + 3)]) == ()
    late = lags(partition.step(START + 5, [pair.replica(START + 5)]))
    assert [lag.status for lag in late] == [LagStatus.UNKNOWN]
    assert isnan(late[0].high)


def test_duplicates_and_late_markers_change_nothing_but_the_clock() -> None:
    pair, partition = Pair(), Partition()
    pair.run(partition, 0, 10)
    pair.applied = START + 4
    before = {key: value for key, value in partition.state.items() if not key.startswith("clock/")}
    assert partition.step(START + 10.01, [pair.replica(START + 4), pair.source(START + 4)]) == ()
    assert {key: value for key, value in partition.state.items() if not key.startswith("clock/")} == before


def test_markers_that_cannot_be_judged_are_rejected() -> None:
    good = Pair().source(START)[1]
    values = [
        CODEC.encode(replace(good, written_at=nan)),
        CODEC.encode(Heartbeat(node="n", service="s", seq=1, sent_at=1, monotonic=1, interval=1)),
        b"junk",
        None,
        CODEC.encode(good),
    ]
    decoded = MarkerFold(POLICY).decode([Message(index, 0.0, None, value) for index, value in enumerate(values)])
    assert [reject.message.offset for reject in decoded.rejects] == [0, 1, 2, 3]
    assert [record.offset for record in decoded.records] == [4]


def test_a_source_remembers_a_bounded_history() -> None:
    pair, partition = Pair(), Partition()
    pair.run(partition, 0, 120)
    source = partition.state["source/orders/w"]
    assert isinstance(source, Source)
    assert len(source.history) <= 64
    assert list(source.history) == sorted(source.history)
    assert source.history[-1][0] == 600.0
    assert [version for version, _ in source.took] == [version for version, _ in source.history]


def test_a_replica_is_late_since_the_commit_of_what_it_lacks_and_not_since_its_row_was_stamped() -> None:
    pair = Pair()
    appended, first = pair.source(START + 1.0)
    _, slow = pair.source(START + 2.0)
    source = written(written(None, first, appended, 0), replace(slow, seen_at=slow.written_at + 0.7), appended, 1)
    assert first_newer(source, first.version) == pytest.approx(START + 2.7)
    assert first_newer(source, slow.version) is None
    of_an_earlier_release = replace(source, took=())
    assert first_newer(of_an_earlier_release, first.version) == START + 2.0


def test_ticks_with_nothing_due_are_empty_and_silent_servers_are_forgotten() -> None:
    pair, partition = Pair(), Partition()
    pair.run(partition, 0, 10)
    tick = Batch(0, 0, 0, 1, START + 10.05, True, 0.0, partition.fold.decode([]).records)
    assert partition.fold.step(partition.state, tick).empty
    partition.step(START + 4000)
    partition.step(START + 8000)
    assert set(partition.state) == {"budget/orders"}
    partition.step(START + 4000 + 31 * 86_400)
    assert partition.state == {}


def simulated(seed: int) -> tuple[int, list[str]]:
    """One random pair of nodes; returns how many intervals were checked and the violations among them."""
    draw = Random(seed)
    shift = {"w": draw.uniform(-2, 2), "r": draw.uniform(-2, 2)}
    network = draw.choice([0.001, 0.005, 0.02])
    period, poll = draw.uniform(0.1, 1.0), draw.uniform(0.1, 0.6)
    smallest = {"w": nan, "r": nan}
    partition = Partition()
    events: list[tuple[float, Marker]] = []
    at, version, rows = START, 0, list[tuple[float, int]]()
    while at < START + 8:
        at += period * draw.uniform(0.8, 1.6)
        version += 1
        rows.append((at, version))
    source_reads = [(time, "w", number, time) for time, number in rows]
    replica_reads: list[tuple[float, str, int, float]] = []
    truths: dict[float, float] = {}
    position, at = START, START + 1.2
    while at < START + 8:
        reached = at - draw.choice([0.0, 0.05, 0.5, 3.0]) * draw.random()
        newest = max((time for time, _ in rows if time <= reached), default=reached)
        position = max(position, draw.choice([reached, newest]))
        shown = max(((time, number) for time, number in rows if time <= position), default=(0.0, 0))
        if shown[1]:
            replica_reads.append((at, "r", shown[1], shown[0]))
            truths[at] = at - position
        at += poll
    for time, node, number, row in sorted(source_reads + replica_reads):
        outward, back = draw.expovariate(1 / network), draw.expovariate(1 / network)
        marker = Marker(
            dataset="orders",
            replica="pg" if node == "w" else "r1",
            role=ReplicaRole.SOURCE if node == "w" else ReplicaRole.REPLICA,
            system="postgresql",
            node=node,
            writer="w",
            version=float(number),
            written_at=row - shift["w"],
            seen_at=time - shift[node],
            sent_at=time - shift[node],
            monotonic=time - START,
            round_trip=smallest[node],
            row_period=period,
            poll_period=poll,
        )
        events.append((time + outward, marker))
        smallest[node] = outward + back if isnan(smallest[node]) else min(smallest[node], outward + back)
    checked, wrong = 0, list[str]()
    for appended, marker in sorted(events, key=lambda event: event[0]):
        read_at = marker.seen_at + shift[marker.node]
        partition.step(appended, [(appended, marker)])
        replica = partition.state.get("replica/orders/r1")
        if marker.role is ReplicaRole.REPLICA and isinstance(replica, Replica):
            reader, writer = partition.state.get("clock/r"), partition.state.get("clock/w")
            assert isinstance(reader, Clock | None)
            assert isinstance(writer, Clock | None)
            interval = staleness(replica, reader, writer, now=appended, policy=POLICY.lag)
            truth = truths[min(truths, key=lambda time: abs(time - read_at))]
            if interval is not UNKNOWN:
                checked += 1
                if not interval.low <= truth <= interval.high_at_read <= interval.high:
                    wrong.append(f"seed {seed} at {read_at - START}: {truth} not in {interval}")
    return checked, wrong


def test_the_truth_is_always_inside_the_interval() -> None:
    outcomes = [simulated(seed) for seed in range(300)]
    assert sum(checked for checked, _ in outcomes) > 3000
    assert [violation for _, wrong in outcomes for violation in wrong] == []


moves = st.lists(
    st.tuples(st.floats(0.0, 2.0), st.booleans(), st.booleans(), st.floats(0.0, 4.0)), min_size=1, max_size=25
)


@given(moves)
def test_a_fold_resumed_from_its_dumped_state_behaves_as_one_never_interrupted(
    script: list[tuple[float, bool, bool, float]],
) -> None:
    straight, resumed = Partition(), Partition(round_trip=True)
    pair, now = Pair(), START
    for wait, writes, polls, behind in script:
        now += wait
        pair.applied = max(now - behind, START)
        markers = ([pair.source(now)] if writes else []) + ([pair.replica(now)] if polls else [])
        assert repr(straight.step(now + 0.01, markers)) == repr(resumed.step(now + 0.01, markers))
    assert straight.state == resumed.state
