"""Nodes whose wall clock is wrong: they are judged as all others, and by how much it is off is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.streams.health.test_heartbeat_fold import START, Partition, beat, changes

from snowshed.schemas.records import Heartbeat, NodeHealth

_OFF = pytest.mark.parametrize("off", [2.0, -2.0, 30.0, -30.0, 3600.0, -3600.0])
_WAY = 0.01
"""Seconds from a beat to its append."""


def sent(number: int, *, off: float, boot: float = 500.0, delay: float = 0.0) -> Heartbeat:
    """Beat `number` of a node whose clock is off and whose host has been up for so long at the start."""
    one = beat("a", number, clock=boot)
    return replace(one, sent_at=one.sent_at + off - delay, monotonic=one.monotonic - delay, round_trip=0.02)


def play(partition: Partition, numbers: range, *, off: float, boot: float = 500.0) -> list[tuple[float, str, str]]:
    """Half a second each; what the node is said to be."""
    seen: list[tuple[float, str, str]] = []
    for number in numbers:
        now = START + number * 0.5 + _WAY
        one = sent(number, off=off, boot=boot)
        seen += [(now - START, *said) for said in partition.statuses(partition.step(now, [(now, one)]))]
    return seen


def wait(partition: Partition, numbers: range) -> list[tuple[float, str, str]]:
    """The same without a beat."""
    return [
        (number * 0.5, *said)
        for number in numbers
        for said in partition.statuses(partition.step(START + number * 0.5 + _WAY))
    ]


def told(partition: Partition, numbers: range, *, off: float) -> list[float]:
    """What the reports say of the clock."""
    found: list[float] = []
    for number in numbers:
        now = START + number * 0.5 + _WAY
        records = [one.record for one in partition.step(now, [(now, sent(number, off=off))]) if one.topic == "health"]
        found += [record.clock_ahead for record in records if isinstance(record, NodeHealth)]
    return found


@_OFF
def test_how_far_a_clock_is_off_is_told_to_within_the_way_of_a_beat(off: float) -> None:
    found = told(Partition(round_trip=True), range(60), off=off)
    assert found[0] == 0.0, "one beat may be late for many a reason"
    assert found[-1] == pytest.approx(off, abs=0.02)


def test_a_right_clock_is_not_accused_however_late_most_beats_are() -> None:
    partition = Partition()
    for number in range(60):
        now = START + number * 0.5 + _WAY
        late = 0.0 if number % 20 == 0 else 4.0
        partition.step(now, [(now, sent(number, off=0.0, delay=late))])
    assert partition.state["a"].ahead == 0.0


@pytest.mark.parametrize(("way", "ahead"), [(0.8, 0.0), (5.0, 0.0), (40.0, -10.0)])
def test_a_node_that_has_measured_no_round_trip_may_have_a_way_of_half_a_minute(way: float, ahead: float) -> None:
    partition = Partition()
    for number in range(60):
        now = START + number * 0.5 + way
        partition.step(now, [(now, replace(sent(number, off=0.0), round_trip=float("nan")))])
    assert partition.state["a"].ahead == pytest.approx(ahead, abs=0.01)


@_OFF
def test_a_clock_that_is_set_is_told_at_the_next_report_and_convicts_nobody(off: float) -> None:
    partition = Partition(round_trip=True)
    play(partition, range(60), off=0.0)
    assert partition.state["a"].ahead == 0.0
    assert changes(play(partition, range(60, 90), off=off), "a") == ["alive"]
    assert partition.state["a"].ahead == pytest.approx(off, abs=0.02)
    play(partition, range(90, 120), off=0.0)
    assert partition.state["a"].ahead == 0.0


def test_a_host_that_was_suspended_has_no_wrong_clock() -> None:
    partition = Partition()
    play(partition, range(60), off=0.0)
    # The monotonic clock stood still for 20 s, the wall clock was put right.
    play(partition, range(100, 140), off=0.0, boot=480.0)
    assert partition.state["a"].ahead == 0.0
    assert partition.state["a"].lateness < 0.1


@_OFF
def test_a_node_that_starts_again_at_once_where_the_clock_is_wrong_is_never_taken_for_dead(off: float) -> None:
    partition = Partition(round_trip=True)
    play(partition, range(60), off=0.0)
    seen = [*wait(partition, range(60, 61)), *play(partition, range(61, 120), off=off, boot=-30.5)]
    assert {status for _, _, status in seen} <= {"alive", "suspect"}
    assert changes(seen, "a")[-1] == "alive"


@_OFF
def test_a_dead_node_that_starts_again_where_the_clock_is_wrong_lives_from_its_first_beat_on(off: float) -> None:
    partition = Partition(round_trip=True)
    play(partition, range(60), off=0.0)
    assert changes(wait(partition, range(60, 70)), "a")[-1] == "dead"
    assert changes(play(partition, range(70, 120), off=off, boot=-35.0), "a") == ["alive"]


def test_the_worst_clock_is_given_to_the_metrics_when_something_is_told() -> None:
    partition = Partition()
    found: list[float | None] = []
    for number in range(60):
        now = START + number * 0.5 + _WAY
        partition.step(now, [(now, sent(number, off=-30.0)), (now, replace(sent(number, off=2.0), node="b"))])
        found.append(partition.clock_off)
    assert found[0] == 0.0
    assert found[1] is None
    assert [off for off in found if off is not None][-1] == pytest.approx(30.0, abs=0.02)
