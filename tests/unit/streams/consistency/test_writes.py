"""Writes that wait for replicas: the law, and a leader with a follower that it drives."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

from tests.benchmarks.replica_writes import Follower, driven

from snowshed.streams.consistency import EVERYTHING, Replication, WriteLaw, WriteThrottle, slowed

LAW = WriteLaw(begin=0.25, drain=10.0, exponent=0.5, largest_cut=0.5, largest_rise=1.25)


def step(held: WriteThrottle | None, at: float, lag: float) -> WriteThrottle | None:
    return slowed(held, "orders", Replication(at, lag, 4.0), at, LAW)


def test_it_begins_at_its_share_of_the_objective_and_moves_once_it_has_measured() -> None:
    assert step(None, 0.0, 1.0) is None
    held = step(None, 0.0, 1.5)
    assert held is not None
    assert (held.lowest, step(held, 1.0, 2.0)) == (EVERYTHING, held)
    moved = step(held, 2.0, 2.5)
    assert moved is not None
    want, relative = 1.0 - (2.5 - 2.0) / 10.0, 2.0
    assert moved.lowest == EVERYTHING * (want / relative) ** 0.5
    assert (moved.stepped, isnan(moved.from_at)) == (2.0, True)


def test_it_does_not_move_again_before_it_sees_writes_from_after_the_last_step() -> None:
    held = WriteThrottle(dataset="orders", lowest=300.0, stepped=10.0)
    for at, lag in ((11.0, 3.0), (13.0, 4.0), (14.0, 3.1)):
        assert step(held, at, lag) == held
    seen = step(held, 14.5, 3.5)
    assert seen is not None
    assert (seen.lowest, seen.from_at, seen.from_lag) == (300.0, 14.5, 3.5)


def test_no_step_cuts_or_rises_by_more_than_it_may_and_some_writes_always_pass() -> None:
    held = WriteThrottle(dataset="orders", lowest=400.0, from_at=0.0, from_lag=1.0)
    cut, risen = step(held, 2.0, 60.0), step(replace(held, from_lag=3.0), 2.0, 0.8)
    assert cut is not None
    assert risen is not None
    assert (cut.lowest, risen.lowest) == (200.0, 400.0 * 1.25)
    least = step(replace(held, lowest=30.0), 2.0, 60.0)
    assert least is not None
    assert least.lowest == 26.0


def test_it_ends_when_everything_is_admitted_and_the_replica_is_near() -> None:
    held = WriteThrottle(dataset="orders", lowest=500.0, from_at=0.0, from_lag=1.2)
    assert step(held, 2.0, 0.5) is None
    kept = step(held, 2.0, 1.2)
    assert kept is not None
    assert kept.lowest == EVERYTHING


def test_a_follower_at_twice_its_capacity_stays_inside_the_objective_and_as_busy_as_it_can_be() -> None:
    seconds = driven(Follower(load=2.0, seconds=150.0, trouble=(30.0, 150.0)), seed=1)
    late = [one for one in seconds if one.at >= 90.0]
    assert max(one.lag for one in late) <= 5.0
    assert sum(one.admitted for one in late) / len(late) > 0.93
