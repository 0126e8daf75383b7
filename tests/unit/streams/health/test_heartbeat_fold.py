"""The failure detector, driven by beats and ticks on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Heartbeat, Liveness, NodeHealth, NodeStatus
from snowshed.streams.folding import Batch, Emission, Message
from snowshed.streams.health import HeartbeatColumns, HeartbeatFold, NodeState
from snowshed.streams.health.arrivals import suspicion
from snowshed.streams.policy import Policy, ServicePolicy

CODEC = Codec()
POLICY = Policy(services={"pay": ServicePolicy(domain="money")})
START = 1_700_000_000.0


class Partition:
    """One partition's fold and state, fed with beats as (append time, heartbeat)."""

    def __init__(self, policy: Policy = POLICY, *, round_trip: bool = False) -> None:
        self.fold = HeartbeatFold(policy)
        self.state: dict[str, NodeState] = {}
        self.offset = 0
        self.version = 0
        self.lost = 0.0
        self.clock_off: float | None = None
        self.round_trip = round_trip

    def step(
        self, now: float, beats: Iterable[tuple[float, Heartbeat]] = (), detector_lag: float = 0.0
    ) -> tuple[Emission, ...]:
        """Fold the beats or a tick; `lost` and `clock_off` then are what the fold gave to the metrics."""
        messages = [
            Message(self.offset + index, appended, beat.node.encode(), CODEC.encode(beat))
            for index, (appended, beat) in enumerate(beats)
        ]
        decoded = self.fold.decode(messages)
        assert decoded.rejects == ()
        first, self.offset = self.offset, self.offset + len(messages)
        self.version += 1
        batch: Batch[HeartbeatColumns] = Batch(
            0, first, self.offset, self.version, now, True, detector_lag, decoded.records
        )
        step = self.fold.step(self.state, batch)
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
        self.lost, self.clock_off = step.lost, step.clock_off
        return step.emissions

    def statuses(self, emissions: tuple[Emission, ...]) -> list[tuple[str, str]]:
        healths = [emission.record for emission in emissions if emission.topic == "health"]
        return [(health.node, health.status.value) for health in healths if isinstance(health, NodeHealth)]


def beat(node: str, number: int, *, interval: float = 0.5, offset: float = 0.0, clock: float = 0.0) -> Heartbeat:
    elapsed = number * interval + offset
    return Heartbeat(
        node=node,
        service="pay" if node.startswith("p") else "web",
        host=f"host-of-{node}",
        seq=float(number),
        sent_at=START + elapsed,
        monotonic=clock + elapsed,
        interval=interval,
    )


def run(partition: Partition, nodes: str, first: int, last: int) -> None:
    for number in range(first, last + 1):
        now = START + number * 0.5 + 0.01
        partition.step(now, [(now, beat(node, number)) for node in nodes])


def watch(partition: Partition, start: float, end: float, period: float = 0.1) -> list[tuple[float, str, str]]:
    seen: list[tuple[float, str, str]] = []
    for index in range(1, round((end - start) / period) + 1):
        now = start + index * period
        seen += [(now - start, node, status) for node, status in partition.statuses(partition.step(now))]
    return seen


def changes(seen: list[tuple[float, str, str]], node: str) -> list[str]:
    names = [status for _, name, status in seen if name == node]
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


def test_a_new_node_is_reported_to_its_domain_and_to_the_health_topic() -> None:
    emissions = Partition().step(START + 1, [(START + 1, beat("p1", 2))])
    assert [(item.topic, item.key, item.rule) for item in emissions] == [
        ("health", "p1", "node-alive/1"),
        ("observations", "money", "node-alive/1"),
    ]


def test_beats_that_are_missing_in_a_nodes_sequence_are_counted_and_those_of_a_new_process_are_not() -> None:
    partition = Partition()
    for numbers, lost in (((1, 2), 0.0), ((5,), 2.0), ((4,), 0.0), ((6, 9), 2.0)):
        partition.step(START + numbers[-1], [(START + number, beat("p1", number)) for number in numbers])
        assert partition.lost == lost
    partition.step(START + 12, [(START + 12, replace(beat("p1", 11), seq=1.0))])
    assert partition.lost == 0.0


