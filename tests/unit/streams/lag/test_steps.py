"""A clock that is set in the midst changes nothing of what is known of replicas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from tests.unit.streams.lag.test_marker_fold import START, Pair, Partition, lags

from snowshed.schemas.records import Lag, LagStatus, Marker
from snowshed.streams.lag.servers import Source

_OFF = pytest.mark.parametrize("off", [0.5, 2.0, -2.0, 30.0, -30.0, 3600.0, -3600.0])
_SET = 60.05
"""Seconds after the start at which a clock is set."""


def never(at: float) -> float:
    return 0.0 * at


@dataclass
class Rig:
    """A pair of which one node's clock is set; `off` gives how far it is ahead at a time."""

    who: str
    off: Callable[[float], float]
    behind: float = 1.2
    boot: Callable[[float], float] = never
    """What the monotonic clock of that node is ahead of the time since the start."""

    def told(self, marker: Marker, at: float) -> Marker:
        """The marker as the node would have stamped it; a row keeps the time it was written with."""
        if self.who == "w":
            marker = replace(marker, written_at=marker.written_at + self.off(marker.written_at - START))
        if marker.node != self.who:
            return marker
        ahead, boot = self.off(at), self.boot(at)
        return replace(
            marker,
            seen_at=marker.seen_at + ahead,
            sent_at=marker.sent_at + ahead,
            monotonic=marker.monotonic + boot,
        )

    def run(self, partition: Partition, end: int = 120, *, hold: tuple[float, float] = (0.0, 0.0)) -> list[Lag]:
        """Ten steps a second; the replica stands still between the two ends of `hold`."""
        pair, seen = Pair(), list[Lag]()
        for tick in range(1, end * 10):
            at = START + tick / 10
            applied = tick / 10 - self.behind
            pair.applied = START + (hold[0] if hold[0] <= applied < hold[1] else applied)
            due = [pair.source(at)] if tick % 2 == 0 else []
            due += [pair.replica(at)] if tick % 5 == 0 else []
            markers = [(appended, self.told(marker, tick / 10)) for appended, marker in due]
            seen += lags(partition.step(at + 0.01, markers))
        return seen


def shown(found: list[Lag]) -> list[tuple[object, ...]]:
    """What is published, to the accuracy with which a step is known to floating-point numbers of today."""
    numbers = [(one.low, one.high, one.t50, one.t99, one.stale_share) for one in found]
    rounded = [tuple(None if each is None else round(each, 3) for each in row) for row in numbers]
    return [(round(one.observed_at - START, 3), one.status, *row) for one, row in zip(found, rounded, strict=True)]


@_OFF
@pytest.mark.parametrize("who", ["w", "r"])
def test_a_step_leaves_statuses_bounds_and_visibility_as_they_are(who: str, off: float) -> None:
    usual = Rig(who, never).run(Partition())
    found = Rig(who, lambda at: off if at >= _SET else 0.0).run(Partition(round_trip=True))
    assert {one.status for one in found} == {LagStatus.FRESH}
    # Until a new window has settled, the bounds are wider by what an unmeasured node's way may take.
    assert [row[:2] for row in shown(found)] == [row[:2] for row in shown(usual)]
    assert all(
        one.low <= other.low + 1e-3 and other.high <= one.high + 1e-3 for one, other in zip(found, usual, strict=True)
    )
    assert [row[4:] for row in shown(found)] == [row[4:] for row in shown(usual)]
    assert shown(found)[-1] == shown(usual)[-1]


@_OFF
def test_rows_of_before_that_a_replica_shows_only_later_are_dated_by_the_clock_as_it_is(off: float) -> None:
    hold = (50.0, 80.0)
    usual = Rig("w", never).run(Partition(), hold=hold)
    found = Rig("w", lambda at: off if at >= _SET else 0.0).run(Partition(), hold=hold)
    assert [row[:2] for row in shown(found)] == [row[:2] for row in shown(usual)]
    assert max(one.low for one in found) == pytest.approx(30.0, abs=1.5)


@pytest.mark.parametrize("boot", [-20.0, -50.0, 7200.0])
def test_a_host_that_stood_still_or_started_again_has_set_no_clock(boot: float) -> None:
    usual = Rig("w", never).run(Partition())
    partition = Partition()
    found = Rig("w", never, boot=lambda at: boot if at >= _SET else 0.0).run(partition)
    assert [row[:2] for row in shown(found)] == [row[:2] for row in shown(usual)]
    source = partition.state["source/orders/w"]
    assert isinstance(source, Source)
    assert source.steps == ()


@pytest.mark.parametrize("off", [-30.0, 30.0])
def test_a_writer_that_starts_again_where_the_clock_is_wrong_is_heard_at_once(off: float) -> None:
    usual = Rig("w", never).run(Partition())
    found = Rig("w", lambda at: off if at >= _SET else 0.0, boot=lambda at: -60.0 if at >= _SET else 0.0).run(
        Partition()
    )
    assert [row[:2] for row in shown(found)] == [row[:2] for row in shown(usual)]


def test_a_reader_of_two_datasets_has_set_its_clock_for_both() -> None:
    partition, seen = Partition(), list[Lag]()
    pair = Pair()
    rig = Rig("r", lambda at: -30.0 if at >= _SET else 0.0)
    for tick in range(1, 900):
        at = START + tick / 10
        pair.applied = at - 0.35
        due = [pair.source(at)] if tick % 2 == 0 else []
        if tick % 5 == 0:
            due.append(pair.replica(at))
        # The other dataset is read two tenths of a second before this one, and tells of the step first.
        other = [replace(pair.replica(at)[1], dataset="carts", replica="r9", writer="v")] if tick % 5 == 3 else []
        told = [(appended, rig.told(marker, tick / 10)) for appended, marker in due]
        told += [(at + pair.delay, rig.told(marker, tick / 10)) for marker in other]
        seen += lags(partition.step(at + 0.01, told))
    assert {one.status for one in seen} == {LagStatus.FRESH}
    assert max(one.high for one in seen[1:]) < 1.2


def test_a_clock_that_is_slewed_for_long_dates_old_rows_by_all_of_it_in_constant_memory() -> None:
    partition = Partition()
    found = Rig("w", lambda at: 0.08 * min(max(at - _SET, 0.0), 20.0)).run(partition, 130, hold=(50.0, 100.0))
    source = partition.state["source/orders/w"]
    assert isinstance(source, Source)
    assert len(source.steps) == 8
    assert sum(step for _, step in source.steps) == pytest.approx(1.6, abs=0.02)
    held = [one for one in found if 85.0 < one.observed_at - START < 95.0]
    assert {one.status for one in held} == {LagStatus.BEHIND}
    for one in held:
        assert one.low - 0.25 <= one.observed_at - START - 50.0 <= one.high + 0.1
