"""The way out of a metastable state, window by window."""

from __future__ import annotations

from itertools import pairwise
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.control.programme import Programme, Queue, Stage, advanced, begun
from snowshed.streams.policy import ControlPolicy
from snowshed.streams.stability.course import Effect

POLICY = ControlPolicy()
EMPTY, LONG = Queue(over=False), Queue(over=True)


def run(queues: list[Queue], held: Programme | None = None) -> list[Programme | None]:
    held = held or begun(Effect.RETRIES, 400.0, 300.0, 0.0, POLICY)
    seen: list[Programme | None] = [held]
    for second, queue in enumerate(queues, 1):
        held = advanced(held, queue, float(second), POLICY) if held else None
        seen.append(held)
    return seen


def test_half_of_the_capacity_is_admitted_until_the_queue_has_been_empty_for_five_seconds() -> None:
    seen = run([LONG] * 40 + [EMPTY] * 6)
    assert {one.rate for one in seen[:46] if one} == {200.0}
    assert [one.stage for one in seen[40:47] if one] == [Stage.DRAIN] * 6 + [Stage.RAMP]


def test_a_queue_that_grows_again_starts_the_five_seconds_anew() -> None:
    seen = run([EMPTY] * 4 + [LONG] + [EMPTY] * 5)
    assert all(one and one.stage is Stage.DRAIN for one in seen)


def test_the_rate_rises_by_a_quarter_every_five_seconds_and_then_by_two_per_cent_a_second() -> None:
    held = begun(Effect.RETRIES, 200.0, 300.0, 0.0, POLICY)
    seen = [one for one in run([EMPTY] * 60, held) if one]
    ramp = [one.rate for one in seen if one.stage is Stage.RAMP]
    assert sorted(set(ramp)) == pytest.approx([100.0, 125.0, 156.25, 195.3125, 240.0])
    creep = [one.rate for one in seen if one.stage is Stage.CREEP]
    assert creep[-1] == 300.0
    assert all(one < other <= one * 1.0201 for one, other in pairwise(sorted(set(creep))) if other < 300.0)


def test_the_way_out_is_the_way_down_and_retries_come_last() -> None:
    seen = run([EMPTY] * 120)
    levels = [one.level for one in seen if one]
    assert sorted(set(levels), reverse=True) == [4, 3, 2, 1]
    assert levels == sorted(levels, reverse=True)
    assert seen[-1] is None
    assert len([one for one in seen if one and one.stage is Stage.CLEAN]) == 60
    assert all(one.limit == inf for one in seen if one and one.stage is Stage.CLEAN)


def test_a_long_queue_takes_one_step_back_and_ten_seconds_of_waiting() -> None:
    held = Programme(stage=Stage.RAMP, rate=125.0, floor=100.0, goal=300.0, stepped=0.0)
    seen = [one for one in run([LONG, *[EMPTY] * 14], held) if one]
    assert [one.rate for one in seen] == [125.0] + [100.0] * 10 + [125.0] * 5
    again = [one for one in run([LONG] * 11, held) if one]
    assert [one.stage for one in again][-2:] == [Stage.RAMP, Stage.DRAIN]


def test_a_cold_cache_keeps_the_rate_at_the_store_s_capacity_until_it_is_warm() -> None:
    held = begun(Effect.COLD_CACHE, 75.0, 300.0, 0.0, POLICY)
    assert held.rate == 75.0
    seen = run([Queue(over=False, cold=True)] * 30 + [EMPTY], held)
    assert [one.stage for one in seen if one] == [Stage.DRAIN] * 31 + [Stage.RAMP]


def test_a_service_that_has_degraded_itself_is_not_taken_back_to_its_old_rate() -> None:
    held = begun(Effect.CAPACITY_LOSS, 180.0, 220.0, 0.0, POLICY)
    assert (held.rate, held.goal) == (90.0, 180.0)


def test_an_unknown_capacity_is_taken_from_the_last_good_rate() -> None:
    assert begun(None, nan, 300.0, 0.0, POLICY).rate == 150.0


def test_a_service_that_answers_everybody_too_late_is_not_cut_off_for_it() -> None:
    """Its callers see no completion; that nothing be admitted until the way out ends helps nobody."""
    held = begun(Effect.CAPACITY_LOSS, 0.0, 220.0, 0.0, POLICY)
    assert (held.rate, held.goal) == (110.0, 220.0)


@given(st.lists(st.booleans(), max_size=200))
def test_whatever_the_queue_does_the_rate_stays_in_its_bounds_and_no_step_is_too_large(script: list[bool]) -> None:
    seen = [one for one in run([Queue(over) for over in script]) if one]
    assert all(one.floor <= one.rate <= one.goal for one in seen)
    assert all(0.5 <= other.rate / one.rate <= 1.25 + 1e-9 for one, other in pairwise(seen))


def test_a_callee_that_drops_what_has_expired_is_admitted_most_of_its_capacity_at_once() -> None:
    policy = ControlPolicy()
    assert begun(Effect.WASTED_WORK, 100.0, 200.0, 0.0, policy, drops=True).rate == 80.0
    assert begun(Effect.WASTED_WORK, 100.0, 200.0, 0.0, policy).rate == 50.0