def test_a_killed_node_is_suspected_within_one_interval_and_dead_two_seconds_later() -> None:
    partition = Partition()
    run(partition, "ab", 1, 40)
    last = START + 20.01
    seen: list[tuple[float, str, str]] = []
    for number in range(41, 61):
        now = START + number * 0.5 + 0.01
        for fraction in (0.1, 0.2, 0.3, 0.4, 0.5):
            at = now - 0.5 + fraction
            beats = [(now, beat("a", number))] if fraction == 0.5 else []
            seen += [(at - last, node, status) for node, status in partition.statuses(partition.step(at, beats))]
    times = {status: at for at, node, status in reversed(seen) if node == "b"}
    assert 0.7 < times["suspect"] <= 0.82
    assert 2.7 < times["dead"] <= 2.92
    assert set(changes(seen, "a")) == {"alive"}


def test_a_node_that_beats_again_is_alive_at_once_and_its_gap_is_not_learned() -> None:
    partition = Partition()
    run(partition, "ab", 1, 30)
    run(partition, "a", 31, 45)
    assert partition.state["b"].status is Liveness.DEAD
    learned = partition.state["b"].mean
    now = START + 23.01
    assert partition.statuses(partition.step(now, [(now, beat("b", 46)), (now, beat("a", 46))])) == [("b", "alive")]
    assert partition.state["b"].mean == learned


def test_leaving_is_left_and_ended_is_dead_without_any_wait() -> None:
    partition = Partition()
    run(partition, "ab", 1, 10)
    now = START + 5.2
    leaving = replace(beat("a", 11), sent_at=START + 5.1, monotonic=5.1, status=NodeStatus.LEAVING)
    ended = replace(beat("b", 1), sent_at=START + 5.1, monotonic=5.1, status=NodeStatus.ENDED)
    assert partition.statuses(partition.step(now, [(now, leaving), (now, ended)])) == [("a", "left"), ("b", "dead")]
    assert watch(partition, now, now + 30) == []


def test_beats_sent_before_the_end_was_seen_do_not_revive_a_dead_node() -> None:
    partition = Partition()
    run(partition, "b", 1, 10)
    ended = replace(beat("b", 0), sent_at=START + 5.6, monotonic=5.6, status=NodeStatus.ENDED)
    partition.step(START + 5.7, [(START + 5.7, ended)])
    assert partition.step(START + 5.8, [(START + 5.8, beat("b", 11))]) == ()
    restarted = replace(beat("b", 1), sent_at=START + 6.0, monotonic=6.0)
    assert partition.statuses(partition.step(START + 6.1, [(START + 6.1, restarted)])) == [("b", "alive")]


def test_an_end_seen_before_a_newer_beat_is_ignored() -> None:
    partition = Partition()
    run(partition, "b", 1, 10)
    ended = replace(beat("b", 0), sent_at=START + 4.9, monotonic=4.9, status=NodeStatus.ENDED)
    assert partition.step(START + 5.1, [(START + 5.1, ended)]) == ()


@given(st.permutations(range(1, 12)), st.lists(st.integers(1, 11), max_size=10))
def test_duplicates_and_late_beats_change_nothing_but_how_late_beats_have_been(
    order: list[int], again: list[int]
) -> None:
    clean, messy = Partition(), Partition()
    run(clean, "a", 1, 12)
    run(messy, "a", 1, 12)
    now = START + 6.02
    assert messy.step(now, [(now, beat("a", number)) for number in [*order, *again]]) == ()
    assert messy.state["a"]._replace(lateness=0.0, straggling=0.0) == clean.state["a"]


def test_a_node_whose_beats_come_late_is_convicted_later_by_as_much() -> None:
    waits: list[float] = []
    for late in (0.0, 1.5):
        partition = Partition()
        run(partition, "ab", 1, 40)
        now = START + 20.51 + late
        partition.step(now, [(now, beat("b", 41))])
        for number in range(42, 60):
            now = START + number * 0.5 + 0.01
            partition.step(now, [(now, beat(node, number)) for node in "ab"])
        dead = [at for at, node, status in watch(partition, now, now + 10.0) if (node, status) == ("b", "dead")]
        waits += dead[:1]
    assert waits[1] - waits[0] == pytest.approx(1.5, abs=0.2)


def test_a_restart_learns_its_intervals_afresh_and_stays_alive() -> None:
    partition = Partition()
    run(partition, "a", 1, 40)
    now = START + 20.6
    reborn = replace(beat("a", 1, interval=1.0), sent_at=START + 20.5, monotonic=3.0)
    assert {status for _, status in partition.statuses(partition.step(now, [(now, reborn)]))} <= {"alive"}
    state = partition.state["a"]
    assert (state.seq, state.mean, state.samples, state.status) == (1.0, 1.0, 0.0, Liveness.ALIVE)


def test_half_of_the_partition_falling_silent_at_once_convicts_nobody() -> None:
    partition = Partition()
    run(partition, "abcdef", 1, 20)
    seen: list[tuple[float, str, str]] = []
    for number in range(21, 60):
        now = START + number * 0.5 + 0.01
        beats = [(now, beat(node, number)) for node in "abc"]
        seen += [(now, *item) for item in partition.statuses(partition.step(now, beats))]
    assert {status for _, node, status in seen if node in "def"} - {"alive"} == {"observer_suspect"}
    assert all(partition.state[node].status is Liveness.OBSERVER_SUSPECT for node in "def")
    now = START + 30.01
    back = partition.statuses(partition.step(now, [(now, beat(node, 60)) for node in "abcdef"]))
    assert [item for item in back if item[0] in "def"] == [("d", "alive"), ("e", "alive"), ("f", "alive")]


def test_when_most_of_the_suspects_return_the_others_are_judged_as_usual() -> None:
    partition = Partition()
    run(partition, "abcdef", 1, 20)
    run(partition, "abc", 21, 25)
    run(partition, "abcde", 26, 40)
    assert partition.state["f"].status is Liveness.DEAD
    assert partition.state["e"].status is Liveness.ALIVE


def test_nodes_dying_one_after_another_are_convicted_though_they_are_most_of_the_fleet() -> None:
    partition = Partition()
    run(partition, "abcd", 1, 20)
    run(partition, "abc", 21, 40)
    run(partition, "ab", 41, 60)
    assert {node: state.status for node, state in partition.state.items() if node in "cd"} == {
        "c": Liveness.DEAD,
        "d": Liveness.DEAD,
    }


@pytest.mark.parametrize(("score", "limit"), [(0.0, 0.713), (1.0, 1.43), (3.0, 2.86)])
def test_silence_counts_for_less_the_worse_the_node_feels(score: float, limit: float) -> None:
    partition = Partition()
    for number in range(1, 20):
        now = START + number * 0.5
        partition.step(now, [(now, replace(beat("a", number), local_health=score))])
    seen = watch(partition, START + 9.5, START + 13.0, 0.01)
    assert next(at for at, _, status in seen if status == "suspect") == pytest.approx(limit, abs=0.02)


def test_a_node_whose_beats_often_come_late_is_not_suspected_for_it_and_convicted_no_later() -> None:
    partition = Partition(round_trip=True)
    suspected: list[int] = []
    for number in range(1, 400):
        now = START + number * 0.5 + 0.01
        # Of twenty beats two are lost for a while, the first of which arrives with the two that follow.
        due = [] if number % 20 in {0, 1} else [beat("a", number)]
        late = [beat("a", number - 2)] if number % 20 == 2 and number > 20 else []
        seen = partition.statuses(partition.step(now, [(now, one) for one in (*late, *due)]))
        suspected += [number for _, status in seen if status == "suspect"]
    assert suspected in ([], [21])
    seen_after = watch(partition, START + 399 * 0.5, START + 399 * 0.5 + 10.0)
    moments = {status: at for at, _, status in seen_after}
    assert 2.0 <= moments["dead"] - moments["suspect"] < 2.4
    assert moments["suspect"] > 1.2


def test_a_lone_straggler_does_not_put_suspicion_off() -> None:
    usual, once = Partition(), Partition()
    for partition, stray in ((usual, False), (once, True)):
        run(partition, "a", 1, 210)
        if stray:
            now = START + 105.02
            partition.step(now, [(now, beat("a", 199))])
        run(partition, "a", 211, 560)
    # In reverse, because a suspicion that lasts is reported again.
    first, second = (
        {status: at for at, _, status in reversed(watch(one, START + 280.0, START + 295.0))} for one in (usual, once)
    )
    assert second["suspect"] == first["suspect"]
    assert second["dead"] > first["dead"] + 1.0


def test_a_conviction_does_not_wait_for_the_looks_between() -> None:
    moments: list[float] = []
    for period in (0.05, 0.49):
        partition = Partition()
        run(partition, "a", 1, 20)
        moments.append(
            next(at for at, _, status in watch(partition, START + 10.0, START + 16.0, period) if status == "dead")
        )
    assert moments[1] - moments[0] <= 0.25


def test_a_late_detector_doubts_itself_first() -> None:
    partition = Partition()
    run(partition, "a", 1, 20)
    partition.step(START + 11.0, detector_lag=0.6)
    assert partition.state["a"].status is Liveness.ALIVE
    assert partition.statuses(partition.step(START + 11.0)) == [("a", "suspect")]


def test_an_unchanged_node_is_reported_every_five_seconds_and_ticks_between_are_empty() -> None:
    partition = Partition()
    reports: list[float] = []
    for number in range(1, 61):
        now = START + number * 0.5
        if partition.statuses(partition.step(now, [(now, beat("a", number))])):
            reports.append(now - START)
        tick = partition.fold.step(
            partition.state, Batch(0, 0, 0, 0, now + 0.1, True, 0.0, partition.fold.decode([]).records)
        )
        assert tick.empty
    assert reports == [0.5, 5.5, 10.5, 15.5, 20.5, 25.5]


def test_a_dead_node_is_forgotten_after_an_hour() -> None:
    partition = Partition()
    run(partition, "a", 1, 4)
    watch(partition, START + 2.01, START + 10)
    assert "a" in partition.state
    partition.step(START + 3700)
    assert partition.state == {}


def test_phi_discounts_silence_that_the_detector_or_the_node_may_have_caused() -> None:
    partition = Partition()
    now = START + 0.5
    partition.step(now, [(now, replace(beat("a", 1), local_health=1.0))])
    (sure, *_) = (item.record for item in partition.step(now + 5.0))
    partition.step(now + 5.0, [(now + 5.0, replace(beat("a", 11), local_health=1.0))])
    (unsure, *_) = (item.record for item in partition.step(now + 10.0 - 0.001, detector_lag=0.6))
    assert isinstance(sure, NodeHealth)
    assert isinstance(unsure, NodeHealth)
    assert sure.phi == pytest.approx(suspicion(2.5, 0.5, 0.05))
    assert unsure.phi == pytest.approx(suspicion(4.999 / 3, 0.5, 0.05), rel=1e-6)


def test_a_report_carries_phi_and_what_the_node_said_of_itself() -> None:
    partition = Partition()
    run(partition, "a", 1, 20)
    record = partition.step(START + 10.8)[0].record
    assert isinstance(record, NodeHealth)
    assert record.phi > 5.0
    assert (record.host, record.last_seen, record.since) == ("host-of-a", START + 10.01, START + 10.8)
    assert record.interval == pytest.approx(0.5)


moves = st.lists(
    st.tuples(
        st.floats(0.0, 1.5),
        st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 30), st.sampled_from(NodeStatus)), max_size=6),
    ),
    max_size=20,
)


@given(moves)
def test_a_fold_resumed_from_its_dumped_state_behaves_as_one_never_interrupted(
    script: list[tuple[float, list[tuple[str, int, NodeStatus]]]],
) -> None:
    straight, resumed = Partition(), Partition(round_trip=True)
    now = START
    for wait, beats in script:
        now += wait
        log = [(now, replace(beat(node, number), status=status)) for node, number, status in beats]
        assert straight.step(now, log) == resumed.step(now, log)
    assert straight.state == resumed.state
